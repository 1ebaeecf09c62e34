"""Connection limits that hold over all workers together."""

from collections.abc import Callable

from asf.adapters.connection_quota import ConnectionQuota
from asf.adapters.workers.addresses import AddressCounts
from asf.adapters.workers.table import Row, WorkerTable


class SharedConnectionQuota(ConnectionQuota):
    """Counts this worker's connections in `row` of the table, and limits those of all workers.

    Workers that take a connection at the same moment may exceed a limit by one each.
    """

    def __init__(
        self,
        table: WorkerTable,
        row: Row,
        slot: int,
        addresses: AddressCounts,
        most: int,
        most_each: int,
        is_exempt: Callable[[str], bool] = lambda _address: False,
        subject: str = "connections",
    ) -> None:
        super().__init__(most, most_each, is_exempt, subject)
        self._table = table
        self._row = row
        self._slot = slot
        self._addresses = addresses

    @property
    def total(self) -> int:
        """The number of connections of all workers."""
        return self._table.total(self._row)

    def _add(self, holder: str | None, change: int) -> None:
        super()._add(holder, change)
        self._table.set(self._row, self._slot, len(self))
        if holder is not None:
            self._addresses.add(holder, change)

    def _count_of(self, holder: str) -> int:
        return self._addresses.total(holder)
