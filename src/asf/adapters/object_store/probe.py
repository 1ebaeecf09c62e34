"""Probes whether the stores can be reached, for readiness: in the background, at a limited rate."""

import logging
import threading
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING

import obstore
from obstore.exceptions import PermissionDeniedError, UnauthenticatedError

from asf.adapters.object_store.failures import CREDENTIAL_CODES, error_code_of
from asf.adapters.object_store.worker import RunInThread, StoreRequest

if TYPE_CHECKING:
    from obstore.store import ObjectStore

PROBE_SECONDS = 10.0
"""Shortest interval between two probes of a store."""

FIRST_PROBE_SECONDS = 1.0
"""How long the first result of a store is waited for."""

PROBED_KEY = "asf-readiness"
"""An object that need not exist."""

logger = logging.getLogger(__name__)


class Probe(StoreRequest):
    """Requests an object that need not exist. `problem` is why the store cannot be used, or None."""

    def __init__(self, store: "ObjectStore", url: str, requested_at: float) -> None:
        super().__init__(url, requested_at)
        self.finished = threading.Event()
        self.problem: str | None = None
        self._store = store

    def send(self) -> None:
        """Send the request. A rejection that may concern only the probed object is not a problem."""
        try:
            obstore.get(self._store, PROBED_KEY, options={"head": False, "range": (0, 1)})
        except FileNotFoundError as error:
            if "NoSuchBucket" in str(error):
                self.problem = "There is no such bucket."
        except (PermissionDeniedError, UnauthenticatedError) as error:
            code = error_code_of(error)
            if code in CREDENTIAL_CODES:
                self.problem = f"The object store rejects the credentials ({code})."

    def finish(self) -> None:
        """Wake the tasks that wait for the result."""
        if self.error is not None:
            self.problem = self.error.details
        self.finished.set()


class StoreProbes:
    """The latest probe of each store."""

    def __init__(
        self, stores: Mapping[str, "ObjectStore"], run_in_thread: RunInThread, now: Callable[[], float]
    ) -> None:
        self._stores = stores
        self._run_in_thread = run_in_thread
        self._now = now
        self._running: dict[str, Probe] = {}
        self._latest: dict[str, Probe] = {}

    def problems(self) -> dict[str, str]:
        """Return the stores that could not be used when they were probed last, and why.

        Starts the probes that are due. Waits only for a store's first result, up to `FIRST_PROBE_SECONDS`.
        """
        now = self._now()
        for url, store in self._stores.items():
            latest = self._latest.get(url)
            if url not in self._running and (latest is None or now - latest.requested_at >= PROBE_SECONDS):
                self._running[url] = probe = Probe(store, url, now)
                self._run_in_thread(probe.run, partial(self._done, probe))
        for url, probe in list(self._running.items()):
            if url not in self._latest:
                probe.finished.wait(max(0.0, now + FIRST_PROBE_SECONDS - self._now()))
        problems = {}
        for url in self._stores:
            latest = self._latest.get(url)
            problem = "No response yet." if latest is None else latest.problem
            if problem is not None:
                problems[url] = problem
        return problems

    def _done(self, probe: Probe) -> None:
        if probe.cause:
            logger.warning("%s: %s", probe.url, probe.cause)
        del self._running[probe.url]
        self._latest[probe.url] = probe
        probe.finish()
