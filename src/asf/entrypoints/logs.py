"""The format of the log: text in debug mode, one JSON object per line in production."""

import logging

from pythonjsonlogger.json import JsonFormatter

TEXT_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
JSON_FIELDS = ("asctime", "levelname", "name", "message")
JSON_NAMES = {"asctime": "time", "levelname": "level", "name": "logger"}
TIME_FORMAT = "%Y-%m-%dT%H:%M:%S%z"


def configure(*, debug: bool) -> None:
    """Log to standard error from level INFO: as text for `debug`, else as JSON."""
    formatter: logging.Formatter
    if debug:
        formatter = logging.Formatter(TEXT_FORMAT)
    else:
        formatter = JsonFormatter(JSON_FIELDS, rename_fields=JSON_NAMES, datefmt=TIME_FORMAT)
    handler = logging.StreamHandler()
    handler.setFormatter(formatter)
    logging.basicConfig(level=logging.INFO, handlers=[handler])
