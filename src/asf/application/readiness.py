"""Readiness: whether the server can accept listeners."""

from dataclasses import dataclass

from asf.domain.clock import Clock
from asf.domain.cues.ports import CueStore
from asf.domain.errors import CatalogUnavailable, CuesUnavailable
from asf.domain.streaming.ports import AudioSources
from asf.domain.streaming.pump import AudioPump
from asf.domain.streaming.service import StreamingService
from asf.domain.streams.ports import CatalogStore

OVERDUE_SECONDS = 5.0
"""How late the work of the pump may be. A busy server is late by a fraction of a second."""


@dataclass(frozen=True, slots=True)
class Problem:
    """A reason not to accept listeners. `kind` is for everyone; `name`, which may be empty, and `reason` are not."""

    kind: str
    reason: str
    name: str = ""

    def __str__(self) -> str:
        return f"{self.kind} {self.name}: {self.reason}" if self.name else f"{self.kind}: {self.reason}"


class Readiness:
    """Checks what the server depends on. `store_name` is the operators' name for where the catalog is stored."""

    def __init__(
        self,
        store: CatalogStore,
        cues: CueStore,
        sources: AudioSources,
        streaming: StreamingService,
        pump: AudioPump,
        clock: Clock,
        store_name: str = "catalog",
    ) -> None:
        self._store = store
        self._cues = cues
        self._store_name = store_name
        self._sources = sources
        self._streaming = streaming
        self._pump = pump
        self._clock = clock

    def problems(self) -> list[Problem]:
        """Return the problems that keep the server from accepting listeners now. Empty when ready."""
        problems = []
        if self._streaming.draining:
            problems.append(Problem("server", "It is being shut down."))
        overdue = self._pump.overdue(self._clock.now())
        if overdue > OVERDUE_SECONDS:
            text = f"Work has been due for {overdue:.0f} s and is not done: the log has the reason."
            problems.append(Problem("pump", text))
        try:
            self._store.check()
        except CatalogUnavailable as error:
            problems.append(Problem(self._store_name, str(error.details)))
        try:
            self._cues.check()
        except CuesUnavailable as error:
            problems.append(Problem("cues", str(error.details)))
        unreachable = self._sources.unreachable()
        return problems + [Problem("audio root", reason, root) for root, reason in unreachable.items()]
