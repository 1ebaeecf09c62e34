"""Writes the cues of a stream as JSON or WebVTT, piece by piece: a document is never in memory as a whole."""

import json
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from cachetools import LRUCache

from asf.adapters.http_api.cues.webvtt import HEADER, Plan, cue_block, plan_of
from asf.domain.cues.service import Cues
from asf.domain.cues.track import StoredCue
from asf.domain.errors import CuesUnavailable
from asf.domain.streams.stream import AudioStream

PIECE_CHARACTERS = 32 * 1024
"""Characters after which a piece is complete."""

CUES_AT_ONCE = 500
"""Cues that are read at once for WebVTT, of `PIECE_CHARACTERS` together."""

PLAN_BYTES = 32 * 1024 * 1024
"""Size of the cache of plans. Players of one podcast request the same WebVTT together."""

PlanKey = tuple[str, str, int]


@dataclass(frozen=True, slots=True)
class Selection:
    """Which cues of a stream are wanted: those with numbers above `since`, of one `kind` (None: of all kinds).

    `latest` was the highest number when the request came.
    """

    stream: AudioStream
    latest: int
    since: int = 0
    kind: str | None = None

    def has(self, seq: int, kind: object) -> bool:
        """Return whether a cue is wanted."""
        return seq > self.since and self.kind in {None, kind}


class CueDocuments:
    """Renders the cues of `cues`. `checkpoint` is called often, and may yield.

    Every iterator may yield to other tasks, and raises `CuesUnavailable`.
    """

    def __init__(self, cues: Cues, checkpoint: Callable[[], object]) -> None:
        self._cues = cues
        self._checkpoint = checkpoint
        self._plans: LRUCache[PlanKey, Plan] = LRUCache(PLAN_BYTES, getsizeof=lambda plan: plan.size)
        self._planning: dict[PlanKey, threading.Event] = {}

    def json(self, wanted: Selection) -> Iterator[str]:
        """Yield the pieces of the JSON document, with the cues in the order of their numbers."""
        stream = wanted.stream
        head = {"stream_id": stream.stream_id, "epoch": stream.epoch, "seq": wanted.latest}
        return _joined(self._json_parts(json.dumps(head)[:-1], wanted))

    def vtt(self, wanted: Selection) -> Iterator[str]:
        """Yield the pieces of the WebVTT document: the cues that have a text, in the order of their starts."""
        return _joined(self._vtt_parts(wanted))

    def _json_parts(self, head: str, wanted: Selection) -> Iterator[str]:
        yield f'{head}, "cues": ['
        separator = ""
        for cues in self._cues.pages(wanted.stream, wanted.since, wanted.latest):
            text = ",".join(cue.json for cue in self._of_kind(cues, wanted.kind))
            if text:
                yield f"{separator}{text}"
                separator = ","
            self._checkpoint()
        yield "]}"

    def _of_kind(self, cues: Sequence[StoredCue], kind: str | None) -> Iterable[StoredCue]:
        """Return those of the cues that are of this kind; None: all."""
        if kind is None:
            return cues
        found = []
        for cue in cues:
            if json.loads(cue.json).get("kind") == kind:
                found.append(cue)
            self._checkpoint()
        return found

    def _vtt_parts(self, wanted: Selection) -> Iterator[str]:
        yield HEADER
        plan = self._plan_of(wanted)
        for positions in plan.batches(CUES_AT_ONCE, PIECE_CHARACTERS):
            ends = {plan.seqs[position]: plan.ends[position] for position in positions}
            found = self._cues.select(wanted.stream, list(ends))
            if not found:
                raise CuesUnavailable("The stream was regenerated or deleted.")
            yield from self._blocks(found, ends, wanted)

    def _blocks(self, cues: Iterable[StoredCue], ends: dict[int, float], wanted: Selection) -> Iterator[str]:
        for cue in cues:
            fields = json.loads(cue.json)
            if wanted.has(cue.seq, fields.get("kind")):
                block = cue_block(fields, ends[cue.seq])
                if block is not None:
                    yield block
            self._checkpoint()

    def _plan_of(self, wanted: Selection) -> Plan:
        """Return the plan of the track, made once for all that request it at the same time."""
        key = (wanted.stream.stream_id, wanted.stream.epoch, wanted.latest)
        while (being_made := self._planning.get(key)) is not None:
            being_made.wait()
        plan = self._plans.get(key)
        if plan is None:
            is_made = self._planning[key] = threading.Event()
            try:
                plan = plan_of(self._cues.read(wanted.stream, 0, wanted.latest), self._checkpoint)
                if plan.size <= PLAN_BYTES:
                    self._plans[key] = plan
            finally:
                del self._planning[key]
                is_made.set()
        return plan


def _joined(parts: Iterable[str]) -> Iterator[str]:
    """Yield the same text in pieces of `PIECE_CHARACTERS` or a little more."""
    piece: list[str] = []
    size = 0
    for part in parts:
        piece.append(part)
        size += len(part)
        if size >= PIECE_CHARACTERS:
            yield "".join(piece)
            piece.clear()
            size = 0
    if piece:
        yield "".join(piece)
