"""Cues as WebVTT (W3C, "WebVTT: The Web Video Text Tracks Format").

Pure. WebVTT wants cues in the order of their starts, each with an end. So a `Plan` of a complete track is made first:
it has numbers only, and the texts are read when they are sent.
"""

import json
import re
import unicodedata
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from heapq import merge
from typing import Any

from asf.domain.cues.track import StoredCue

HEADER = "WEBVTT\n"

LAST_CUE_SECONDS = 5.0
"""Duration of a cue without an end that is the last one of its kind."""

SORTED_AT_ONCE = 2048
"""Cues that are sorted in one step."""

ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "\0": "\ufffd"})
LINE_END = re.compile(r"\r\n|\r|\n")
BLOCK_NAME = re.compile(r"(?:NOTE|STYLE|REGION)(?:\s|$)")
"""What begins other blocks than cues: no identifier of a cue may be taken for one."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The cues of a track in the order of their starts: their numbers, ends in seconds, and sizes in characters."""

    seqs: "array[int]"
    ends: "array[float]"
    sizes: "array[int]"

    @property
    def size(self) -> int:
        """Bytes of memory that the plan takes."""
        return sum(column.itemsize * len(column) for column in (self.seqs, self.ends, self.sizes))

    def batches(self, max_cues: int, max_characters: int) -> Iterator[range]:
        """Yield the positions of some cues after others, within both limits, at least one at a time."""
        first = size = 0
        for position, its_size in enumerate(self.sizes):
            if position > first and (position - first >= max_cues or size + its_size > max_characters):
                yield range(first, position)
                first, size = position, 0
            size += its_size
        if first < len(self.sizes):
            yield range(first, len(self.sizes))


def plan_of(cues: Iterable[StoredCue], checkpoint: Callable[[], object]) -> Plan:
    """Return the plan of a track. Calls `checkpoint`, which may yield, after each step.

    A cue without an end ends where the next one of its kind starts, the last one after `LAST_CUE_SECONDS`.
    """
    seqs, starts, ends, sizes, kinds = array("Q"), array("d"), array("d"), array("L"), array("L")
    number_of_kind: dict[str | None, int] = {}
    for cue in cues:
        fields = json.loads(cue.json)
        seqs.append(cue.seq)
        starts.append(fields["start"])
        ends.append(fields.get("end", -1.0))
        sizes.append(len(cue.json))
        kinds.append(number_of_kind.setdefault(fields.get("kind"), len(number_of_kind)))
        checkpoint()
    order = array("L", _in_order(starts, checkpoint))
    following: dict[int, tuple[float, float]] = {}  # By kind: the start seen last, and the next greater one.
    for position in reversed(order):
        start, kind = starts[position], kinds[position]
        seen, after = following.get(kind, (-1.0, start + LAST_CUE_SECONDS))
        if start < seen:
            after = seen
        following[kind] = (start, after)
        if ends[position] < 0:
            ends[position] = after
        checkpoint()
    plan = Plan(array("Q"), array("d"), array("L"))
    for position in order:
        plan.seqs.append(seqs[position])
        plan.ends.append(ends[position])
        plan.sizes.append(sizes[position])
        checkpoint()
    return plan


def cue_block(fields: dict[str, Any], end: float) -> str | None:
    """Return a cue as a block, an empty line before it; None if it has no text."""
    text = _payload(fields.get("text", ""))
    if not text:
        return None
    start_ms = round(fields["start"] * 1000)
    end_ms = max(round(end * 1000), start_ms + 1)  # It must be later (section 4.1).
    times = f"{_timestamp(start_ms)} --> {_timestamp(end_ms)}"
    identifier = fields.get("id")
    if identifier is None or not _is_identifier(identifier):
        return f"\n{times}\n{text}\n"
    return f"\n{identifier}\n{times}\n{text}\n"


def _in_order(starts: Sequence[float], checkpoint: Callable[[], object]) -> Iterator[int]:
    """Yield the positions of `starts` in ascending order; equal ones as they are."""
    parts = []
    for first in range(0, len(starts), SORTED_AT_ONCE):
        positions = range(first, min(first + SORTED_AT_ONCE, len(starts)))
        parts.append(sorted(positions, key=starts.__getitem__))
        checkpoint()
    for position in merge(*parts, key=starts.__getitem__):
        yield position
        checkpoint()


def _payload(text: str) -> str:
    """Return text as a cue's payload: no markup, no empty line, no `-->`, and of the control characters only tabs."""
    lines = (_printable(line) for line in LINE_END.split(text))
    return "\n".join(line.translate(ESCAPES) for line in lines if line.strip())


def _printable(line: str) -> str:
    if line.isprintable():
        return line
    return "".join(one for one in line if one in "\t\0" or unicodedata.category(one) not in {"Cc", "Cs"})


def _is_identifier(value: str) -> bool:
    return "-->" not in value and not BLOCK_NAME.match(value)


def _timestamp(milliseconds: int) -> str:
    seconds, milliseconds = divmod(milliseconds, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{seconds:02}.{milliseconds:03}"
