"""How the client of one connection takes what it is sent: whether it reads, however slowly."""

import time
from collections.abc import Callable

from asf.adapters.runtime import Progress
from asf.domain.streaming.intake import Intake, longest_silence

BEHIND_BYTES = 16 * 1024
"""With so much that it may not have read yet, a client may answer late, as it reads what it is asked after that."""


class ClientIntake:
    """Tells a client that reads slowly from one that has stopped reading, or has vanished.

    `progress` returns how far its machine has taken what was sent. A machine acknowledges what its programs have not
    read, as far as it has memory; the answer to a ping shows that the client has read what came before the ping.
    """

    __slots__ = ("_acknowledged", "_acknowledged_at_ping", "_progress", "_read", "_since")

    def __init__(self, progress: Callable[[], Progress]) -> None:
        self._progress = progress
        # What was acknowledged at the last look, and since when (seconds, monotonic); what of it is known to be read.
        self._acknowledged = self._read = self._acknowledged_at_ping = progress().acknowledged
        self._since = time.monotonic()

    def look(self) -> Intake:
        """Look how much the client has taken."""
        progress = self._progress()
        self._look(progress)
        return Intake(self._acknowledged, self._unread, progress.answers)

    def note_ping(self, *, is_answered: bool) -> None:
        """Record that a ping is sent. `is_answered` says whether the client has answered the one before."""
        self._look(self._progress())
        if is_answered:
            self._read = self._acknowledged_at_ping
        self._acknowledged_at_ping = self._acknowledged

    def is_taking(self, period: float) -> bool:
        """Return whether the client may be reading what it was sent.

        Its machine has acknowledged something since the last look, or within `period` seconds, or within the time
        that one that reads slowly needs for what its machine holds.
        """
        progress = self._progress()
        if self._look(progress):
            return True
        if not progress.answers:  # It is not the client that does not read: the machine is silent.
            return False
        return time.monotonic() - self._since < longest_silence(period, self._unread)

    def is_behind(self, period: float) -> bool:
        """Return whether the client reads so slowly that it may not have read the latest ping: see `is_taking`."""
        is_taking = self.is_taking(period)
        return is_taking and self._unread >= BEHIND_BYTES

    @property
    def _unread(self) -> int:
        return max(0, self._acknowledged - self._read)

    def _look(self, progress: Progress) -> bool:
        """Return whether something was acknowledged since the last look."""
        if progress.acknowledged == self._acknowledged:
            return False
        self._acknowledged = progress.acknowledged
        self._since = time.monotonic()
        return True
