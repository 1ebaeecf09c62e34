"""The domain in virtual time: a clock that is set by hand, and scripted listeners."""

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from itertools import count
from typing import Any, NamedTuple

from asf.adapters.audio_formats import scanner_of
from asf.adapters.memory import InMemoryAudioSource, InMemoryAudioSources, InMemoryCatalogStore
from asf.adapters.memory_cues import InMemoryCueStore
from asf.domain.access.control import AccessControl
from asf.domain.access.expiry import Expiries
from asf.domain.access.grant import Grant
from asf.domain.cues.cue import parse_cue
from asf.domain.cues.feeds import CueFeeds
from asf.domain.cues.ports import CueStore
from asf.domain.cues.service import Cues
from asf.domain.cues.track import CuePiece
from asf.domain.errors import AsfError, AudioUnavailable, UiEmitFailed, Unauthorized
from asf.domain.peer import Peer, Transport
from asf.domain.streaming.admission import Admission
from asf.domain.streaming.ahead import AheadLimit, ScannerOf
from asf.domain.streaming.audience import Audience
from asf.domain.streaming.audio import AudioBatch
from asf.domain.streaming.audio_pool import AudioPool
from asf.domain.streaming.batch_cache import MAX_CACHED_BYTES, BatchCache
from asf.domain.streaming.due import ChunkStreamer
from asf.domain.streaming.events import ListenerEvent, StatusChanged
from asf.domain.streaming.intake import Intake
from asf.domain.streaming.listener_limit import ListenerLimit
from asf.domain.streaming.live_edge import LiveEdge
from asf.domain.streaming.look_ups import Spawn
from asf.domain.streaming.opened_audio import OpenedAudio
from asf.domain.streaming.pacing import Pace
from asf.domain.streaming.pump import AudioPump
from asf.domain.streaming.schedule import Schedule
from asf.domain.streaming.seek_limit import SeekLimit
from asf.domain.streaming.service import StreamingService
from asf.domain.streaming.session import ListenRequest
from asf.domain.streaming.short_reads import ShortReads
from asf.domain.streaming.slow_listeners import SlowListeners
from asf.domain.streaming.stalled_streams import StalledStreams
from asf.domain.streaming.waiting_room import WaitingRoom
from asf.domain.streams.catalog import Announcement, StreamCatalog
from asf.domain.streams.ports import CatalogStore
from asf.domain.streams.stream import AudioEnding, Locator, QueueLocator, StreamState
from asf.domain.updates.update import Handover, SequencedUpdate, Subscription


class ManualClock:
    """A clock that stands still until `advance`."""

    def __init__(self, start: float = 1000.0) -> None:
        self.time = start
        self.epoch = 1_700_000_000.0

    def now(self) -> float:
        return self.time

    def timestamp(self) -> float:
        return self.time + self.epoch

    def advance(self, seconds: float) -> None:
        self.time += seconds


FETCHED_BYTES = 700
"""Size of a fetched block: a batch lies in one block, in parts of two, or in several."""


class FetchedAudioSource(InMemoryAudioSource):
    """Audio that is fetched in blocks as it is asked for, each when `arrive` is called."""

    def __init__(self, audios: Mapping[str, bytes], name: str) -> None:
        super().__init__(audios, name)
        self.closed = False
        self.asked: dict[int, int] = {}
        self.cancelled: list[int] = []
        self._there: dict[int, int] = {}
        self._broken: dict[int, AudioUnavailable] = {}

    def read(self, offset: int, length: int) -> bytes | None:
        assert not self.closed
        data = super().read(offset, length)
        is_there = True
        for block in range(offset // FETCHED_BYTES, -(-(offset + length) // FETCHED_BYTES)):
            if error := self._broken.get(block):
                raise error
            needed = min(offset + length - block * FETCHED_BYTES, FETCHED_BYTES)
            if self._there.get(block, 0) < needed:
                self.asked[block] = max(needed, self.asked.get(block, 0))
                is_there = False
        return data if is_there else None

    def is_current(self) -> bool:
        return False

    def cancel(self, offset: int) -> None:
        assert not self.closed
        self.cancelled.append(offset)

    def arrive(self, error: AudioUnavailable | None = None) -> None:
        """Let the block arrive that was asked for first, or fail with `error`."""
        block = next(iter(self.asked))
        needed = self.asked.pop(block)
        if error is not None:
            self._broken[block] = error
        else:
            self._there[block] = needed
        self.on_arrival()

    def forget(self) -> None:
        """Forget all blocks: they have to be fetched again."""
        self._there.clear()

    def close(self) -> None:
        super().close()
        self.closed = True


class FetchedAudioSources(InMemoryAudioSources):
    """Audio in memory that has to be fetched."""

    def __init__(self, audios: Mapping[str, bytes]) -> None:
        super().__init__(audios)
        self.opened: list[FetchedAudioSource] = []

    def open(self, locator: Locator, *, growing: bool = False) -> FetchedAudioSource:
        super().open(locator, growing=growing).close()
        source = FetchedAudioSource(self._audio_by_name, locator.text)
        self.opened.append(source)
        return source

    @property
    def awaited(self) -> list[FetchedAudioSource]:
        """The open sources of which something is being fetched."""
        return [source for source in self.opened if source.asked and not source.closed]

    def arrive(self) -> bool:
        """Let one block arrive, and tell whether there was one."""
        awaited = self.awaited
        if awaited:
            awaited[0].arrive()
        return bool(awaited)


class QueuedAudioSource(InMemoryAudioSource):
    """Audio with an end marker, once its queue has one."""

    def __init__(self, audios: Mapping[str, bytes], name: str, endings: Mapping[str, AudioEnding]) -> None:
        super().__init__(audios, name)
        self._endings = endings
        self.refresh()

    def refresh(self) -> int:
        size = super().refresh()
        self.ending = self._endings.get(self._name)
        self.identity = self._data
        return size


class QueuedAudioSources(InMemoryAudioSources):
    """Audio in memory with end markers, each as soon as there is one in `endings`. `opened` are its sources."""

    def __init__(self, audios: Mapping[str, bytes], endings: Mapping[str, AudioEnding]) -> None:
        super().__init__(audios)
        self._endings = endings
        self.opened: list[InMemoryAudioSource] = []
        self.while_opening: Callable[[], object] = lambda: None

    def locate(self, filepath: str) -> Locator:
        return QueueLocator(filepath)

    def content_type_of(self, locator: Locator) -> str | None:
        assert isinstance(locator, QueueLocator)
        return InMemoryAudioSource.content_type

    def open(self, locator: Locator, *, growing: bool = False) -> InMemoryAudioSource:
        assert isinstance(locator, QueueLocator)
        self.while_opening()
        if locator.name not in self._audio_by_name:
            raise AudioUnavailable("There is no such queue.")
        endings = self._endings if growing else {}
        source = QueuedAudioSource(self._audio_by_name, locator.name, endings)
        self.opened.append(source)
        return source


class ScriptedTokens:
    """A `TokenVerifier` that knows the grants of some words."""

    def __init__(self, grants: Mapping[str, Grant]) -> None:
        self.grants = dict(grants)

    def verify(self, token: object, timestamp: float) -> Grant:
        grant = self.grants.get(token) if isinstance(token, str) else None
        if grant is None or grant.expires_at <= timestamp:
            raise Unauthorized
        return grant


class ScriptedListener:
    """A listener's emitter that keeps what it is sent, or, unless it `keeps`, counts the bytes.

    `capacity` bounds the bytes that it takes until `read` frees some of it; None: no bound. `acknowledged` and
    `unread` are what its machine has acknowledged.
    """

    def __init__(self, capacity: int | None = None, *, keeps: bool = True) -> None:
        self.capacity = capacity
        self.received = bytearray()
        self.received_bytes = 0
        self._keeps = keeps
        self.sends: list[int | str] = []
        self.pieces: list[CuePiece] = []
        self.events: list[ListenerEvent] = []
        self.detached = False
        self.broken_off = False
        self.callback: Callable[[], None] | None = None
        self.before_send: Callable[[], object] = lambda: None
        self.acknowledged = self.unread = 0
        self.answers = True
        self.on_look: Callable[[], object] = lambda: None
        self._unread = 0

    def emit(self, *events: ListenerEvent) -> None:
        self.events.extend(events)

    def peer(self) -> Peer:
        return Peer(Transport.HTTP, "192.0.2.1")

    def together(self) -> AbstractContextManager[None]:
        return nullcontext()

    def send_audio(self, batch: AudioBatch, start: int, stop: int) -> int:
        self.before_send()
        taken = stop - start if self.capacity is None else min(stop - start, max(0, self.capacity - self._unread))
        self.received_bytes += taken
        if self._keeps:
            self.received += b"".join(batch.chunks(start, start + taken))
        self._unread += taken
        self.sends.append(taken)
        return taken

    def send_cues(self, piece: CuePiece) -> bool:
        self.before_send()
        size = len(piece.cues_json)
        if self.capacity is not None and self._unread and self._unread + size > self.capacity:
            return False
        self._unread += size
        self.pieces.append(piece)
        self.sends.append("cues")
        return True

    @property
    def cues(self) -> list[dict[str, Any]]:
        """The cues that were sent."""
        return [cue for piece in self.pieces for cue in json.loads(piece.cues_json)]

    def when_ready(self, callback: Callable[[], None]) -> None:
        self.callback = callback

    def intake(self) -> Intake:
        self.on_look()
        return Intake(self.acknowledged, self.unread, self.answers)

    def detach(self) -> None:
        self.detached = True
        self.callback = None

    def break_off(self) -> None:
        self.broken_off = True

    def read(self, length: int) -> None:
        """Free `length` bytes of the capacity, as a listener that reads them."""
        self._unread = max(0, self._unread - length)
        callback, self.callback = self.callback, None
        if callback is not None:
            callback()

    @property
    def kinds(self) -> list[str]:
        """What the events are, in order: the statuses, and the names of the other events' classes."""
        return [
            str(event.status) if isinstance(event, StatusChanged) else type(event).__name__ for event in self.events
        ]


class RecordingObserver:
    """Keeps what is reported to it."""

    def __init__(self) -> None:
        self.joins = 0
        self.session_ids: list[str] = []
        self.rejections: list[str] = []
        self.first_audio: list[float] = []
        self.outcomes: list[str] = []
        self.sent_bytes: list[int] = []
        self.lags: list[float] = []
        self.updates: list[str] = []
        self.recoveries: list[str] = []
        self.dropped = 0
        self.cues = 0

    def cues_accepted(self, count: int) -> None:
        self.cues += count

    def joined(self, session_id: str, stream_id: str, offset: int, peer: Peer) -> None:
        self.session_ids.append(session_id)
        assert stream_id
        assert offset >= 0
        assert isinstance(peer, Peer)
        self.joins += 1

    def join_rejected(self, stream_id: str, error: AsfError, peer: Peer | None) -> None:
        assert isinstance(stream_id, str)
        assert peer is None or isinstance(peer, Peer)
        self.rejections.append(error.error_code)

    def first_audio_sent(self, seconds: float) -> None:
        self.first_audio.append(seconds)

    def ended(self, session_id: str, stream_id: str, outcome: str, sent_bytes: int, seconds: float) -> None:
        self.session_ids.append(session_id)
        assert stream_id
        assert seconds >= 0
        self.outcomes.append(outcome)
        self.sent_bytes.append(sent_bytes)

    def pump_lagged(self, seconds: float) -> None:
        self.lags.append(seconds)

    def relayed(self, outcome: str, seconds: float) -> None:
        assert seconds >= 0
        self.updates.append(outcome)

    def recovered(self, outcome: str) -> None:
        self.recoveries.append(outcome)

    def subscriber_dropped(self) -> None:
        self.dropped += 1


class ScriptedSubscribers:
    """The emitter of UI updates: keeps what each connection is sent, or does what `outcomes` says for it."""

    def __init__(self) -> None:
        self.sent: dict[str, list[Subscription | SequencedUpdate]] = {}
        self.ended: list[tuple[str, str, str]] = []
        self.outcomes: dict[str, Handover | UiEmitFailed] = {}
        self.broken_off: list[str] = []
        self.backlog: dict[str, float] = {}

    def peer(self, connection_id: str) -> Peer | None:
        return Peer(Transport.SOCKETIO, f"address of {connection_id}")

    def waiting(self, connection_id: str) -> float:
        return self.backlog.get(connection_id, 0.0)

    def break_off(self, connection_id: str) -> None:
        self.broken_off.append(connection_id)

    def confirm(self, connection_id: str, subscription: Subscription) -> Handover:
        return self._take(connection_id, subscription)

    def replay(self, connection_id: str, updates: Sequence[SequencedUpdate]) -> Handover:
        return self._take(connection_id, *updates)

    def emit(self, connection_id: str, update: SequencedUpdate, *, with_position: bool) -> Handover:
        assert isinstance(with_position, bool)
        return self._take(connection_id, update)

    def end(self, connection_id: str, client_id: str, reason: AsfError) -> Handover:
        self.ended.append((connection_id, client_id, reason.error_code))
        return self._take(connection_id)

    def updates(self, connection_id: str) -> list[SequencedUpdate]:
        """Return the updates that a connection was sent."""
        return [item for item in self.sent.get(connection_id, []) if isinstance(item, SequencedUpdate)]

    def _take(self, connection_id: str, *items: Subscription | SequencedUpdate) -> Handover:
        outcome = self.outcomes.get(connection_id, Handover.TAKEN)
        if isinstance(outcome, UiEmitFailed):
            raise outcome
        if outcome in {Handover.TAKEN, Handover.FILLING}:
            self.sent.setdefault(connection_id, []).extend(items)
        return outcome


class Description(NamedTuple):
    """What can be said of a stream's audio before it is listened to."""

    content_type: str
    total_bytes: int | None
    fingerprint: str | None


class VirtualServer:
    """All services of the audio side on in-memory adapters and a manual clock. `audios` may grow while it runs."""

    def __init__(
        self,
        audios: Mapping[str, bytes] | None = None,
        chunk_bytes: int = 4096,
        chunk_seconds: float = 0.01,
        sources: Any = None,
        slow_seconds: float = 30.0,
        wait_seconds: float = 120.0,
        stall_seconds: float = 10.0,
        give_up_seconds: float = 120.0,
        max_listeners: int = 1_000_000,
        tokens: ScriptedTokens | None = None,
        store: CatalogStore | None = None,
        cached_bytes: int = MAX_CACHED_BYTES,
        spawn: Spawn | None = None,
        ahead_seconds: float = 120.0,
        cue_store: CueStore | None = None,
        scanner_of: ScannerOf = scanner_of,
        is_local: Callable[[Locator], bool] = lambda locator: locator.is_local,
    ) -> None:
        self.clock = ManualClock()
        self.sources = sources or InMemoryAudioSources({} if audios is None else audios)
        self.pace = Pace(chunk_bytes, chunk_seconds)
        self.store = InMemoryCatalogStore() if store is None else store
        epochs = count(1)
        self.catalog = StreamCatalog(
            self.store, self.sources, self.clock, lambda: f"epoch-{next(epochs)}", max_streams=1000
        )
        self.batches = BatchCache(self.pace, max_bytes=cached_bytes)
        self.pool = AudioPool(self.sources, self.batches, is_local)
        self.observer = RecordingObserver()
        self.schedule = Schedule()
        stalled = StalledStreams(self.catalog, lambda work: work(), give_up_seconds)
        self.live_edge = LiveEdge(self.pool, self.schedule, stall_seconds, give_up_seconds, stalled.give_up)
        self.slow_listeners = SlowListeners(slow_seconds)
        self.waiting = WaitingRoom(wait_seconds)
        self.expiries = Expiries()
        self.seeks = SeekLimit()
        ahead = AheadLimit(ahead_seconds, self.pace, scanner_of)
        self.pump = AudioPump(
            ChunkStreamer(self.pace, ahead),
            self.pool,
            self.schedule,
            self.live_edge,
            self.slow_listeners,
            [self.waiting, self.expiries, self.seeks],
            self.clock,
            self.observer,
        )
        self.admission = Admission(
            self.catalog,
            self.pool,
            self.pump,
            self.waiting,
            self.clock,
            self.observer,
            with_simulation=True,
            spawn=spawn,
            checkpoint=self._checkpoint,
        )
        self.cue_store = InMemoryCueStore() if cue_store is None else cue_store
        self.cues = Cues(self.cue_store, self.catalog, 1_000_000, self.observer, self._checkpoint)
        self.tasks: list[Callable[[], object]] = []
        """Work that reads cues: done before the next turn of the pump."""
        self.cue_feeds = CueFeeds(self.cue_store, self.tasks.append, self._checkpoint, lambda _seconds: self.pause())
        self.pause: Callable[[], object] = lambda: None
        self.service = StreamingService(
            self.admission,
            self.pump,
            AccessControl(tokens, self.expiries, self.clock, self.pump.update_wake_up),
            self.clock,
            self.observer,
            ListenerLimit(max_listeners),
            self.seeks,
            self._checkpoint,
            self.cue_feeds,
        )
        self.audience = Audience(ahead, self.clock, self._checkpoint)
        self.admission.on_join.connect(self.audience.add)
        self.admission.on_end.connect(self.audience.remove)
        self.meanwhile: Callable[[], object] = lambda: None
        """Called wherever the services may yield to other tasks, in the midst of much work."""
        self.reads = ShortReads(self.pool, self.pump, lambda _seconds: self.meanwhile())
        self._wake_up: float | None = None
        self.pump.on_due.connect(self._wake)
        for name in audios or {}:
            self.announce(name)

    def _checkpoint(self) -> None:
        self.meanwhile()

    def announce(
        self, stream_id: str, filepath: str | None = None, state: StreamState = StreamState.COMPLETE
    ) -> None:
        """Announce the audio of that name, or another one."""
        self.catalog.announce(Announcement(stream_id, self.catalog.locate(filepath or stream_id), state))

    def join(
        self,
        stream_id: str,
        listener_id: str = "listener",
        capacity: int | None = None,
        *,
        keeps: bool = True,
        opened: OpenedAudio | None = None,
        **request: Any,
    ) -> ScriptedListener:
        """Let a scripted listener join."""
        listener = ScriptedListener(capacity, keeps=keeps)
        self.service.join(listener_id, ListenRequest(stream_id, **request), listener, opened)
        return listener

    def describe(self, stream_id: str) -> Description:
        """Open the audio of a stream, and close it again."""
        with self.service.open(stream_id) as opened:
            return Description(opened.content_type, opened.total_bytes, opened.fingerprint)

    def run(self, seconds: float) -> None:
        """Let virtual time pass, and turn the pump whenever it asked for it, and only then."""
        end = self.clock.time + seconds
        self.run_tasks()
        while self._wake_up is not None and self._wake_up <= end:
            self._turn(self._wake_up)
        self.clock.time = end

    def run_until_idle(self) -> None:
        """Let virtual time pass until the pump sleeps for good."""
        self.run_tasks()
        while self._wake_up is not None:
            self._turn(self._wake_up)

    def _turn(self, time: float) -> None:
        self.clock.time = max(self.clock.time, time)
        self._wake_up = None
        delay = self.pump.turn()
        if delay is not None and self._wake_up is None:
            self._wake_up = self.clock.time + delay
        self.run_tasks()

    def run_tasks(self) -> None:
        """Read the cues that listeners wait for."""
        while self.tasks:
            self.tasks.pop(0)()

    def post(self, stream_id: str, *starts: float, **fields: Any) -> None:
        """Post cues."""
        self.cues.add(stream_id, [parse_cue({"start": start, **fields}) for start in starts])

    def _wake(self) -> None:
        self._wake_up = self.clock.time
