"""The memory that all workers share: one column of counts for each, which that worker alone writes.

So nothing has to be locked. A sum over all workers may be a moment old; each 64-bit number in it is complete.
"""

import os
import tempfile
from enum import IntEnum
from mmap import mmap

WORD = 8
"""Bytes of a number."""

CLEARED_WORDS = 4096
"""Numbers that are looked at together when a worker's are cleared."""


class State(IntEnum):
    """What the worker in a slot does."""

    ABSENT = 0
    STARTING = 1
    READY = 2
    DRAINING = 3


class Row(IntEnum):
    """What is counted of each worker."""

    GENERATION = 0
    """0 when the slot is free. The supervisor writes it."""
    STATE = 1
    CONNECTIONS = 2
    SOCKETIO_CONNECTIONS = 3
    BEGINNINGS = 4
    """Long-polling sessions that have entered no namespace yet."""
    LISTENERS = 5
    RECEIVED = 6
    """Connections that have arrived from other workers: the sum of what those had sent at the last look."""
    EXHAUSTED = 7
    """1 while the worker can open no further file."""
    BEATS = 8
    """Signs of life of its event loop: see `Seat.beat`."""
    CATALOG_CHANGES = 9
    """How often the workers in this slot have changed the catalog."""


LASTING = {Row.RECEIVED, Row.CATALOG_CHANGES}
"""What is not cleared when a worker ends: the next worker in its slot continues with it."""


class AddressRow(IntEnum):
    """What is counted by address."""

    CONNECTIONS = 0
    SOCKETIO_CONNECTIONS = 1
    BEGINNINGS = 2


class WorkerTable:
    """The shared memory of `slots` workers, in the file that is open as `descriptor`.

    `capacity` is the number of addresses that one worker can count, a power of two.
    """

    def __init__(self, descriptor: int, slots: int, capacity: int) -> None:
        self.slots = slots
        self.capacity = capacity
        self.descriptor = descriptor
        self._memory = mmap(descriptor, size_of(slots, capacity))
        words = memoryview(self._memory).cast("Q")
        self._rows = [words[row * slots : (row + 1) * slots] for row in range(len(Row) + slots)]
        self._addresses = words[(len(Row) + slots) * slots :]

    def get(self, row: Row, slot: int) -> int:
        """Return a worker's count."""
        return self._rows[row][slot]

    def set(self, row: Row, slot: int, value: int) -> None:
        """Set a worker's count. Only that worker, or the supervisor while there is none, may call it."""
        self._rows[row][slot] = value

    def count(self, row: Row, slot: int) -> None:
        """Add one to a worker's count. Only that worker may call it."""
        self._rows[row][slot] += 1

    def total(self, row: Row) -> int:
        """Return the sum over all workers."""
        return sum(self._rows[row])

    def note_sent(self, sender: int, receiver: int, change: int) -> None:
        """Change the number of connections that one worker has sent to another. Only the sender may call it."""
        self._rows[len(Row) + receiver][sender] += change

    def sent_to(self, receiver: int) -> int:
        """Return how many connections all workers have sent to one."""
        return sum(self._rows[len(Row) + receiver])

    def under_way_to(self, receiver: int) -> int:
        """Return how many connections were sent to a worker and have not arrived."""
        return max(0, self.sent_to(receiver) - self._rows[Row.RECEIVED][receiver])

    def addresses(self, row: AddressRow, slot: int) -> memoryview:
        """Return the part in which a worker counts by address: pairs of a key and a count."""
        start = (row * self.slots + slot) * 2 * self.capacity
        return self._addresses[start : start + 2 * self.capacity]

    def clear(self, slot: int) -> None:
        """Forget what a worker has counted that has ended. What it has sent, and what is `LASTING`, stays."""
        for row in Row:
            if row not in LASTING:
                self._rows[row][slot] = 0
        for kind in AddressRow:
            counts = self.addresses(kind, slot)
            for start in range(0, len(counts), CLEARED_WORDS):
                piece = counts[start : start + CLEARED_WORDS]
                if any(piece):  # Writing would take memory for pages that were never used.
                    piece[:] = memoryview(bytes(piece.nbytes)).cast("Q")


def size_of(slots: int, capacity: int) -> int:
    """Return the size of the memory, in bytes. Pages that are never used take no memory."""
    return WORD * slots * (len(Row) + slots + len(AddressRow) * 2 * capacity)


def create_file(size: int) -> int:
    """Return the descriptor of a file of zeros without a name, which other programs do not inherit."""
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("asf-workers", os.MFD_CLOEXEC)
    else:
        with tempfile.TemporaryFile() as file:
            descriptor = os.dup(file.fileno())
    os.ftruncate(descriptor, size)
    return descriptor
