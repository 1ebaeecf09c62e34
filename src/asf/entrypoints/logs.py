"""The log: text in debug mode, one JSON object per line in production. Standard error carries nothing else."""

import io
import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO

from pythonjsonlogger.core import LogData
from pythonjsonlogger.json import JsonFormatter

from asf.adapters.rate_limit import RateLimit

TEXT_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
JSON_FIELDS = ("asctime", "levelname", "name", "message")
JSON_NAMES = {"asctime": "time", "levelname": "level", "name": "logger"}
TIME_FORMAT = "%Y-%m-%dT%H:%M:%S%z"

MAX_CHARACTERS = 8_000
"""Longest message, field or traceback of a line: more than any that ASF writes itself."""

LINES_PER_SECOND = 5.0
LINES_AT_ONCE = 100
"""Rate limit of what libraries write to standard error. Lines beyond it are dropped."""

TRACEBACK_INDENT = "    "

logger = logging.getLogger(__name__)


class TextFormatter(logging.Formatter):
    """Writes each event as one line of printable characters, whatever its message contains.

    A traceback follows in lines of its own, indented, so that none of them can be taken for an event.
    """

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - overrides the standard library's
        """Return the line of an event."""
        record.message = _printable(_bounded(record.message))
        return super().formatMessage(record)

    def formatException(self, ei: Any) -> str:  # noqa: N802 - overrides the standard library's
        """Return the traceback of an exception."""
        lines = _bounded(super().formatException(ei)).split("\n")
        return "\n".join(TRACEBACK_INDENT + _printable(line) for line in lines)


class BoundedJsonFormatter(JsonFormatter):
    """Writes each event as one JSON object in one line, of ASCII characters, with values of bounded length."""

    def process_log_record(self, log_data: LogData) -> LogData:
        """Return the fields of an event."""
        fields = super().process_log_record(log_data)
        return {name: _bounded(value) if isinstance(value, str) else value for name, value in fields.items()}


class LoggedStream(io.TextIOBase):
    """Logs each line that is written to it, at a limited rate.

    `original` takes what is written while a line is being logged.
    """

    def __init__(self, original: TextIO) -> None:
        self._original = original
        self._rest = ""
        self._is_logging = False
        self._rate = RateLimit(LINES_PER_SECOND, LINES_AT_ONCE)

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """The encoding of the original stream."""
        return self._original.encoding

    def fileno(self) -> int:
        """Return the descriptor of the original stream."""
        return self._original.fileno()

    def writable(self) -> bool:
        """Return True."""
        return True

    def write(self, text: str) -> int:
        """Log the lines that `text` completes. An unfinished line waits until it is too long for a message."""
        if self._is_logging:  # The logging itself has failed, and says so.
            self._original.write(text)
            return len(text)
        *lines, self._rest = (self._rest + text).split("\n")
        if len(self._rest) > MAX_CHARACTERS:
            lines.append(self._rest)
            self._rest = ""
        self._is_logging = True
        try:
            for line in filter(str.strip, lines):
                if self._rate.take(time.monotonic()):
                    logger.warning("%s", line)
        finally:
            self._is_logging = False
        return len(text)


def configure(*, debug: bool) -> None:
    """Log to standard error from level INFO: as text for `debug`, else as JSON. Includes Python's warnings."""
    formatter: logging.Formatter
    if debug:
        formatter = TextFormatter(TEXT_FORMAT)
    else:
        formatter = BoundedJsonFormatter(JSON_FIELDS, rename_fields=JSON_NAMES, datefmt=TIME_FORMAT)
    handler = logging.StreamHandler()
    handler.setFormatter(formatter)
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    logging.captureWarnings(capture=True)


@contextmanager
def standard_error_logged() -> Iterator[None]:
    """Log what libraries write to `sys.stderr`, which would be no line of the log otherwise.

    Handlers that were configured before keep writing to the original stream.
    """
    original = sys.stderr
    sys.stderr = LoggedStream(original)
    try:
        yield
    finally:
        sys.stderr = original


def _bounded(text: str) -> str:
    omitted = len(text) - MAX_CHARACTERS
    return text if omitted <= 0 else f"{text[:MAX_CHARACTERS]}… ({omitted} more characters)"


def _printable(text: str) -> str:
    """Return text with control characters escaped: they could forge a line, or command a terminal."""
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else repr(character)[1:-1] for character in text)
