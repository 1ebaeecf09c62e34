"""When a stream has got its first listener, and when it has lost its last one."""

from collections import OrderedDict
from enum import StrEnum

GRACE_SECONDS = 10.0
"""How long a stream must have been without listeners before that counts: a listener that has lost its connection is
back by then, at another node, too."""


class AudienceEvent(StrEnum):
    """What has happened to the audience of a stream."""

    FIRST_LISTENER = "first_listener"
    LAST_LISTENER_LEFT = "last_listener_left"


class AudienceChanges:
    """Decides about these events from the counts of one node: those of a stream alternate, the first listener first.

    A stream has lost its last listener when it has been without any for `grace_seconds` (None: `GRACE_SECONDS`).
    Times are in seconds of the clock.
    """

    def __init__(self, grace_seconds: float | None = None) -> None:
        self._grace_seconds = GRACE_SECONDS if grace_seconds is None else grace_seconds
        self._listened: set[str] = set()
        # The streams that have no listeners now, and when that will count. The time is the same for all.
        self._deadlines: OrderedDict[str, float] = OrderedDict()

    @property
    def next_time(self) -> float | None:
        """When the next stream will have lost its last listener; None while all have some."""
        return next(iter(self._deadlines.values()), None)

    def update(self, stream_id: str, listeners: int, now: float) -> AudienceEvent | None:
        """Record how many listeners the stream has, and return what has happened."""
        if not listeners:
            if stream_id in self._listened:
                self._deadlines.setdefault(stream_id, now + self._grace_seconds)
            return None
        self._deadlines.pop(stream_id, None)
        if stream_id in self._listened:
            return None
        self._listened.add(stream_id)
        return AudienceEvent.FIRST_LISTENER

    def take_due(self, now: float) -> str | None:
        """Return a stream that has lost its last listener by `now`, each once; None if there is no further one."""
        deadline = self.next_time
        if deadline is None or deadline > now:
            return None
        stream_id, _ = self._deadlines.popitem(last=False)
        self._listened.remove(stream_id)
        return stream_id
