"""Readiness: whether the server can accept listeners."""

from asf.domain.errors import CatalogUnavailable
from asf.domain.streaming.ports import AudioSources
from asf.domain.streaming.service import StreamingService
from asf.domain.streams.ports import CatalogStore


class Readiness:
    """Checks what the server depends on. `store_name` is the operators' name for where the catalog is stored."""

    def __init__(
        self, store: CatalogStore, sources: AudioSources, streaming: StreamingService, store_name: str = "catalog"
    ) -> None:
        self._store = store
        self._store_name = store_name
        self._sources = sources
        self._streaming = streaming

    def problems(self) -> dict[str, str]:
        """Return the problems that keep the server from accepting listeners now, by component. Empty when ready."""
        problems = {}
        if self._streaming.draining:
            problems["server"] = "It is being shut down."
        try:
            self._store.check()
        except CatalogUnavailable as error:
            problems[self._store_name] = str(error.details)
        return problems | {f"audio root {root}": problem for root, problem in self._sources.unreachable().items()}
