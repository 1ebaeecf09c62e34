"""The sessions of this node: its listeners, subscribers and uploads, as their owners know them."""

from bisect import bisect_right
from collections.abc import Callable, Iterator
from typing import TypeVar

from asf.domain.clock import Clock
from asf.domain.errors import AsfError
from asf.domain.operations.entries import Kind, SessionEntry, SessionFilter, Wait
from asf.domain.operations.listeners import Listeners
from asf.domain.peer import Peer
from asf.domain.streaming.service import StreamingService
from asf.domain.streaming.session import ListenerSession
from asf.domain.updates.router import UiUpdateRouter
from asf.domain.updates.subscriber import Pressure, Subscriber
from asf.domain.uploads.service import Uploads
from asf.domain.uploads.writer import UploadWriter

LOOKS_AT_ONCE = 64
"""Sessions that are looked at before other tasks may run: a fraction of a millisecond."""

_Session = TypeVar("_Session", ListenerSession, Subscriber)

Found = Callable[[SessionFilter, int], Iterator[SessionEntry]]
"""Yields the entries of one kind that a filter accepts and whose number is higher than the given one, in order."""


class SessionDirectory:
    """Lists and ends the sessions of this node. Keeps nothing itself.

    `checkpoint` is called after every few of the sessions that are looked at, and may yield. `tag` is in the ids of
    uploads: no other node has the same.
    """

    def __init__(
        self,
        node: str,
        tag: str,
        streaming: StreamingService,
        listeners: Listeners,
        router: UiUpdateRouter,
        uploads: Uploads,
        clock: Clock,
        checkpoint: Callable[[], object],
    ) -> None:
        self._node = node
        self._upload_ids = f"upload-{tag}"
        self._streaming = streaming
        self._listeners = listeners
        self._router = router
        self._uploads = uploads
        self._clock = clock
        self._checkpoint = checkpoint
        self._find: dict[Kind, Found] = {
            Kind.LISTENER: self._find_listeners,
            Kind.SUBSCRIBER: self._find_subscribers,
            Kind.UPLOAD: self._find_uploads,
        }

    def page(self, wanted: SessionFilter, after: tuple[int, int], limit: int) -> list[SessionEntry]:
        """Return the first `limit` entries that `wanted` accepts, behind the kind and number `after`. May yield."""
        page: list[SessionEntry] = []
        for index, kind in enumerate(Kind):
            if index < after[0] or wanted.kind not in {None, kind}:
                continue
            number = after[1] if index == after[0] else 0
            for entry in self._find[kind](wanted, number):
                page.append(entry)
                if len(page) >= limit:
                    return page
        return page

    def end(self, session_id: str, error: AsfError) -> Kind | None:
        """End a session because of `error`, which its client receives. Returns its kind; None if there is none."""
        if self._streaming.end(session_id, error) is not None:
            return Kind.LISTENER
        if self._router.end(session_id, error) is not None:
            return Kind.SUBSCRIBER
        for writer, _started in self._uploads.writers():
            if self._upload_id(writer) == session_id:
                writer.stop(error)
                return Kind.UPLOAD
        return None

    def _find_listeners(self, wanted: SessionFilter, number: int) -> Iterator[SessionEntry]:
        if wanted.client_id is not None:
            return
        sessions = self._streaming.sessions()
        first = bisect_right(sessions, number, key=lambda session: session.number)
        for session in self._looked_at(sessions[first:]):
            is_wanted = wanted.stream_id in {None, session.stream_id} and not session.ended
            if is_wanted and _has_address(session.emitter.peer(), wanted):
                yield self._listeners.entry(session)

    def _find_subscribers(self, wanted: SessionFilter, number: int) -> Iterator[SessionEntry]:
        if wanted.stream_id is not None:
            return
        subscribers = self._router.subscribers()
        first = bisect_right(subscribers, number, key=lambda subscriber: subscriber.number)
        for subscriber in self._looked_at(subscribers[first:]):
            if wanted.client_id not in {None, subscriber.client_id} or subscriber.has_ended:
                continue
            peer = self._router.peer(subscriber)
            if _has_address(peer, wanted):
                yield self._subscriber(subscriber, peer)

    def _find_uploads(self, wanted: SessionFilter, number: int) -> Iterator[SessionEntry]:
        if wanted.client_id is not None:
            return
        for writer, started in self._uploads.writers():
            is_wanted = writer.number > number and wanted.stream_id in {None, writer.stream_id}
            if is_wanted and _has_address(writer.peer, wanted):
                yield self._upload(writer, started)

    def _looked_at(self, sessions: list[_Session]) -> Iterator[_Session]:
        """Yield the sessions. Other tasks may run in between: some may have ended."""
        for number, session in enumerate(sessions, 1):
            yield session
            if number % LOOKS_AT_ONCE == 0:
                self._checkpoint()

    def _subscriber(self, subscriber: Subscriber, peer: Peer | None) -> SessionEntry:
        is_blocked = subscriber.pressure is not Pressure.NONE
        waits_for = Wait.REPLAY if subscriber.holds_back else None
        return SessionEntry(
            id=subscriber.subscription_id,
            kind=Kind.SUBSCRIBER,
            node=self._node,
            since=self._timestamp_of(subscriber.since),
            state="replaying" if subscriber.holds_back else "live",
            client_id=subscriber.client_id,
            epoch=subscriber.delivered.epoch or None,
            blocked=is_blocked,
            waits_for=Wait.CLIENT if is_blocked else waits_for,
            peer=peer,
        )

    def _upload(self, writer: UploadWriter, started: float) -> SessionEntry:
        return SessionEntry(
            id=self._upload_id(writer),
            kind=Kind.UPLOAD,
            node=self._node,
            since=self._timestamp_of(started),
            state="finishing" if writer.is_finishing else "uploading",
            stream_id=writer.stream_id,
            epoch=writer.stream.epoch,
            offset=writer.offset,
            bytes=writer.offset - writer.start,
            peer=writer.peer,
        )

    def _upload_id(self, writer: UploadWriter) -> str:
        return f"{self._upload_ids}.{writer.number}"

    def _timestamp_of(self, time: float) -> float:
        """Return when the clock showed `time`, in seconds since the Unix epoch."""
        return round(self._clock.timestamp() - (self._clock.now() - time), 3)


def _has_address(peer: Peer | None, wanted: SessionFilter) -> bool:
    return wanted.address is None or (peer is not None and peer.has_address(wanted.address))
