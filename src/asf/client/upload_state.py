"""State of an upload: the bytes that may still have to be sent, and when to ask what has arrived. No I/O.

Offsets count bytes from the beginning of the audio.
"""

from asf.client.errors import RequestRejected, ServerUnreachable
from asf.client.upload_calls import Arrived

MAX_RETAINED_BYTES = 4 << 20
"""Bytes that are kept because the server is not known to have them: four minutes of audio at 128 kbit/s."""

PIECE_BYTES = 64 * 1024
"""Bytes that are sent at once, at most."""

CHECK_SECONDS = 5.0
"""Pause between two questions what has arrived, while audio is written."""

QUICK_CHECK_SECONDS = 1.0
"""The same while nothing arrives, or there is no answer; and the time that a first piece has to arrive."""

FULL_CHECK_SECONDS = 0.05
"""The same while half of what may be retained is, and at the end. It doubles, up to `QUICK_CHECK_SECONDS`, each time
that less than `MUCH_BYTES` have arrived: over a slow line, more questions would not help."""

MUCH_BYTES = MAX_RETAINED_BYTES // 8
"""Bytes that arrive between two questions over a fast line."""

REPEATED_BYTES = 256 * 1024
"""Bytes that are sent again in one request: few enough for the timeout of a request over a slow line."""

STUCK_SECONDS = 3.0
"""After this time without a byte that arrives, though the server answers, the connection is taken for broken."""

UNANSWERED_SECONDS = 10.0
"""After this time without an answer that is waited for, the request that is being sent is given up likewise."""


class UploadState:
    """What is written, sent and acknowledged of an upload that starts at byte `offset`.

    `total_bytes` have been written and `sent` handed to a request; the server has the first `acknowledged` ones. The
    rest is retained, at most `MAX_RETAINED_BYTES`. With `is_ended`, nothing more is written. Not thread-safe.
    """

    def __init__(self, offset: int = 0) -> None:
        self.acknowledged = offset
        self.sent = offset
        self.total_bytes = offset
        self.is_ended = False
        self._retained = bytearray()

    @property
    def room(self) -> int:
        """How many bytes may be written now."""
        return MAX_RETAINED_BYTES - len(self._retained)

    @property
    def is_delivered(self) -> bool:
        """Whether the server has all that was written."""
        return self.acknowledged == self.total_bytes

    def write(self, audio: memoryview) -> int:
        """Take as many bytes of `audio` as there is room for, and return how many."""
        taken = audio[: self.room]
        self._retained += taken
        self.total_bytes += len(taken)
        return len(taken)

    def take(self) -> bytes:
        """Return the next piece to send, empty if there is none."""
        start = self.sent - self.acknowledged
        piece = bytes(self._retained[start : start + PIECE_BYTES])
        self.sent += len(piece)
        return piece

    def in_doubt(self) -> bytes:
        """Return the first bytes that were sent and are not acknowledged, at most `REPEATED_BYTES`."""
        return bytes(self._retained[: min(self.sent - self.acknowledged, REPEATED_BYTES)])

    def acknowledge(self, offset: int) -> bool:
        """Drop what the server has: all before `offset`. Returns whether that is more than was known.

        An older offset changes nothing. Raises `RequestRejected` if the server has bytes that were not sent.
        """
        if offset > self.sent:
            raise taken_over()
        if offset <= self.acknowledged:
            return False
        del self._retained[: offset - self.acknowledged]
        self.acknowledged = offset
        return True

    def resume_at(self, offset: int) -> bool:
        """Drop what the server has, now that a connection is lost. Returns what `acknowledge` does, and raises that.

        Raises `ServerUnreachable` if the server has fewer bytes than it has acknowledged: they cannot be repeated.
        """
        if offset < self.acknowledged:
            message = f"The server has only {offset} of the {self.acknowledged} bytes that it has acknowledged."
            raise ServerUnreachable(message)
        return self.acknowledge(offset)


class ArrivalChecks:
    """When to ask what has arrived of an upload, and whether its connection is taken for broken.

    Times are in seconds of one monotonic clock.
    """

    def __init__(self, state: UploadState) -> None:
        self._state = state
        self._asked_at = float("-inf")
        self._waits_since: float | None = None
        self._stuck_since: float | None = None
        self._unanswered_since: float | None = None
        self._is_in_doubt = False
        self._full_pause = FULL_CHECK_SECONDS

    def sent(self, now: float) -> None:
        """Take note that a piece was sent."""
        if self._waits_since is None:
            self._waits_since = now

    def reset(self) -> None:
        """Start over with another connection."""
        self._waits_since = self._stuck_since = self._unanswered_since = None
        self._is_in_doubt = False
        self._full_pause = FULL_CHECK_SECONDS

    def next_at(self, *, hurry: bool = False) -> float | None:
        """Return when to ask; None if there is nothing to ask for. With `hurry` as often as is sensible."""
        if self._waits_since is None:
            return None
        if hurry or self._state.room < MAX_RETAINED_BYTES // 2:
            return self._asked_at + self._full_pause
        if self._is_in_doubt:
            return self._asked_at + QUICK_CHECK_SECONDS
        return max(self._asked_at + CHECK_SECONDS, self._waits_since + QUICK_CHECK_SECONDS)

    def is_bearable(self, now: float, *, hurry: bool = False) -> bool:
        """Take note of a question without an answer. Returns False if the request must be given up.

        That is so if there was no answer for long though one is waited for: with `hurry`, or if nothing more can be
        written. Otherwise it says nothing about the connection.
        """
        self._asked_at = now
        self._stuck_since = None
        self._is_in_doubt = True
        if self._unanswered_since is None:
            self._unanswered_since = now
        is_awaited = hurry or not self._state.room
        return not is_awaited or now - self._unanswered_since < UNANSWERED_SECONDS

    def is_sound(self, arrived: Arrived | None, now: float) -> bool:
        """Acknowledge what has arrived. Returns False if the request that is being sent must be given up.

        That is so if the connection is broken, or if the server has something other than what was sent: the next
        request will return the reason.
        """
        self._asked_at = now
        self._unanswered_since = None
        before = self._state.acknowledged
        try:
            has_progress = arrived is not None and self._state.acknowledge(arrived.offset)
        except RequestRejected:
            return False
        if arrived is None or (arrived.is_complete and not self._state.is_ended):
            return False
        has_much = self._state.acknowledged - before >= MUCH_BYTES
        self._full_pause = FULL_CHECK_SECONDS if has_much else min(2 * self._full_pause, QUICK_CHECK_SECONDS)
        if self._state.acknowledged == self._state.sent:
            self.reset()
        elif has_progress:
            self._stuck_since = None
            self._is_in_doubt = False
        elif self._stuck_since is None:
            self._stuck_since = now
            self._is_in_doubt = True
        return self._stuck_since is None or now - self._stuck_since < STUCK_SECONDS


def taken_over() -> RequestRejected:
    """Return the error of an upload to which another program has added."""
    body = {"error_code": "ASF_UPLOAD_TAKEN_OVER", "message": "Another program continues this upload."}
    return RequestRejected(body)
