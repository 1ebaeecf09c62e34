"""The session log: one line for each event, and no harm from what observes."""

import json
import logging
import re
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asf.adapters.log_events import MAX_CHARACTERS
from asf.adapters.session_log import REJECTIONS_AT_ONCE, SessionLog
from asf.domain.errors import AudioUnavailable, StreamNotFound, Unauthorized
from asf.domain.peer import Peer, Transport
from tests.support.virtual import RecordingObserver

PEER = Peer(Transport.WEBSOCKET, "10.1.2.3")
STRANGER = Peer(Transport.POLLING, "10.1.2.3", "z" * 100_000)

EVENTS = ("joined", "join_rejected", "first_audio_sent", "pump_lagged", "ended")


def report_all(log: SessionLog) -> None:
    """Report everything once."""
    log.joined("websocket-1.1", "s", 7, PEER)
    log.join_rejected("other", AudioUnavailable("No such file."), None)
    log.first_audio_sent(0.1)
    log.pump_lagged(0.2)
    log.ended("websocket-1.1", "s", "complete", 5, 0.34567)


def test_everything_is_passed_on() -> None:
    """As it was reported."""
    observer = RecordingObserver()
    report_all(SessionLog(observer))
    assert (observer.joins, observer.first_audio, observer.lags) == (1, [0.1], [0.2])
    assert (observer.outcomes, observer.sent_bytes) == (["complete"], [5])
    assert observer.rejections == ["ASF_AUDIO_UNAVAILABLE"]


def test_each_event_is_one_line_with_its_fields(caplog: pytest.LogCaptureFixture) -> None:
    """In the message, and as attributes of the record."""
    with caplog.at_level(logging.INFO):
        report_all(SessionLog(RecordingObserver()))
    started, rejected, ended = caplog.records
    assert started.getMessage() == (
        "session started session=websocket-1.1 stream_id=s offset=7 transport=websocket address=10.1.2.3"
    )
    assert rejected.getMessage() == (
        'join rejected stream_id=other code=ASF_AUDIO_UNAVAILABLE details="No such file."'
    )
    assert ended.getMessage() == (
        "session ended session=websocket-1.1 stream_id=s outcome=complete bytes=5 seconds=0.346"
    )
    fields = {"session": "websocket-1.1", "stream_id": "s", "outcome": "complete", "bytes": 5, "seconds": 0.346}
    assert fields.items() <= vars(ended).items()
    fields = {"stream_id": "other", "code": "ASF_AUDIO_UNAVAILABLE", "details": "No such file."}
    assert fields.items() <= vars(rejected).items()


def test_strangers_cannot_fill_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """Lines about rejected joins have a rate limit and a maximum length; all are passed on. The next line counts."""
    now = 0.0
    observer = RecordingObserver()
    log = SessionLog(observer, lambda: now)
    with caplog.at_level(logging.INFO):
        for _ in range(1000):
            log.join_rejected("x" * 100_000, Unauthorized("y" * 100_000), STRANGER)
        assert len(caplog.records) == REJECTIONS_AT_ONCE
        assert max(len(record.getMessage()) for record in caplog.records) < 4 * MAX_CHARACTERS
        now = 10.0
        log.join_rejected("s", StreamNotFound(), PEER)
        log.join_rejected("s", StreamNotFound(), PEER)
    assert len(observer.rejections) == 1002
    rejected = "join rejected stream_id=s code=ASF_STREAM_NOT_FOUND transport=websocket address=10.1.2.3"
    assert [record.getMessage() for record in caplog.records[REJECTIONS_AT_ONCE:]] == [
        f"{rejected} unlogged={1000 - REJECTIONS_AT_ONCE}",
        rejected,
    ]


@given(st.text(max_size=30) | st.sampled_from(["a b", "a=b", 'a"b', "a\nsession started", "", "\u2028"]))
def test_no_stream_id_can_forge_a_field_or_a_line(stream_id: str) -> None:
    """A rejected one is any text that a client has sent."""
    log = logging.getLogger("asf.adapters.session_log")
    log.setLevel(logging.INFO)
    with patch.object(log, "handle") as handle:
        SessionLog(RecordingObserver()).join_rejected(stream_id or "-", StreamNotFound(), PEER)
    log.setLevel(logging.NOTSET)
    message = handle.call_args[0][0].getMessage()
    match = re.fullmatch(
        r"join rejected stream_id=(.*) code=ASF_STREAM_NOT_FOUND transport=websocket address=10\.1\.2\.3", message
    )
    assert match is not None
    value = match[1]
    assert value.isascii()
    assert value.isprintable()
    assert (json.loads(value) if value.startswith('"') else value) == (stream_id or "-")
    assert value.startswith('"') or not set(value) & set(' ="')


def test_what_an_observer_raises_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """And goes no further."""
    observer = RecordingObserver()

    def fail(*_what: object) -> None:
        raise RuntimeError("The metrics are broken.")

    for name in EVENTS:
        setattr(observer, name, fail)
    with caplog.at_level(logging.ERROR):
        report_all(SessionLog(observer))
    assert [record.getMessage() for record in caplog.records] == ["Observing a session failed"] * len(EVENTS)
