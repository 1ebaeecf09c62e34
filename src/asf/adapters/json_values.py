"""Strict JSON (RFC 8259): without the constants and the infinite numbers that Python's reader adds."""

import json
import math
from typing import Any, NoReturn

MAX_JSON_DEPTH = 64
"""Deepest nesting of arrays and objects, within the limits of all JSON libraries that handle it."""


def parse_json(text: str) -> Any:
    """Return the value of a JSON text. Raises ValueError, or RecursionError if it is nested too deeply."""
    if text.startswith("\ufeff"):
        raise ValueError("The text begins with a byte order mark.")
    return _DECODER.decode(text)


def is_too_deep(value: Any, depth: int = MAX_JSON_DEPTH) -> bool:
    """Return whether arrays and objects are nested deeper than `depth` in a JSON value."""
    if isinstance(value, dict):
        value = value.values()
    elif not isinstance(value, list):
        return False
    return depth == 0 or any(is_too_deep(item, depth - 1) for item in value)


def _reject_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not valid JSON.")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"The number {text} is too large.")
    return value


_DECODER = json.JSONDecoder(parse_constant=_reject_constant, parse_float=_finite)
