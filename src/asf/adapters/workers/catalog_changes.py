"""How often the workers have changed the catalog that they share."""

from asf.adapters.workers.seat import Seat
from asf.adapters.workers.table import Row


class CatalogChanges:
    """The changes of all workers, which count them in their table. Implements the `Changes` of `RecentStreams`."""

    def __init__(self, seat: Seat) -> None:
        self._table = seat.table
        self._slot = seat.me.slot

    def note(self) -> None:
        """Count a change by this worker."""
        self._table.count(Row.CATALOG_CHANGES, self._slot)

    def total(self) -> int:
        """Return the sum over all workers, those that have ended included."""
        return self._table.total(Row.CATALOG_CHANGES)
