"""Readiness: whether the server can accept listeners."""

from asf.domain.clock import Clock
from asf.domain.errors import CatalogUnavailable
from asf.domain.streaming.ports import AudioSources
from asf.domain.streaming.pump import AudioPump
from asf.domain.streaming.service import StreamingService
from asf.domain.streams.ports import CatalogStore

OVERDUE_SECONDS = 5.0
"""How late the work of the pump may be. A busy server is late by a fraction of a second."""


class Readiness:
    """Checks what the server depends on. `store_name` is the operators' name for where the catalog is stored."""

    def __init__(
        self,
        store: CatalogStore,
        sources: AudioSources,
        streaming: StreamingService,
        pump: AudioPump,
        clock: Clock,
        store_name: str = "catalog",
    ) -> None:
        self._store = store
        self._store_name = store_name
        self._sources = sources
        self._streaming = streaming
        self._pump = pump
        self._clock = clock

    def problems(self) -> dict[str, str]:
        """Return the problems that keep the server from accepting listeners now, by component. Empty when ready."""
        problems = {}
        if self._streaming.draining:
            problems["server"] = "It is being shut down."
        overdue = self._pump.overdue(self._clock.now())
        if overdue > OVERDUE_SECONDS:
            problems["pump"] = f"Work has been due for {overdue:.0f} s and is not done: the log has the reason."
        try:
            self._store.check()
        except CatalogUnavailable as error:
            problems[self._store_name] = str(error.details)
        return problems | {f"audio root {root}": problem for root, problem in self._sources.unreachable().items()}
