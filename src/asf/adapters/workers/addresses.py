"""Counts by address that all workers share, in a hash table of each worker's own."""

from hashlib import blake2b

from asf.adapters.workers.table import AddressRow, WorkerTable

PROBES = 64
"""Indices at which an address may be. The table is at most a quarter full, so that one of these is free."""


class AddressCounts:
    """Counts of the worker in `slot` by address; `total` is that of all workers.

    Each worker writes its own table (open addressing, linear probing) and reads all. An entry with the count 0 is
    free for another address. The key of an address is a keyed hash of 64 bits, so that nobody can choose addresses
    that share one.
    """

    def __init__(self, table: WorkerTable, row: AddressRow, slot: int, key: bytes) -> None:
        self._tables = [table.addresses(row, one) for one in range(table.slots)]
        self._own = self._tables[slot]
        self._mask = table.capacity - 1
        self._key = key

    def add(self, address: str, change: int) -> None:
        """Change the count of an address. Has no effect on a new one when all of its indices are taken."""
        hashed = self._hash(address)
        index = self._index(self._own, hashed)
        if index is None:
            index = self._free_index(hashed)
            if index is None:
                return
            self._own[index + 1] = 0
            self._own[index] = hashed
        self._own[index + 1] = max(0, self._own[index + 1] + change)

    def total(self, address: str) -> int:
        """Return the sum of all workers' counts of an address."""
        hashed = self._hash(address)
        count = 0
        for table in self._tables:
            index = self._index(table, hashed)
            if index is not None:
                count += table[index + 1]
        return count

    def _hash(self, address: str) -> int:
        return int.from_bytes(blake2b(address.encode(), digest_size=8, key=self._key).digest()) | 1  # 0 is no key.

    def _index(self, table: memoryview, hashed: int) -> int | None:
        for step in range(PROBES):
            index = ((hashed >> 1) + step & self._mask) * 2
            found = table[index]
            if found == hashed:
                return index
            if not found:
                return None
        return None

    def _free_index(self, hashed: int) -> int | None:
        for step in range(PROBES):
            index = ((hashed >> 1) + step & self._mask) * 2
            if not self._own[index + 1]:
                return index
        return None
