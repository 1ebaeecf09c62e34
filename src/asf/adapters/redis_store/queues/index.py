"""The index of one queue: its length, which entry has which bytes, and its last bytes."""

from collections.abc import Iterable, Sequence

from asf.adapters.redis_store.queues.blocks import BLOCK_BYTES, BlockCache
from asf.adapters.redis_store.queues.entries import BEFORE_ALL, Piece
from asf.domain.errors import AudioChanged, AudioUnavailable
from asf.domain.streams.stream import AudioEnding, StreamState

BEGINNING_BYTES = 1024
"""Number of first bytes that are kept in addition: they identify the media type."""


class QueueIndex:
    """One version of a queue: its entries in order, as far as they were read.

    `head` is the mark of its first entry, which tells it from a queue that is created under the same name later.
    `last_id` is the entry that was read last, `indexed` the number of bytes up to it. `size` is how many bytes can be
    read: more than `indexed` once the end is known. `beginning` has some of the first bytes, `ending` is how the
    queue ended, and `problem` why no more of it can be read.

    A repeat, an entry whose bytes were indexed before, adds nothing: a producer may add a piece again if it missed
    the confirmation.
    """

    def __init__(self, blocks: BlockCache) -> None:
        self._blocks = blocks
        self.head: bytes | None = None
        self.last_id = BEFORE_ALL
        self.indexed = 0
        self.size = 0
        self.ending: AudioEnding | None = None
        self.problem: AudioUnavailable | None = None
        self.beginning = b""
        self._entry_ids: list[bytes] = []  # For each block, the entry that has its first byte.
        self._tail = bytearray()  # The last block, which is not complete yet.
        self._located = 0  # Number of bytes whose entries are known.
        self._entries = 0
        self._end_read = False
        self._is_cut = False  # Ends where `end_with` decided, whatever its entries say.

    @property
    def grows(self) -> bool:
        """Whether it may still grow."""
        return self.ending is None and self.problem is None

    @property
    def complete_blocks(self) -> int:
        """How many complete blocks have been indexed."""
        return self.indexed // BLOCK_BYTES

    @property
    def entries_per_block(self) -> int:
        """Average number of entries of one block."""
        return self._entries * BLOCK_BYTES // self.indexed + 1 if self.indexed else 1

    def entry_of(self, number: int) -> bytes:
        """Return the id of the entry that has the first byte of an indexed block."""
        return self._entry_ids[number]

    def foresee(self, pieces: Iterable[Piece]) -> None:
        """Record the end if `pieces`, read from the queue's tail, contain it."""
        for piece in pieces:
            if piece.ending is not None and piece.offset >= self.indexed and self.grows:
                self.ending = piece.ending
                self.size = piece.offset

    def end_with(self, pieces: Iterable[Piece]) -> None:
        """End the queue after `pieces`, its last ones now, even if they have no end."""
        if self.grows:
            self._is_cut = True
            self.ending = AudioEnding(StreamState.FAILED)
            self.size = max([self.indexed, *(piece.offset + len(piece.audio) for piece in pieces)])

    def continues_with(self, pieces: Iterable[Piece]) -> bool:
        """Return whether each of `pieces` starts where the one before ends."""
        offset = self.indexed
        for piece in pieces:
            if piece.offset != offset or piece.problem is not None:
                return False
            offset += len(piece.audio)
        return True

    def take(self, pieces: Iterable[Piece]) -> None:
        """Index pieces that follow `last_id`. A gap is a `problem`; pieces after the end are ignored."""
        for piece in pieces:
            if self._end_read or self.problem is not None:
                return
            if self.head is None:
                self.head = piece.mark
            self.last_id = piece.entry_id
            self._entries += 1
            self.problem = self._take(piece)

    def read_again(self) -> None:
        """Read all entries again, from the first one, because Redis has lost some of the last ones.

        Those that it still has are repeats, and those that replace the lost ones may have smaller ids.
        """
        self.last_id = BEFORE_ALL
        self._located = self._entries = 0

    def read(self, offset: int, length: int) -> bytes | list[int]:
        """Return the bytes, or the numbers of the blocks that must be fetched first."""
        numbers = range(offset // BLOCK_BYTES, -(-(offset + length) // BLOCK_BYTES))
        blocks: list[bytes | bytearray] = []
        missing = []
        for number in numbers:
            is_tail = number == self.complete_blocks and (offset + length) <= self.indexed
            block = self._tail if is_tail else self._blocks.get(self, number)
            if block is None:
                missing.append(number)
            else:
                blocks.append(block)
        if missing:
            return missing
        start = offset % BLOCK_BYTES
        if len(blocks) == 1:
            return bytes(blocks[0][start : start + length])
        return b"".join(blocks)[start : start + length]

    def keep(self, offset: int, data: bytes | bytearray) -> None:
        """Cache the complete blocks in `data`, which starts with one at `offset`."""
        first = offset // BLOCK_BYTES
        for number in range(first, first + len(data) // BLOCK_BYTES):
            start = number * BLOCK_BYTES - offset
            self._blocks.put(self, number, bytes(data[start : start + BLOCK_BYTES]))

    def forget(self) -> None:
        """Drop its cached blocks."""
        self._blocks.forget(self, len(self._entry_ids))

    def _take(self, piece: Piece) -> AudioUnavailable | None:
        if piece.problem is not None:
            return AudioUnavailable(piece.problem)
        if piece.offset > self.indexed:
            return AudioUnavailable(f"The queue is missing bytes {self.indexed} to {piece.offset - 1}.")
        if piece.ending is not None:
            return self._end(piece.offset, piece.ending)
        self._locate(piece)
        fresh = piece.audio[self.indexed - piece.offset :]
        if fresh:
            self._append(fresh)
        if self.ending is None:
            self.size = self.indexed
        elif self.indexed > self.size and not self._is_cut:
            return AudioChanged(f"The queue has audio beyond its end at byte {self.size}.")
        return None

    def _end(self, offset: int, ending: AudioEnding) -> AudioUnavailable | None:
        self._end_read = True
        if self._is_cut:
            return None
        if self.ending is not None:  # As foreseen.
            return (
                None
                if offset == self.size
                else AudioChanged(f"The queue has two ends, at bytes {self.size} and {offset}.")
            )
        if offset < self.indexed:
            return AudioUnavailable(f"The queue has audio beyond its end at byte {offset}.")
        self.ending = ending
        return None

    def _locate(self, piece: Piece) -> None:
        """Record the blocks that start in this entry, and in none before it."""
        start, stop = max(piece.offset, self._located), piece.offset + len(piece.audio)
        for number in range(-(-start // BLOCK_BYTES), -(-stop // BLOCK_BYTES)):
            self._entry_ids[number : number + 1] = [piece.entry_id]
        self._located = max(self._located, stop)

    def _append(self, data: bytes) -> None:
        tail = self._tail
        self.indexed += len(data)
        if len(self.beginning) < BEGINNING_BYTES:
            self.beginning = (self.beginning + data)[:BEGINNING_BYTES]
        tail += data
        if len(tail) >= BLOCK_BYTES:
            self.keep(self.indexed - len(tail), tail)
            del tail[: len(tail) // BLOCK_BYTES * BLOCK_BYTES]


def join_pieces(pieces: Sequence[Piece], offset: int) -> bytes:
    """Return the bytes from `offset` that `pieces` of an indexed queue contain. Raises `AudioChanged` for a gap."""
    parts = []
    for piece in pieces:
        if piece.problem is not None or piece.offset > offset:
            raise AudioChanged("The entries of the queue have changed.")
        fresh = piece.audio[offset - piece.offset :]
        parts.append(fresh)
        offset += len(fresh)
    return b"".join(parts)
