"""Whether the server can do its work."""

from asf.domain.errors import CatalogUnavailable
from asf.domain.ports import AudioSources, CatalogStore
from asf.domain.streaming import StreamingService


class Readiness:
    """Looks at all that the server depends on."""

    def __init__(self, store: CatalogStore, sources: AudioSources, streaming: StreamingService) -> None:
        self._store = store
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
            problems["catalog"] = str(error.details)
        return problems | {f"audio root {root}": problem for root, problem in self._sources.unreachable().items()}
