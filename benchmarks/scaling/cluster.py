"""Several servers over one Redis and one audio, in virtual time: the domain's own code, with everything counted.

The parts come from the container that the server itself is built with; what is outside of a process is replaced:
the clock, the catalog's store, the log of UI updates, the audio, and the ways to listeners and subscribers. The
stores are the ones in memory, shared by all servers and reached as Redis is: every call is a command, which takes its
time on the way and its turn in Redis; messages go only to the servers that subscribe to the channel of the stream or
client.
"""

from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from itertools import count
from types import SimpleNamespace
from typing import Any

from asf.adapters.engineio.packets import chunk_framing
from asf.adapters.memory import InMemoryAudioSources, InMemoryCatalogStore
from asf.adapters.memory_cues import InMemoryCueStore
from asf.adapters.memory_update_log import InMemoryUpdateLog
from asf.adapters.realtime_api.listener_emitter import audio_chunk_envelope
from asf.domain.cues.track import CuePiece
from asf.domain.errors import StreamNotFound
from asf.domain.peer import Peer, Transport
from asf.domain.signal import Signal
from asf.domain.streaming.audio import AudioBatch
from asf.domain.streaming.events import EndOfStream, ListenerEvent, StartOfStream, StreamFailed
from asf.domain.streaming.intake import Intake
from asf.domain.streaming.session import ListenRequest
from asf.domain.streams.catalog import Announcement
from asf.domain.streams.stream import AudioStream, StreamState
from asf.domain.updates.update import AppendResult, Handover, Position, SequencedUpdate, Subscription, UiUpdate
from asf.entrypoints.container import Container
from asf.settings import read_settings
from benchmarks.scaling.virtual_time import OneAtATime, VirtualTime

NAMESPACE = "/api/v1/podcasts/stream"

BLOCK_BYTES = 512 * 1024
CACHED_BLOCKS = 128
"""How a server reads objects: in blocks of this size, of which it keeps so many (64 MiB)."""


@dataclass(frozen=True)
class Costs:
    """How long things take, in seconds; 0 where only their number matters.

    `way` is from a server to Redis and back, `command` what Redis does for it. `join` and `batch` are CPU of a
    server.
    """

    way: float = 0.0005
    command: float = 0.0
    join: float = 0.0
    batch: float = 0.0


class VirtualRedis:
    """One thread that runs one command after the other, and delivers messages to the subscribers of a channel."""

    def __init__(self, time: VirtualTime, costs: Costs, counts: Counter[str]) -> None:
        self._time = time
        self._costs = costs
        self._core = OneAtATime(time)
        self._counts = counts
        self._followers: dict[str, dict[PubSub, Callable[..., object]]] = {}

    def do(self, name: str, command: Callable[[], Any]) -> Any:
        """Let Redis do a command for a server, which waits for the answer."""
        self._counts[f"redis {name}"] += 1
        self._counts["redis commands"] += 1
        self._time.wait(self._costs.way / 2)
        self._core.use(self._costs.command)
        answer = command()
        self._time.wait(self._costs.way / 2)
        return answer

    def follow(self, channel: str, pubsub: "PubSub", listener: Callable[..., object]) -> None:
        """Subscribe a server to a channel."""
        self.do("subscribe", lambda: self._followers.setdefault(channel, {}).update({pubsub: listener}))

    def unfollow(self, channel: str, pubsub: "PubSub") -> None:
        """End that. Nobody waits for it."""
        self._counts["redis unsubscribe"] += 1
        self._counts["redis commands"] += 1
        self._followers.get(channel, {}).pop(pubsub, None)

    def publish(self, channel: str, *message: Any) -> int:
        """Publish a message; part of the command that causes it."""
        followers = self._followers.get(channel, {})
        for pubsub, listener in followers.items():
            self._counts["redis messages"] += 1
            self._time.at(self._time.now() + self._costs.way / 2, partial(pubsub.hear, partial(listener, *message)))
        return len(followers)

    def forget(self, pubsub: "PubSub") -> None:
        """Take note that a server is gone."""
        for followers in self._followers.values():
            followers.pop(pubsub, None)


class PubSub:
    """One server's reader: hears one message after the other."""

    def __init__(self) -> None:
        self._messages: deque[Callable[[], object]] = deque()
        self._reads = False

    def hear(self, message: Callable[[], object]) -> None:
        """Take a message, and deal with it unless one before is still being dealt with."""
        self._messages.append(message)
        if self._reads:
            return
        self._reads = True
        while self._messages:
            self._messages.popleft()()
        self._reads = False


class SharedStore:
    """A store in memory, as a server sees one that is in Redis. It has all methods of that store."""

    def __init__(self, name: str, store: Any, redis: VirtualRedis, pubsub: PubSub) -> None:
        self._name = name
        self._store = store
        self._redis = redis
        self._pubsub = pubsub
        self._followed: Counter[str] = Counter()

    def __getattr__(self, method: str) -> Any:
        command = getattr(self._store, method)
        return lambda *arguments: self._redis.do(f"{self._name}.{method}", partial(command, *arguments))

    def follow(self, channel: str) -> Any:
        """Receive its messages from the return of this on. A catalog also returns the current value."""
        self._store.follow(channel)
        self._followed[channel] += 1
        if self._followed[channel] == 1:
            self._redis.follow(f"{self._name} {channel}", self._pubsub, self.hear)
        return self.get(channel) if self._name == "catalog" else None

    def unfollow(self, channel: str) -> None:
        """Hear no more of it, if nobody else here wants to."""
        self._store.unfollow(channel)
        self._followed[channel] -= 1
        if not self._followed[channel]:
            del self._followed[channel]
            self._redis.unfollow(f"{self._name} {channel}", self._pubsub)

    def hear(self, *message: Any) -> object:
        """Tell the domain."""
        raise NotImplementedError


class ServersCatalogStore(InMemoryCatalogStore):
    """The catalog that all servers share: what one server no longer follows, another one may."""

    def unfollow(self, stream_id: str) -> None:
        """Report the stream's changes all the same; only servers that follow it get them."""


class SharedCatalogStore(SharedStore):
    """Reports the changes of streams that are followed."""

    def follow(self, stream_id: str) -> Any:
        """Return the current value. Following twice is the same as once."""
        return self.get(stream_id) if self._followed[stream_id] else super().follow(stream_id)

    def peek(self, stream_id: str) -> None:
        """Return None: nothing is remembered of a Redis that has other writers."""

    def __init__(self, name: str, store: Any, redis: VirtualRedis, pubsub: PubSub) -> None:
        super().__init__(name, store, redis, pubsub)
        self.on_change: Signal[str, AudioStream | None] = Signal()

    def hear(self, *message: Any) -> object:
        """Report what a stream is now."""
        self.on_change(*message)
        return None


class SharedUpdateLog(SharedStore):
    """Tells of the updates of clients that are followed."""

    def connect(self, on_appended: Callable[..., object], on_interrupted: Callable[..., object]) -> None:  # noqa: ARG002
        """Set the listener. Nothing is lost here."""
        self._on_appended = on_appended

    def append(self, update: UiUpdate, timestamp: float, now: float) -> AppendResult:
        """Append, and broadcast to the servers that follow the client, in one command."""

        def command() -> AppendResult:
            appended: AppendResult = self._store.append(update, timestamp, now)
            self._redis.publish(f"updates {update.client_id}", appended.update)
            return replace(appended, is_broadcast=True)

        appended: AppendResult = self._redis.do("updates.append", command)
        return appended

    def hear(self, *message: Any) -> object:
        """Deliver an update."""
        return self._on_appended(*message)


class CountedAudio:
    """Opened audio whose reads are counted, and what they would be for an object store. It has all that audio has."""

    def __init__(
        self, source: Any, name: str, counts: Counter[str], blocks: OrderedDict[tuple[str, int], None]
    ) -> None:
        self._source = source
        self._name = name
        self._counts = counts
        self._blocks = blocks

    def __getattr__(self, name: str) -> Any:
        return getattr(self._source, name)

    def is_current(self) -> bool:
        """Return False, as an object store does: each join asks it for the object."""
        return False

    def read(self, offset: int, length: int) -> Any:
        """Read, and count."""
        self._counts["audio reads"] += 1
        self._counts["audio bytes read"] += length
        for number in range(offset // BLOCK_BYTES, (offset + length - 1) // BLOCK_BYTES + 1):
            block = (self._name, number)
            if block in self._blocks:
                self._blocks.move_to_end(block)
                continue
            self._counts["object GETs"] += 1
            self._blocks[block] = None
            if len(self._blocks) > CACHED_BLOCKS:
                self._blocks.popitem(last=False)
        return self._source.read(offset, length)


class CountedAudioSources(InMemoryAudioSources):
    """Audio in memory, of which one server reads."""

    def __init__(self, audios: dict[str, bytes], counts: Counter[str]) -> None:
        super().__init__(audios)
        self._counts = counts
        self._blocks: OrderedDict[tuple[str, int], None] = OrderedDict()

    def open(self, locator: Any, *, growing: bool = False) -> Any:
        """Open, and count."""
        self._counts["audio opens"] += 1
        return CountedAudio(super().open(locator, growing=growing), locator.path, self._counts, self._blocks)


class Subscribers:
    """The ways to the subscribers of one server, who take everything."""

    def __init__(self, counts: Counter[str]) -> None:
        self._counts = counts
        self.heard: dict[str, list[int]] = {}
        self.positions: dict[str, Position] = {}

    def confirm(self, connection_id: str, subscription: Subscription) -> Handover:
        """Take a confirmation and the updates that were missed."""
        self.positions[connection_id] = subscription.latest
        self.heard.setdefault(connection_id, []).extend(update.seq for update in subscription.missed)
        self._counts["updates recovered"] += len(subscription.missed)
        return Handover.TAKEN

    def emit(self, connection_id: str, update: SequencedUpdate, *, with_position: bool) -> Handover:  # noqa: ARG002
        """Take an update."""
        self.positions[connection_id] = Position(update.epoch, update.seq)
        self.heard.setdefault(connection_id, []).append(update.seq)
        self._counts["updates delivered"] += 1
        return Handover.TAKEN

    def break_off(self, connection_id: str) -> None:
        """Never be asked: nobody here is too slow."""
        raise AssertionError(connection_id)

    def end(self, *_: object) -> Handover:
        """Take the end of a subscription."""
        return Handover.TAKEN


class VirtualRuntime:
    """The part of the runtime that the domain uses, in virtual time. The costs of work are counted elsewhere."""

    def __init__(self, time: VirtualTime) -> None:
        self._time = time

    def spawn(self, work: Callable[[], object]) -> None:
        """Run `work` as soon as the caller waits."""
        self._time.at(self._time.now(), work)

    def pause(self, seconds: float) -> None:
        """Suspend the caller for `seconds`."""
        self._time.wait(seconds)

    def checkpoint(self) -> None:
        """Do nothing: a turn takes no time here."""


class Node:
    """One server: a process on a core."""

    def __init__(self, cluster: "Cluster", environment: dict[str, str]) -> None:
        self.time = cluster.time
        self.costs = cluster.costs
        self.counts: Counter[str] = Counter()
        self.core = OneAtATime(self.time)
        self.alive = True
        self.listeners: dict[str, Listener] = {}
        self._redis = cluster.redis
        self._pubsub = PubSub()
        self.subscribers = Subscribers(self.counts)
        container = Container()
        container.settings.override(read_settings(environment))
        container.clock.override(self.time)
        container.runtime.override(VirtualRuntime(self.time))
        # Its parts are those below; uploads and the counts of listeners are not part of the model.
        container.storage.override(SimpleNamespace(listener_counts=None))
        container.upload_storage.override(SimpleNamespace(sources=None, spool=None))
        container.catalog_store.override(SharedCatalogStore("catalog", cluster.store, self._redis, self._pubsub))
        container.update_log.override(SharedUpdateLog("updates", cluster.log, self._redis, self._pubsub))
        container.cue_store.override(InMemoryCueStore())
        container.audio_sources.override(CountedAudioSources(cluster.audios, self.counts))
        container.ui_emitter.override(self.subscribers)
        self.catalog = container.catalog()
        self.streaming = container.streaming()
        self.router = container.router()
        self._pump = container.pump()
        self._pump.on_due.connect(self._wake)
        self._turn_at: float | None = None

    def die(self) -> None:
        """Do nothing any more."""
        self.alive = False
        self._redis.forget(self._pubsub)

    def _wake(self) -> None:
        self._plan(self.time.now())

    def _plan(self, time: float) -> None:
        # When a core is behind, what it is to do next comes after what it has to do before.
        time = max(time, self.core.free_at)
        if self._turn_at is None or time < self._turn_at:
            self._turn_at = time
            self.time.at(time, partial(self._turn, time))

    def _turn(self, time: float) -> None:
        if time != self._turn_at or not self.alive:
            return
        self._turn_at = None
        self.counts["pump turns"] += 1
        delay = self._pump.turn()
        if delay is not None:
            self._plan(self.time.now() + delay)


@dataclass
class Playing:
    """How a listener's player grants credit, as the browser client does (clients/js/src/credit.ts).

    `bytes_per_second` is that of the audio, `window` and `ahead_seconds` are the client's.
    """

    bytes_per_second: float
    window: int = 48 * 1024
    ahead_seconds: float = 30.0

    @property
    def step(self) -> float:
        """Credit is granted in steps of so many bytes."""
        return min(self.window / 8, self.bytes_per_second * 2)


class Listener:
    """One listener, which resumes at its offset on another server when its own is killed. Reads all at once."""

    def __init__(self, cluster: "Cluster", name: str, stream_id: str, offset: int = 0, **request: Any) -> None:
        self._cluster = cluster
        self._time = cluster.time
        self.name = name
        self.stream_id = stream_id
        self.offset = offset
        self.ended: str | None = None
        self.node: Node | None = None
        self.asked_at = 0.0
        self.first_audio_after: float | None = None
        self._request = request
        self._playing: Playing | None = request.pop("playing", None)
        self._acknowledged = 0
        self._played_from: tuple[float, int] | None = None
        self._looks_again = False

    def join(self, node: Node) -> None:
        """Come to a server: an action."""
        self.node, self.asked_at, self.first_audio_after = node, self._time.now(), None
        node.core.use(node.costs.join)
        if not node.alive:
            return
        node.counts["joins"] += 1
        node.listeners[self.name] = self
        self._acknowledged = self.offset
        window = self._playing.window if self._playing else None
        request = ListenRequest(self.stream_id, self.offset, window=window, **self._request)
        try:
            node.streaming.join(self.name, request, self)
        except StreamNotFound:
            self.ended = "not found"

    def peer(self) -> Peer:
        """Return who it is."""
        return Peer(Transport.SOCKETIO, "")

    def emit(self, *events: ListenerEvent) -> None:
        """Hear what happens."""
        for event in events:
            self._counts["control events"] += 1
            if isinstance(event, StartOfStream):
                self._request["epoch"] = event.epoch
            elif isinstance(event, EndOfStream):
                self.ended = "complete"
            elif isinstance(event, StreamFailed):
                self.ended = event.error.error_code

    def together(self) -> AbstractContextManager[None]:
        """Change nothing."""
        return nullcontext()

    def send_audio(self, batch: AudioBatch, start: int, stop: int) -> int:
        """Take all of it, and check that nothing is missing or repeated."""
        assert start == self.offset
        node, counts = self.node, self._counts
        assert node is not None
        node.core.take(node.costs.batch)
        chunks = batch.chunks(start, stop)
        self.offset += sum(map(len, chunks))
        assert self.offset == stop
        counts["batches"] += 1
        counts["chunks"] += len(chunks)
        counts["audio bytes"] += stop - start
        counts["wire bytes"] += sum(len(chunk) + len(self._cluster.framing.overhead(len(chunk))) for chunk in chunks)
        if self.first_audio_after is None:
            self.first_audio_after = self._time.now() - self.asked_at
        if self._playing is not None:
            self._played_from = self._played_from or (self._time.now(), start)
            self._look_at_credit(self._time.now())
        return stop - start

    def send_cues(self, piece: CuePiece) -> bool:  # noqa: ARG002
        """Take them."""
        return True

    def when_ready(self, callback: Callable[[], None]) -> None:  # noqa: ARG002
        """Never be asked: a listener here takes everything."""
        raise AssertionError

    def intake(self) -> Intake:
        """Never be asked, as with `when_ready`."""
        raise AssertionError

    def detach(self) -> None:
        """Hear nothing more."""

    def break_off(self) -> None:
        """Never be cut off."""
        raise AssertionError

    @property
    def _counts(self) -> Counter[str]:
        assert self.node is not None
        return self.node.counts

    def _look_at_credit(self, time: float) -> None:
        if not self._looks_again:
            self._looks_again = True
            assert self.node is not None
            self._time.at(time, partial(self._grant, self.node))

    def _grant(self, node: Node) -> None:
        """Acknowledge as far as the playhead wants audio, if that is a step; else look again when it will be."""
        self._looks_again = False
        playing, played_from = self._playing, self._played_from
        if playing is None or played_from is None or self.ended or self.node is not node or not node.alive:
            return
        since, start = played_from
        played = min(start + (self._time.now() - since) * playing.bytes_per_second, self.offset)
        wanted = playing.ahead_seconds * playing.bytes_per_second - (self.offset - played)
        reach = int(self.offset + max(0.0, wanted) - playing.window)
        acknowledged = min(self.offset, reach)
        if acknowledged - self._acknowledged >= playing.step:
            self._acknowledged = acknowledged
            self._counts["acknowledgements"] += 1
            node.streaming.acknowledge(self.name, acknowledged)
        elif reach < self.offset:  # All arrived that was granted: it is the playhead that has to go on.
            missing = (self._acknowledged + playing.step - reach) / playing.bytes_per_second
            self._look_at_credit(self._time.now() + max(missing, 0.01))


class Cluster:
    """So many servers over one Redis. `environment` is their settings'."""

    def __init__(self, nodes: int, audios: dict[str, bytes], costs: Costs | None = None, **environment: str) -> None:
        self.time = VirtualTime()
        self.costs = costs or Costs()
        self.audios = audios
        self.framing = chunk_framing(audio_chunk_envelope(NAMESPACE))
        self._redis_counts: Counter[str] = Counter()
        self.redis = VirtualRedis(self.time, self.costs, self._redis_counts)
        epochs = count(1)
        store = ServersCatalogStore()
        store.on_change.connect(
            lambda stream_id, stream: self.redis.publish(f"catalog {stream_id}", stream_id, stream)
        )
        log: Any = InMemoryUpdateLog(500, 300.0, lambda: f"epoch-{next(epochs)}")
        self.store, self.log = store, log
        settings = {"ASF_DATABASE": ":memory:", "ASF_MAX_LISTENERS": "1000000", **environment}
        self.nodes = [Node(self, settings) for _ in range(nodes)]
        self._counted: Counter[str] = Counter()

    @property
    def alive(self) -> list[Node]:
        """The servers that live."""
        return [node for node in self.nodes if node.alive]

    def announce(self, stream_id: str, state: StreamState = StreamState.COMPLETE) -> None:
        """Announce the audio of that name at the first server, at once."""
        catalog = self.alive[0].catalog
        self.at_once(lambda: catalog.announce(Announcement(stream_id, catalog.locate(stream_id), state)))

    def publish(self, node: Node, client_id: str, data: object = None) -> None:
        """Publish an update at a server: an action."""
        node.counts["updates posted"] += 1
        node.router.publish(UiUpdate(client_id, "progress", data))

    def at_once(self, action: Callable[[], object]) -> None:
        """Run an action, and wait for it."""
        self.time.at(self.time.now(), action)
        self.run(0.1)

    def run(self, seconds: float) -> None:
        """Let time pass."""
        self.time.run(self.time.now() + seconds)

    def kill(self, node: Node) -> Iterator[Listener]:
        """Let a server die, and return those who were on it."""
        node.die()
        return (listener for listener in node.listeners.values() if listener.ended is None)

    @property
    def totals(self) -> Counter[str]:
        """All that was counted so far, of all servers and of Redis."""
        return sum((node.counts for node in self.nodes), self._redis_counts)

    def counted(self) -> Counter[str]:
        """Return what was counted since this was asked last."""
        totals = self.totals
        since, self._counted = totals - self._counted, totals
        return since
