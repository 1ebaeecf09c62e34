"""One track as its listeners receive it: which of them needs which cues next, and the task that reads them."""

from collections.abc import Callable
from math import inf

from asf.domain.cues.cursor import CueCursor
from asf.domain.cues.piece_cache import PieceCache
from asf.domain.cues.ports import CueStore
from asf.domain.cues.track import CuePiece
from asf.domain.errors import CuesUnavailable

MAX_PIECE_CUES = 500
"""Maximum number of cues in one message (docs/contract.md, section 9)."""

MAX_PIECE_BYTES = 32 * 1024
"""Bytes of cues in one message, unless the first one alone has more: so much is kept for a blocked listener."""

RETRY_SECONDS = 0.5
"""Pause before cues are read again that could not be read."""


class CueFeed:
    """The cursors in one track, and a task that reads what they wait for, while there is something.

    Those at the same position get the same piece. `end` is the number of the last cue, or infinite while it is
    not known. `has_failed`: cues cannot be read now. `on_unused` is called when the last cursor is closed.
    """

    def __init__(
        self,
        stream_id: str,
        epoch: str,
        store: CueStore,
        cache: PieceCache,
        spawn: Callable[[Callable[[], object]], object],
        checkpoint: Callable[[], object],
        pause: Callable[[float], object],
        on_unused: Callable[["CueFeed"], object],
    ) -> None:
        self.stream_id = stream_id
        self.epoch = epoch
        self.end: float = inf
        self.has_failed = False
        self._store = store
        self._cache = cache
        self._spawn = spawn
        self._checkpoint = checkpoint
        self._pause = pause
        self._on_unused = on_unused
        self._cursors = 0
        # By position, in the order in which they came there.
        self._waiting: dict[int, dict[CueCursor, None]] = {}
        self._is_reading = False
        self._changes = 0

    def open(self, since: int, wake: Callable[[], object]) -> CueCursor:
        """Return a new cursor, behind the cue with the number `since`."""
        self._cursors += 1
        return CueCursor(self, since, wake)

    def add(self, cursor: CueCursor) -> None:
        """Offer the cursor the piece at its position as soon as there is one."""
        self._waiting.setdefault(cursor.position, {})[cursor] = None
        if cursor.position == self.end:
            cursor.confirm(self.end)
        self._read_soon()

    def remove(self, cursor: CueCursor) -> None:
        """Remove a cursor that is closed."""
        waiting = self._waiting.get(cursor.position)
        if waiting is not None:
            waiting.pop(cursor, None)
            if not waiting:
                del self._waiting[cursor.position]
        self._cursors -= 1
        if not self._cursors:
            self._on_unused(self)

    def change(self) -> None:
        """Record that there may be new cues. Does not wait."""
        self.end = inf
        self._changes += 1
        self._read_soon()

    def _read_soon(self) -> None:
        if not self._is_reading and self._next_position() is not None:
            self._is_reading = True
            self._spawn(self._run)

    def _next_position(self) -> int | None:
        return next((position for position in self._waiting if position != self.end), None)

    def _run(self) -> None:
        """Read until no cursor waits for cues that there are."""
        try:
            while (position := self._next_position()) is not None:
                self._serve(position)
        finally:
            self._is_reading = False

    def _serve(self, position: int) -> None:
        try:
            piece, end = self._read(position)
        except CuesUnavailable:
            self.has_failed = True
            for cursor in [cursor for waiting in self._waiting.values() for cursor in waiting]:
                cursor.wake_at_end()
            self._pause(RETRY_SECONDS)
            return
        self.has_failed = False
        cursors = self._waiting.get(position, {})
        if piece is not None:
            self._waiting.pop(position, None)
            for cursor in cursors:
                cursor.confirm(end)
                cursor.offer(piece)
                self._checkpoint()
        elif end < position:
            self._waiting.pop(position, None)
            for cursor in cursors:
                cursor.rewind(int(end))
                self._waiting.setdefault(cursor.position, {})[cursor] = None
        else:
            for cursor in list(cursors):
                cursor.confirm(end)
                cursor.wake_at_end()

    def _read(self, position: int) -> tuple[CuePiece | None, float]:
        """Return the piece behind `position`, or None if there is none, and the number of the last cue, if known.

        Raises `CuesUnavailable`.
        """
        key = (self.stream_id, self.epoch, position)
        piece = self._cache.get(key)
        if piece is not None:
            return piece, self.end
        changes = self._changes
        page = self._store.page(*key, MAX_PIECE_CUES, MAX_PIECE_BYTES)
        if changes == self._changes:
            self.end = page.latest
        if not page.cues:
            return None, page.latest
        last = page.cues[-1].seq
        piece = CuePiece(self.stream_id, self.epoch, last, f"[{','.join(cue.json for cue in page.cues)}]")
        if last < page.latest:  # It will not become longer.
            self._cache.put(key, piece)
        return piece, page.latest
