"""How the client of one connection takes what it is sent: whether it reads, however slowly."""

import time
from collections.abc import Callable

from asf.adapters.runtime import Progress
from asf.domain.streaming.intake import Intake, longest_reading, longest_silence

BEHIND_BYTES = 8 * 1024
"""With so much that its machine has and it may not have read, a client may answer late, as it reads what it is asked
after that: four seconds at the slowest rate."""


class ClientIntake:
    """Tells a client that reads slowly from one that has stopped reading, or has vanished.

    `progress` returns how far its machine has taken what was sent. A machine acknowledges what its programs have not
    read, as far as it has memory; what the client answers shows what it has read: see `mark`.
    """

    __slots__ = ("_acknowledged", "_progress", "_read", "_since")

    def __init__(self, progress: Callable[[], Progress]) -> None:
        self._progress = progress
        # What was acknowledged at the last look, what of it is known to be read, and since when (seconds, monotonic).
        self._acknowledged = self._read = progress().acknowledged
        self._since = time.monotonic()

    def look(self) -> Intake:
        """Look how much the client has taken."""
        progress = self._progress()
        self._look(progress)
        return Intake(self._acknowledged, self._unread, progress.answers)

    def mark(self) -> int:
        """Return a mark for a question that is sent now, such as a ping: see `note_answer`."""
        self._look(self._progress())
        return self._acknowledged

    def note_answer(self, mark: int) -> None:
        """Record that the client has answered the question with this mark. So it has read all that came before it.

        The answer to an earlier question proves less: a client that reads slowly answers late.
        """
        if mark > self._read:
            self._read = mark
            self._since = time.monotonic()

    def is_taking(self, period: float) -> bool:
        """Return whether the client may be reading what it was sent.

        Its machine has acknowledged something since the last look. Or it has, or the client has answered, within
        `period` seconds, or within the time that one that reads slowly needs for what its machine holds.
        """
        return self._is_taking(self._progress(), period)

    def is_behind(self, period: float) -> bool:
        """Return whether the client may be reading and not have read the latest question yet: see `is_taking`."""
        progress = self._progress()
        is_taking = self._is_taking(progress, period)
        return is_taking and (not progress.has_all or self._unread >= BEHIND_BYTES)

    def _is_taking(self, progress: Progress, period: float) -> bool:
        if self._look(progress):
            return True
        if not progress.answers:  # It is not the client that does not read: the machine is silent.
            return False
        longest = longest_reading if progress.has_all else longest_silence
        return time.monotonic() - self._since < longest(period, self._unread)

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
