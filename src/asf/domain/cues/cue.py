"""One cue: something that is said or begins at a time in the audio (docs/contract.md, section 9)."""

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from asf.domain.errors import InvalidCue
from asf.domain.identifiers import identifier_problem

MAX_CUE_BYTES = 64 * 1024
"""Largest cue, in bytes of compact JSON in UTF-8."""

MAX_CUE_SECONDS = 10**8
"""Latest time of a cue, in seconds from the beginning of the audio: three years."""


@dataclass(frozen=True, slots=True)
class Cue:
    """A cue that a backend has posted. `parse_cue` validates one.

    `start` and `end` are in seconds from the beginning of the audio, at most `MAX_CUE_SECONDS`; `end` is not before
    `start`. A cue with the `id` of an earlier one of the same stream and epoch replaces it. `kind` is any name.
    `json` is the cue as listeners receive it: compact, not only in ASCII, at most `MAX_CUE_BYTES` long.
    """

    start: float
    json: str
    id: str | None = None
    end: float | None = None
    text: str | None = None
    kind: str | None = None

    @property
    def size(self) -> int:
        """Length of the cue in bytes of UTF-8."""
        return len(self.json) if self.json.isascii() else len(self.json.encode())


def parse_cue(fields: object) -> Cue:
    """Return the cue with these fields, which are those of a JSON object. Unknown ones are dropped.

    A field that is null counts as absent, except for `data`, which is any value. Raises `InvalidCue`.
    """
    if not isinstance(fields, Mapping):
        raise InvalidCue("It is not a JSON object.")
    id_, kind = (_checked(fields, name, _identifier_problem) for name in ("id", "kind"))
    if fields.get("start") is None:
        raise InvalidCue("start: Missing data for required field.")
    start, end = (_checked(fields, name, _time_problem) for name in ("start", "end"))
    if end is not None and end < start:
        raise InvalidCue("end: It is before the start.")
    text = _checked(fields, "text", _text_problem)
    named = {"id": id_, "kind": kind, "start": start, "end": end, "text": text}
    known = {name: value for name, value in named.items() if value is not None}
    if "data" in fields:
        known["data"] = fields["data"]
    try:
        cue_json = json.dumps(known, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        size = len(cue_json.encode())
    except (ValueError, RecursionError) as error:
        raise InvalidCue("It contains characters or numbers that JSON in UTF-8 cannot have.") from error
    if size > MAX_CUE_BYTES:
        raise InvalidCue(f"It has {size} bytes; at most {MAX_CUE_BYTES} are allowed.")
    return Cue(start, cue_json, id_, end, text, kind)


def _checked(fields: Mapping[str, Any], name: str, problem_of: Callable[[Any], str | None]) -> Any:
    """Return a field, or None if it is absent. Raises `InvalidCue`."""
    value = fields.get(name)
    if value is not None and (problem := problem_of(value)):
        raise InvalidCue(f"{name}: {problem}")
    return value


def _identifier_problem(value: Any) -> str | None:
    return identifier_problem(value) if isinstance(value, str) else "It is not a string."


def _text_problem(value: Any) -> str | None:
    return None if isinstance(value, str) else "It is not a string."


def _time_problem(value: Any) -> str | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return "It is not a number."
    # An integer may be too large for a float.
    if (isinstance(value, float) and not math.isfinite(value)) or not 0 <= value <= MAX_CUE_SECONDS:
        return f"It must be between 0 and {MAX_CUE_SECONDS}."
    return None
