"""Whether the server can do its work."""

from asf.domain.errors import CatalogUnavailable
from asf.domain.streaming.ports import AudioSources
from asf.domain.streaming.service import StreamingService
from asf.domain.streams.ports import CatalogStore


class Readiness:
    """Looks at all that the server depends on. `store_name` is what operators call the place of the catalog."""

    def __init__(
        self, store: CatalogStore, sources: AudioSources, streaming: StreamingService, store_name: str = "catalog"
    ) -> None:
        self._store = store
        self._store_name = store_name
        self._sources = sources
        self._streaming = streaming

    def problems(self) -> dict[str, str]:
        """Return what keeps the server from taking listeners now: by the name of what is concerned, in words."""
        problems = {}
        if self._streaming.draining:
            problems["server"] = "It is being shut down."
        try:
            self._store.check()
        except CatalogUnavailable as error:
            problems[self._store_name] = str(error.details)
        return problems | {f"audio root {root}": problem for root, problem in self._sources.unreachable().items()}
