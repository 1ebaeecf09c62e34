"""What observes sessions does them no harm."""

import logging

import pytest

from asf.adapters.session_log import SessionLog
from tests.support.virtual import RecordingObserver


def tell_all(log: SessionLog) -> None:
    """Tell it everything once."""
    log.joined("s")
    log.first_audio_sent(0.1)
    log.pump_lagged(0.2)
    log.ended("s", "complete", 5, 0.3)


def test_everything_is_passed_on() -> None:
    """As it was told."""
    observer = RecordingObserver()
    tell_all(SessionLog(observer))
    assert (observer.joins, observer.first_audio, observer.lags) == (1, [0.1], [0.2])
    assert (observer.outcomes, observer.sent_bytes) == (["complete"], [5])


def test_what_an_observer_raises_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """And goes no further."""
    observer = RecordingObserver()

    def fail(*_what: object) -> None:
        raise RuntimeError("The metrics are broken.")

    for name in ("joined", "first_audio_sent", "pump_lagged", "ended"):
        setattr(observer, name, fail)
    with caplog.at_level(logging.ERROR):
        tell_all(SessionLog(observer))
    assert [record.getMessage() for record in caplog.records] == ["Observing a session failed"] * 4
