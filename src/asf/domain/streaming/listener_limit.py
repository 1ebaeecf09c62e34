"""The limit of concurrent listeners, of whom others may serve some."""

from collections.abc import Callable


def _nobody() -> int:
    return 0


def _unnoted(_count: int) -> None:
    return None


class ListenerLimit:
    """At most `most` listeners in total: our own, and those that `elsewhere` returns. `note` receives our number.

    A listener is noted before the sum is taken. So of two that join at the same moment, in two processes, at most one
    is accepted if there may be one more.
    """

    def __init__(
        self, most: int, elsewhere: Callable[[], int] = _nobody, note: Callable[[int], object] = _unnoted
    ) -> None:
        self.most = most
        self._elsewhere = elsewhere
        self._note = note

    def admits(self, count: int) -> bool:
        """Return whether there may be one listener more than the `count` that we have; then it is noted."""
        self._note(count + 1)
        if count + 1 + self._elsewhere() <= self.most:
            return True
        self._note(count)
        return False

    def release(self, count: int) -> None:
        """Note that we have `count` listeners after one has left."""
        self._note(count)
