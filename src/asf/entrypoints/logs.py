"""The log: text in debug mode, one JSON object per line in production. Standard error carries nothing else."""

import io
import logging
import sys
import time
from _thread import RLock
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO

from pythonjsonlogger.core import LogData
from pythonjsonlogger.json import JsonFormatter

import asf
from asf.adapters.rate_limit import RateLimit

TEXT_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
TEXT_FORMAT_OF_WORKER = "%(asctime)s %(levelname)s worker={worker} %(name)s: %(message)s"
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


class _CachedTime(logging.Formatter):
    """Formats the time of an event once for all events of the same second."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._second = -1
        self._text = ""

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802 - as above
        """Return the time of an event."""
        second = int(record.created)
        if second != self._second:
            self._second = second
            self._text = time.strftime(datefmt or self.default_time_format, self.converter(record.created))
        return self._text if datefmt else f"{self._text},{int(record.msecs):03d}"


class TextFormatter(_CachedTime):
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


class BoundedJsonFormatter(_CachedTime, JsonFormatter):
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


def configure(*, debug: bool, level: str = "info", worker: int | None = None) -> None:
    """Log to standard error from a level on: as text for `debug`, else as JSON. Includes Python's warnings.

    `level` is the lower-case name of a level. Libraries log from INFO on at most: below it, theirs would contain
    tokens. Each line of one of several workers has the number `worker`.
    """
    formatter: logging.Formatter
    if debug:
        formatter = TextFormatter(TEXT_FORMAT if worker is None else TEXT_FORMAT_OF_WORKER.format(worker=worker))
    else:
        static = {} if worker is None else {"worker": worker}
        formatter = BoundedJsonFormatter(
            JSON_FIELDS, rename_fields=JSON_NAMES, datefmt=TIME_FORMAT, static_fields=static
        )
    # What no format shows need not be found out for each event.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging._srcfile = None  # noqa: SLF001 - as the standard library's manual says
    handler = logging.StreamHandler()
    # The system's own lock: nothing yields while a line is written, so tasks do not wait for one another here.
    handler.lock = RLock()
    handler.setFormatter(formatter)
    number = logging.getLevelNamesMapping()[level.upper()]
    logging.basicConfig(level=max(number, logging.INFO), handlers=[handler])
    logging.getLogger(asf.__name__).setLevel(number)
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
