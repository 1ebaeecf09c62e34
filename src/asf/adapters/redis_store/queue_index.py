"""What a process knows of the queues that it has open: how long they are, where what is in them, and some of it."""

from collections import OrderedDict
from collections.abc import Hashable, Iterable, Sequence

from asf.adapters.redis_store.queue_entries import BEFORE_ALL, Piece
from asf.domain.errors import AudioChanged, AudioUnavailable
from asf.domain.streams.stream import AudioEnding, StreamState

BLOCK_BYTES = 64 * 1024
"""Audio is kept and fetched in blocks of this size, counted from byte 0."""

BEGINNING_BYTES = 1024
"""How much of the beginning is kept besides, as it tells of what type the audio is."""


LEAST_BLOCKS = 32
"""How many blocks are kept in any case: what one read wants has to be there at the same time."""


class Blocks:
    """Whole blocks of all queues: at most `max_bytes` (but 2 MiB at least), those unused for longest go first."""

    def __init__(self, max_bytes: int) -> None:
        self._max_blocks = max(LEAST_BLOCKS, max_bytes // BLOCK_BYTES)
        self._blocks: OrderedDict[tuple[Hashable, int], bytes] = OrderedDict()

    def __len__(self) -> int:
        """Return how many blocks are kept."""
        return len(self._blocks)

    def get(self, owner: Hashable, number: int) -> bytes | None:
        """Return a block of a queue, if it is kept."""
        block = self._blocks.get((owner, number))
        if block is not None:
            self._blocks.move_to_end((owner, number))
        return block

    def put(self, owner: Hashable, number: int, block: bytes) -> None:
        """Keep a block of a queue."""
        self._blocks[owner, number] = block
        self._blocks.move_to_end((owner, number))
        while len(self._blocks) > self._max_blocks:
            self._blocks.popitem(last=False)

    def forget(self, owner: Hashable, count: int) -> None:
        """Let go of the first `count` blocks of a queue, as far as they are kept."""
        for number in range(count):
            self._blocks.pop((owner, number), None)


class QueueIndex:
    """One making of a queue: its entries in their order, as far as they were read.

    `head` is the mark of its first entry, which tells it from any other making under the same name. `last_id` is the
    entry that was read last, and `indexed` how many bytes there are up to it. `size` is how many bytes can be had,
    which may be more once the end was seen. `beginning` is some of the first bytes, `ending` is how it has ended, and
    `problem` why no more of it can be had.

    A repeat, an entry with bytes that are there already, adds nothing: whoever puts pieces in may put one in again
    that was not confirmed.
    """

    def __init__(self, blocks: Blocks) -> None:
        self._blocks = blocks
        self.head: bytes | None = None
        self.last_id = BEFORE_ALL
        self.indexed = 0
        self.size = 0
        self.ending: AudioEnding | None = None
        self.problem: AudioUnavailable | None = None
        self.beginning = b""
        self._places: list[bytes] = []  # Of each block, the entry that its first byte lies in.
        self._tail = bytearray()  # The last block, which is not whole yet.
        self._placed = 0  # Of so many bytes it is known in which entries they are.
        self._entries = 0
        self._end_read = False
        self._is_cut = False  # It ends where it was decided, whatever it says itself.

    @property
    def grows(self) -> bool:
        """Whether more may come."""
        return self.ending is None and self.problem is None

    @property
    def whole_blocks(self) -> int:
        """How many whole blocks have been indexed."""
        return self.indexed // BLOCK_BYTES

    @property
    def entries_per_block(self) -> int:
        """How many entries a block takes, by those that were read."""
        return self._entries * BLOCK_BYTES // self.indexed + 1 if self.indexed else 1

    def place(self, number: int) -> bytes:
        """Return the id of the entry that the first byte of an indexed block lies in."""
        return self._places[number]

    def foresee(self, pieces: Iterable[Piece]) -> None:
        """Take note of the end, if it is among `pieces`, which were read ahead of what lies in between."""
        for piece in pieces:
            if piece.ending is not None and piece.offset >= self.indexed and self.grows:
                self.ending = piece.ending
                self.size = piece.offset

    def end_with(self, pieces: Iterable[Piece]) -> None:
        """Let the queue end where it ends now, with `pieces` the last of it, even if it does not say so."""
        if self.grows:
            self._is_cut = True
            self.ending = AudioEnding(StreamState.FAILED)
            self.size = max([self.indexed, *(piece.offset + len(piece.audio) for piece in pieces)])

    def continues_with(self, pieces: Iterable[Piece]) -> bool:
        """Tell whether each of `pieces` begins where the one before has ended."""
        position = self.indexed
        for piece in pieces:
            if piece.offset != position or piece.problem is not None:
                return False
            position += len(piece.audio)
        return True

    def take(self, pieces: Iterable[Piece]) -> None:
        """Index pieces that follow `last_id`. One that fits nowhere is a `problem`; behind the end none counts."""
        for piece in pieces:
            if self._end_read or self.problem is not None:
                return
            if self.head is None:
                self.head = piece.mark
            self.last_id = piece.entry_id
            self._entries += 1
            self.problem = self._take(piece)

    def read_again(self) -> None:
        """Let all entries be read again, from the first on, as Redis has lost some of the last ones.

        Those that it has are repeats, and those that come in the place of what was lost may have smaller ids.
        """
        self.last_id = BEFORE_ALL
        self._placed = self._entries = 0

    def read(self, offset: int, length: int) -> bytes | list[int]:
        """Return the bytes, or the numbers of the blocks that have to be fetched first."""
        numbers = range(offset // BLOCK_BYTES, -(-(offset + length) // BLOCK_BYTES))
        blocks: list[bytes | bytearray] = []
        missing = []
        for number in numbers:
            is_tail = number == self.whole_blocks and (offset + length) <= self.indexed
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
        """Keep the whole blocks in `data`, which begins with one at `offset`."""
        first = offset // BLOCK_BYTES
        for number in range(first, first + len(data) // BLOCK_BYTES):
            start = number * BLOCK_BYTES - offset
            self._blocks.put(self, number, bytes(data[start : start + BLOCK_BYTES]))

    def forget(self) -> None:
        """Let go of what is kept of it."""
        self._blocks.forget(self, len(self._places))

    def _take(self, piece: Piece) -> AudioUnavailable | None:
        if piece.problem is not None:
            return AudioUnavailable(piece.problem)
        if piece.offset > self.indexed:
            return AudioUnavailable(f"The queue has no bytes {self.indexed} to {piece.offset - 1}.")
        if piece.ending is not None:
            return self._end(piece.offset, piece.ending)
        self._place(piece)
        fresh = piece.audio[self.indexed - piece.offset :]
        if fresh:
            self._append(fresh)
        if self.ending is None:
            self.size = self.indexed
        elif self.indexed > self.size and not self._is_cut:
            return AudioChanged(f"The queue ended at byte {self.size}, and has more.")
        return None

    def _end(self, offset: int, ending: AudioEnding) -> AudioUnavailable | None:
        self._end_read = True
        if self._is_cut:
            return None
        if self.ending is not None:  # As foreseen.
            return None if offset == self.size else AudioChanged(f"The queue ends at byte {offset} and {self.size}.")
        if offset < self.indexed:
            return AudioUnavailable(f"The queue ends at byte {offset}, and has {self.indexed}.")
        self.ending = ending
        return None

    def _place(self, piece: Piece) -> None:
        """Take note of the blocks that begin in an entry, and in none before it."""
        start, stop = max(piece.offset, self._placed), piece.offset + len(piece.audio)
        for number in range(-(-start // BLOCK_BYTES), -(-stop // BLOCK_BYTES)):
            self._places[number : number + 1] = [piece.entry_id]
        self._placed = max(self._placed, stop)

    def _append(self, data: bytes) -> None:
        tail = self._tail
        self.indexed += len(data)
        if len(self.beginning) < BEGINNING_BYTES:
            self.beginning = (self.beginning + data)[:BEGINNING_BYTES]
        tail += data
        if len(tail) >= BLOCK_BYTES:
            self.keep(self.indexed - len(tail), tail)
            del tail[: len(tail) // BLOCK_BYTES * BLOCK_BYTES]


def stitch(pieces: Sequence[Piece], position: int) -> bytes:
    """Return the bytes from `position` on that `pieces` of an indexed queue have. Raises `AudioChanged` for a gap."""
    parts = []
    for piece in pieces:
        if piece.problem is not None or piece.offset > position:
            raise AudioChanged("The queue has other entries than it had.")
        fresh = piece.audio[position - piece.offset :]
        parts.append(fresh)
        position += len(fresh)
    return b"".join(parts)
