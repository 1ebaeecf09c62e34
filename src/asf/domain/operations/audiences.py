"""The streams that have listeners, with how many."""

from collections import Counter
from collections.abc import Iterable, Mapping
from heapq import nsmallest
from typing import Any

from asf.domain.operations.listeners import Listeners
from asf.domain.operations.ports import Json
from asf.domain.streaming.audience import Audience


class Audiences:
    """Counts the listeners of streams on this node, when asked."""

    def __init__(self, audience: Audience, listeners: Listeners) -> None:
        self._audience = audience
        self._listeners = listeners

    def page(self, after: str, limit: int) -> list[Json]:
        """Return the first `limit` streams with listeners, by id, behind the id `after`. May yield."""
        ids = nsmallest(limit, (one for one in self._audience.stream_ids() if one > after))
        return [counts for counts in map(self._count, ids) if counts["listeners"]]

    def _count(self, stream_id: str) -> Json:
        transports: Counter[str] = Counter()
        blocked = sent_bytes = 0
        for session in self._audience.sessions_of(stream_id):
            if not session.ended:
                transports[session.emitter.peer().transport] += 1
                blocked += self._listeners.is_blocked(session)
                sent_bytes += session.sent_bytes
        return {
            "stream_id": stream_id,
            "listeners": transports.total(),
            "blocked": blocked,
            "bytes": sent_bytes,
            "transports": dict(transports),
        }


def merged(pages: Mapping[str, Iterable[Mapping[str, Any]]], limit: int) -> list[Json]:
    """Return the first `limit` streams of all nodes, by id, from the pages of the nodes by name.

    The counts are complete: what is among the first of all nodes is among the first of each node that has it.
    """
    streams: dict[str, Json] = {}
    for node, page in pages.items():
        for one in page:
            stream_id = one["stream_id"]
            stream = streams.setdefault(
                stream_id,
                {"stream_id": stream_id, "listeners": 0, "blocked": 0, "bytes": 0, "transports": {}, "nodes": {}},
            )
            for name in ("listeners", "blocked", "bytes"):
                stream[name] += one[name]
            for transport, number in one["transports"].items():
                stream["transports"][transport] = stream["transports"].get(transport, 0) + number
            stream["nodes"][node] = one["listeners"]
    return [streams[stream_id] for stream_id in nsmallest(limit, streams)]
