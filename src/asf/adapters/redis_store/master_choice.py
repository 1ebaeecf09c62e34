"""Chooses the master, of those that Sentinels name."""

from collections.abc import Hashable

from asf.adapters.redis_store.sentinel import MasterView


class MasterChoice:
    """The `master` that counts, by `sentinels` Sentinels; None until one has named it.

    A Sentinel that was cut off may know an older master, so the highest epoch counts. Epochs start again when
    Sentinels are set up again: a lower one counts if a majority of the Sentinels responds, and none of them knows a
    higher one. While none responds, the master is the one that was known last.
    """

    def __init__(self, sentinels: int) -> None:
        self.master: MasterView | None = None
        self._sentinels = sentinels
        # Of those that have responded when they were asked last.
        self._views: dict[Hashable, MasterView] = {}

    def note(self, sentinel: Hashable, view: MasterView | None) -> bool:
        """Take what a Sentinel says now, None if it does not respond. Returns whether the master has moved."""
        if view is None:
            self._views.pop(sentinel, None)
            return False
        self._views[sentinel] = view
        earlier = self.master
        best = max(self._views.values(), key=lambda one: (one.epoch, one == earlier))
        has_majority = 2 * len(self._views) > self._sentinels
        if earlier is not None and best.epoch < earlier.epoch and not has_majority:
            return False
        self.master = best
        return earlier is not None and earlier.address != best.address
