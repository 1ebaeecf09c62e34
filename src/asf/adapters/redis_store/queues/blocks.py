"""Audio of queues in memory, in blocks of a fixed size."""

from collections.abc import Hashable

from cachetools import LRUCache

BLOCK_BYTES = 64 * 1024
"""Audio is cached and fetched in blocks of this size, counted from byte 0."""

MIN_BLOCKS = 32
"""Minimum capacity of the cache: all blocks of one read must fit at the same time."""


class BlockCache:
    """Complete blocks of all queues: at most `max_bytes`, but at least 2 MiB. Evicts the least recently used."""

    def __init__(self, max_bytes: int) -> None:
        size = max(MIN_BLOCKS * BLOCK_BYTES, max_bytes)
        self._blocks: LRUCache[tuple[Hashable, int], bytes] = LRUCache(size, getsizeof=len)

    def __len__(self) -> int:
        """Return the number of cached blocks."""
        return len(self._blocks)

    def get(self, owner: Hashable, number: int) -> bytes | None:
        """Return a block of a queue, if it is cached."""
        try:
            return self._blocks[owner, number]
        except KeyError:
            return None

    def put(self, owner: Hashable, number: int, block: bytes) -> None:
        """Cache a block of a queue."""
        self._blocks[owner, number] = block

    def forget(self, owner: Hashable, count: int) -> None:
        """Drop the first `count` blocks of a queue, as far as they are cached."""
        for number in range(count):
            self._blocks.pop((owner, number), None)
