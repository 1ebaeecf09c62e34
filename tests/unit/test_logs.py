"""The format of the log, and what becomes of what is written past it."""

import io
import json
import logging
import sys
import traceback
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asf.adapters.eventlet_runtime.uncaught import logged_exceptions
from asf.entrypoints import logs
from asf.settings.table import LOG_LEVELS

FORGED = "x\n2026-01-01 00:00:00,000 INFO forged\r\x1b[2J\x9b\u2028\u202e\x00"


@pytest.fixture(params=[True, False], ids=["text", "JSON"])
def log(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """Configure the log as `asf serve` does, and return what is written to standard error."""
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", [])
    logs.configure(debug=request.param)
    yield stream
    logging.captureWarnings(capture=False)
    logging.getLogger("asf").setLevel(logging.NOTSET)


def fail() -> None:
    """Raise an exception with what a client has sent."""
    raise ValueError(FORGED)


def events_in(stream: io.StringIO) -> list[str]:
    """Return the lines that were logged, each of which must be an event, or a line of a traceback behind one."""
    lines = stream.getvalue().split("\n")
    assert lines.pop() == ""
    assert all(line.isprintable() for line in lines), lines
    events = [line for line in lines if not line.startswith(logs.TRACEBACK_INDENT)]
    for line in events:
        assert line[:4].isdigit() or json.loads(line)["message"], line
    return events


@pytest.mark.parametrize("level", LOG_LEVELS)
def test_lines_below_the_level_are_not_written(log: io.StringIO, level: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of libraries are not written below INFO, whatever the level: they could contain tokens."""
    monkeypatch.setattr(sys, "stderr", log)
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    logs.configure(debug=True, level=level)
    for name in ("asf.adapters.session_log", "urllib3"):
        for severity in LOG_LEVELS:
            logging.getLogger(name).log(logging.getLevelNamesMapping()[severity.upper()], "from %s", name)
    written = [line.split()[2:4] for line in events_in(log)]
    enabled = LOG_LEVELS[LOG_LEVELS.index(level) :]
    assert [severity.lower() for severity, name in written if name == "asf.adapters.session_log:"] == list(enabled)
    assert [severity.lower() for severity, name in written if name == "urllib3:"] == [
        severity for severity in enabled if severity != "debug"
    ]


def test_what_an_event_contains_is_one_line(log: io.StringIO) -> None:
    """Line ends, escape sequences and directions of writing are escaped."""
    logging.getLogger("asf").warning("received %s", FORGED)
    logging.getLogger("asf").warning("received", extra={"stream_id": FORGED})
    assert len(events_in(log)) == 2


def test_what_an_event_contains_is_bounded(log: io.StringIO) -> None:
    """However long it is."""
    logging.getLogger("asf").warning("received %s", "x" * 1_000_000, extra={"stream_id": "y" * 1_000_000})
    (event,) = events_in(log)
    assert len(event) < 3 * logs.MAX_CHARACTERS


def test_a_traceback_forges_no_event(log: io.StringIO) -> None:
    """Though the text of the exception is the client's."""
    try:
        fail()
    except ValueError:
        logging.getLogger("asf").exception("failed")
    assert len(events_in(log)) == 1
    assert "Traceback" in log.getvalue()


def test_what_is_written_to_standard_error_is_logged(log: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    """By lines, when they are complete; at a limited rate."""
    monkeypatch.setattr(sys, "stderr", log)  # pytest has replaced it since
    with logs.standard_error_logged():
        sys.stderr.write("one\x1b[2J\n")
        sys.stderr.write("no end")
        assert len(events_in(log)) == 1
        sys.stderr.write("; end\n\n")
        assert len(events_in(log)) == 2
        try:
            fail()
        except ValueError:
            traceback.print_exc()
        assert len(events_in(log)) > 3
        for _ in range(1000):
            sys.stderr.write("again\n")
        sys.stderr.write("x" * 1_000_000)
    assert len(events_in(log)) < 2 * logs.LINES_AT_ONCE
    assert sys.stderr is log


class FailingHandler(logging.Handler):
    """Fails to write any event, and says so where the standard library's handlers do."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            fail()
        except ValueError:
            self.handleError(record)


def test_a_failure_of_the_log_does_not_log_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is written to standard error as it stands."""
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    failing = FailingHandler()
    logs.logger.addHandler(failing)
    try:
        with logs.standard_error_logged():
            sys.stderr.write("text\n")
    finally:
        logs.logger.removeHandler(failing)
    assert stream.getvalue().count("--- Logging error ---") == 1


@given(text=st.text())
def test_any_text_is_one_line(text: str) -> None:
    """For both formats."""
    record = logging.LogRecord("asf", logging.INFO, "file", 1, "received %s", (text,), None)
    assert logs.TextFormatter(logs.TEXT_FORMAT).format(record).isprintable()
    assert logs.BoundedJsonFormatter(logs.JSON_FIELDS).format(record).isprintable()


def test_exceptions_that_reach_the_event_loop_are_logged(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of green threads, timers and descriptors; at a limited rate, and as one event each."""
    from eventlet import hubs  # noqa: PLC0415 - the event loop of this thread

    with logged_exceptions():
        try:
            fail()
        except ValueError:
            for _ in range(10):
                hubs.get_hub().squelch_timer_exception(None, sys.exc_info())
                hubs.get_hub().squelch_generic_exception(sys.exc_info())
                hubs.get_hub().squelch_exception(-1, sys.exc_info())
    assert [record.message for record in caplog.records] == ["A task failed"]
    assert capsys.readouterr().err == ""
