"""One opened object."""

from collections.abc import Callable

from asf.adapters.object_store.blocks import BLOCK_BYTES, BlockCache
from asf.adapters.object_store.objects import StoredObject
from asf.domain.errors import AudioUnavailable
from asf.domain.streams.stream import AudioEnding


class ObjectAudioSource:
    """One opened object: implements the `AudioSource` port. It is complete from the start."""

    ending: AudioEnding | None = None

    def __init__(self, audio: StoredObject, blocks: BlockCache) -> None:
        self.audio = audio
        self.size = audio.size
        self.content_type = audio.content_type
        self.identity = audio.identity
        self.on_arrival: Callable[[], None] = _ignore
        self._blocks: BlockCache | None = blocks
        # The blocks that were not there, by the offset of the read that needs them.
        self._fetched: dict[int, range] = {}

    def read(self, offset: int, length: int) -> bytes | None:
        """Return the bytes, or None while they are read from the store. Raises `AudioUnavailable`, `AudioChanged`.

        A read in the second half of a block starts reading the next one.
        """
        if self._blocks is None:
            raise AudioUnavailable("It is closed.")
        stop = offset + length
        if stop > self.size:
            raise AudioUnavailable(f"The object ends at byte {self.size}.")
        parts = []
        is_complete = True
        numbers = range(offset // BLOCK_BYTES, -(-stop // BLOCK_BYTES))
        for number in numbers:
            block = self._blocks.get(self, number, offset)
            if block is None:
                is_complete = False
                continue
            start = number * BLOCK_BYTES
            parts.append(block[max(0, offset - start) : stop - start])
        following = (stop + BLOCK_BYTES // 2) // BLOCK_BYTES
        if following * BLOCK_BYTES >= stop and following * BLOCK_BYTES < self.size:  # In the second half of a block.
            self._blocks.read_ahead(self, following)
        if not is_complete:
            self._fetched[offset] = numbers
            return None
        self._fetched.pop(offset, None)
        return b"".join(parts)

    def is_current(self) -> bool:
        """Return False: that cannot be known without waiting."""
        return False

    def cancel(self, offset: int) -> None:
        """Read no block for `offset` that is not being read yet, unless it is needed elsewhere."""
        for number in self._fetched.pop(offset, ()):
            if self._blocks is not None:
                self._blocks.cancel(self, number, offset)

    def refresh(self) -> int:
        """Return the size: an object does not grow."""
        return self.size

    def measure(self) -> int:
        """Return the size."""
        return self.size

    def finalize(self) -> int:
        """Return the size, which is final."""
        return self.size

    def close(self) -> None:
        """Stop waiting for blocks. A block that is being read is nevertheless cached, for others."""
        for offset in list(self._fetched):
            self.cancel(offset)
        self._blocks = None


def _ignore() -> None:
    pass
