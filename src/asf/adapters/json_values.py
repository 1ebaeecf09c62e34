"""Strict JSON (RFC 8259): without the constants and the infinite numbers that Python's reader adds."""

import json
import math
from typing import Any, NoReturn


def parse_json(text: str) -> Any:
    """Return the value of a JSON text. Raises ValueError, or RecursionError if it is nested too deeply."""
    return json.loads(text, parse_constant=_reject_constant, parse_float=_finite)


def _reject_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not valid JSON.")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"The number {text} is too large.")
    return value
