"""Lines of the log about events: `name key=value …`. The fields are attributes of the record too, for JSON logs."""

import json
import logging
import re

BARE_TEXT = re.compile(r"[\w.:/@+-]+", re.ASCII)
"""Values of fields that are written as they are. All others are written as JSON strings."""

MAX_CHARACTERS = 300
"""Longest text of a client, or of an error, in a line."""


def log_event(logger: logging.Logger, level: int, event: str, **fields: str | float) -> None:
    """Log an event with its fields, if the level is enabled."""
    if logger.isEnabledFor(level):
        pairs = " ".join(f"{name}={_text_of(value)}" for name, value in fields.items())
        logger.log(level, "%s %s", event, pairs, extra=fields)


def _text_of(value: str | float) -> str:
    """Return the value as one word or one JSON string, so that no client can forge fields or lines."""
    text = str(value)
    return text if BARE_TEXT.fullmatch(text) else json.dumps(text)
