"""One object as it was found, and the request that finds it."""

import threading
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import obstore

from asf.adapters.media_types import media_type_of
from asf.adapters.object_store.worker import StoreRequest
from asf.domain.errors import AudioChanged, AudioUnavailable
from asf.domain.identifiers import content_type_problem
from asf.domain.streaming.audio import SNIFFED_BYTES, UNKNOWN_CONTENT_TYPE

if TYPE_CHECKING:
    from obstore.store import ObjectStore


@dataclass(frozen=True, slots=True)
class StoredObject:
    """One object as it was found. Its bytes are those of the `etag`; with another ETag it is another object."""

    store: "ObjectStore"
    url: str
    key: str
    etag: str
    size: int
    content_type: str

    @property
    def identity(self) -> Hashable:
        """Equal for two objects only if their bytes are."""
        return (self.url, self.etag, self.size)

    def read(self, start: int, stop: int) -> bytes:
        """Return the bytes from `start` to `stop`. Blocks. Raises the library's errors, and `AudioUnavailable`."""
        response = obstore.get(self.store, self.key, options={"if_match": self.etag, "range": (start, stop)})
        # Not every store honours the condition.
        if (response.meta["e_tag"], response.meta["size"]) != (self.etag, self.size):
            raise AudioChanged("The object was replaced while it was streamed.")
        data = bytes(response.bytes())
        if len(data) != stop - start:
            raise AudioUnavailable("The object store sent fewer bytes than requested.")
        return data


class HeadRequest(StoreRequest):
    """Looks an object up, once for all concurrent opens. The media type comes from key, store or first bytes."""

    def __init__(
        self, store: "ObjectStore", url: str, key: str, requested_at: float, on_finish: Callable[[], None]
    ) -> None:
        super().__init__(url, requested_at)
        self.finished = threading.Event()
        self.found: StoredObject | None = None
        self._store = store
        self._key = key
        self._on_finish = on_finish

    def send(self) -> None:
        """Send the request, and another one for the first bytes if nothing else gives the media type."""
        response = obstore.get(self._store, self._key, options={"head": True})
        etag, size = response.meta["e_tag"], response.meta["size"]
        if etag is None:
            raise AudioUnavailable("The object store sends no ETag, so a replaced object could not be detected.")
        declared = str(response.attributes.get("Content-Type", ""))
        content_type = media_type_of(self._key, b"") or (None if content_type_problem(declared) else declared)
        found = StoredObject(self._store, self.url, self._key, etag, size, content_type or UNKNOWN_CONTENT_TYPE)
        if content_type is None and size:
            sniffed = media_type_of("", found.read(0, min(size, SNIFFED_BYTES)))
            found = StoredObject(self._store, self.url, self._key, etag, size, sniffed or UNKNOWN_CONTENT_TYPE)
        self.found = found

    def finish(self) -> None:
        """Wake the tasks that wait for it."""
        self._on_finish()
        self.finished.set()
