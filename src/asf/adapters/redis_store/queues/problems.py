"""Why a queue cannot be read, as errors for its listeners."""

from asf.domain.errors import AudioChanged, AudioUnavailable


def not_a_queue() -> AudioUnavailable:
    """Return the error for a key of another type."""
    return AudioUnavailable("The Redis key of this queue is not a stream.")


def recreated() -> AudioChanged:
    """Return the error for a queue that starts with another entry than before."""
    return AudioChanged("The queue was recreated, or its first entries were deleted.")


def missing() -> AudioChanged:
    """Return the error for a queue that had entries and has none now."""
    return AudioChanged("The queue was deleted, has expired, or was lost by Redis.")


def head_problem(head: bytes, known: bytes | None) -> AudioUnavailable | None:
    """Return the problem of a queue whose first mark was `known` (None: it was empty) and is `head` now, or None."""
    if head.startswith(b"!"):
        return not_a_queue()
    if known is None or head == known:
        return None
    return recreated() if head else missing()
