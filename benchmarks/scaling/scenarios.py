"""Audiences, and what they cost: each function plays one and returns what was counted."""

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from statistics import quantiles

from asf.domain.streaming.pacing import Pace
from asf.domain.streams.stream import StreamState
from benchmarks.scaling.cluster import Cluster, Costs, Listener, Node, Playing

Counts = Counter[str]

AUDIO_BYTES_PER_SECOND = 16_000
"""128 kbit/s."""

FRAME_HEADER, FRAME_BYTES = b"\xff\xfb\x94", 384
"""MP3 of that bit rate at 48 kHz: 24 ms a frame."""

REAL_TIME = "0.256"
DEFAULT = "0.01"
"""Values of `ASF_STREAM_SLEEP_INTERVAL` with chunks of 4096 bytes: 128 kbit/s, and 3.3 Mbit/s."""

ANNOUNCEMENT = Counts({"redis catalog.get": 1, "redis catalog.put": 1, "redis commands": 2})
"""What an announcement costs."""

ARRIVING_SECONDS = 10.0
SETTLING_SECONDS = 50.0
"""How long listeners are given to have as much audio ahead as they get."""

LAST_SECONDS = 10.0
SEED = 1


def episode(seconds: float) -> bytes:
    """Return MP3 of that length, by its headers: the rest is random."""
    size = int(seconds * AUDIO_BYTES_PER_SECOND)
    content = random.Random(SEED)
    body = FRAME_BYTES - len(FRAME_HEADER)
    return b"".join(FRAME_HEADER + content.randbytes(body) for _ in range(-(-size // FRAME_BYTES)))[:size]


def _spread(cluster: Cluster, number: int) -> Node:
    """Return where a listener goes: a balancer that goes round all servers that live."""
    return cluster.alive[number % len(cluster.alive)]


def _audience(cluster: Cluster, listeners: int, within: float, make: Callable[[int], Listener]) -> list[Listener]:
    """Let listeners come at random times within so many seconds."""
    times = random.Random(SEED)
    audience = [make(number) for number in range(listeners)]
    for number, listener in enumerate(audience):
        time = cluster.time.now() + times.uniform(0, within)
        cluster.time.at(time, partial(listener.join, _spread(cluster, number)))
    return audience


def listening(
    nodes: int,
    listeners: int,
    pace: str,
    *,
    browser: bool,
    seconds: float = 60.0,
    length: float = 1800.0,
    episodes: int = 1,
) -> Counts:
    """Count what so many seconds of listening cost: listeners all over the episodes, a while after all have come.

    With `browser` they grant credit as the browser client does, else they take what is sent.
    """
    audio = episode(length)
    size = len(audio)
    names = [f"episode-{number}" for number in range(episodes)]
    cluster = Cluster(nodes, dict.fromkeys(names, audio), ASF_STREAM_SLEEP_INTERVAL=pace)
    for name in names:
        cluster.announce(name)
    offsets = random.Random(SEED + 1)
    audience = _audience(
        cluster,
        listeners,
        ARRIVING_SECONDS,
        lambda number: Listener(
            cluster,
            f"listener-{number}",
            names[number % episodes],
            offset=offsets.randrange(size // 2),
            playing=Playing(AUDIO_BYTES_PER_SECOND) if browser else None,
        ),
    )
    cluster.run(ARRIVING_SECONDS + SETTLING_SECONDS)
    cluster.counted()
    cluster.run(seconds)
    assert all(listener.ended is None for listener in audience)
    return cluster.counted()


def starting(nodes: int, listeners: int, within: float) -> Counts:
    """Count the last `LAST_SECONDS` of the time in which everybody comes: at the default pace, without a window."""
    cluster = Cluster(nodes, {"episode": episode(600.0)})
    cluster.announce("episode")
    _audience(cluster, listeners, within, lambda number: Listener(cluster, f"listener-{number}", "episode"))
    cluster.run(within - LAST_SECONDS)
    cluster.counted()
    cluster.run(LAST_SECONDS)
    return cluster.counted()


def release(nodes: int, listeners: int, within: float, length: float = 60.0, pace: str = REAL_TIME) -> Counts:
    """Count what it costs that everybody comes within so many seconds, and hears one episode to its end."""
    cluster = Cluster(nodes, {"episode": episode(length)}, ASF_STREAM_SLEEP_INTERVAL=pace)
    cluster.announce("episode")
    cluster.counted()
    audience = _audience(
        cluster, listeners, within, lambda number: Listener(cluster, f"listener-{number}", "episode")
    )
    cluster.run(within + length + 5)
    assert all(listener.ended == "complete" for listener in audience)
    return cluster.counted()


def waiting(nodes: int, listeners: int, length: float = 60.0) -> Counts:
    """Count what it costs that everybody waits for an episode that is then announced; without the announcement."""
    cluster = Cluster(nodes, {"episode": episode(length)}, ASF_STREAM_SLEEP_INTERVAL=REAL_TIME)
    audience = _audience(
        cluster,
        listeners,
        ARRIVING_SECONDS,
        lambda number: Listener(cluster, f"listener-{number}", "episode", wait=True),
    )
    cluster.run(ARRIVING_SECONDS + 1)
    cluster.announce("episode")
    cluster.run(length + 5)
    assert all(listener.ended == "complete" for listener in audience)
    return cluster.counted() - ANNOUNCEMENT


def growing(nodes: int, listeners: int, length: float = 30.0) -> Counts:
    """Count what it costs to hear an episode while it is being made, at the speed at which it is heard.

    Without the announcements themselves.
    """
    whole = episode(length)
    audios = {"episode": b""}
    cluster = Cluster(nodes, audios, ASF_STREAM_SLEEP_INTERVAL=REAL_TIME)
    cluster.announce("episode", StreamState.GENERATING)
    cluster.counted()
    audience = _audience(cluster, listeners, 5.0, lambda number: Listener(cluster, f"listener-{number}", "episode"))
    for second in range(int(length)):
        audios["episode"] = whole[: (second + 1) * AUDIO_BYTES_PER_SECOND]
        cluster.run(1.0)
    cluster.announce("episode")
    cluster.run(length)
    assert all(listener.ended == "complete" for listener in audience)
    assert {listener.offset for listener in audience} == {len(whole)}
    return cluster.counted() - ANNOUNCEMENT


def death(nodes: int, listeners: int, length: float = 60.0) -> Counts:
    """Count what it costs that a server dies in mid-episode: from its death to the episode's end, everywhere.

    Its listeners come back after half a second to one and a half, as Socket.IO's clients do.
    """
    cluster = Cluster(nodes, {"episode": episode(length)}, ASF_STREAM_SLEEP_INTERVAL=REAL_TIME)
    cluster.announce("episode")
    audience = _audience(cluster, listeners, 5.0, lambda number: Listener(cluster, f"listener-{number}", "episode"))
    cluster.run(length / 2)
    cluster.counted()
    delays = random.Random(SEED)
    for number, listener in enumerate(cluster.kill(cluster.nodes[-1])):
        time = cluster.time.now() + delays.uniform(0.5, 1.5)
        cluster.time.at(time, partial(listener.join, _spread(cluster, number)))
    cluster.run(length + 5)
    assert all(listener.ended == "complete" for listener in audience)
    return cluster.counted()


def updates(nodes: int, clients: int, each: int) -> Counts:
    """Count what it costs to subscribe, and then to publish updates to each client at a server of no matter which."""
    cluster = Cluster(nodes, {})
    places = random.Random(SEED)
    for number in range(clients):
        node = _spread(cluster, number)
        action = partial(node.router.subscribe, f"connection-{number}", f"client-{number}")
        cluster.time.at(cluster.time.now() + places.uniform(0, 5), action)
    cluster.run(6)
    for one in range(each):
        for number in range(clients):
            time = cluster.time.now() + places.uniform(0, 1)
            cluster.time.at(time, partial(cluster.publish, places.choice(cluster.nodes), f"client-{number}", one))
        cluster.run(2)
    heard = [seqs for node in cluster.nodes for seqs in node.subscribers.heard.values()]
    assert all(seqs == sorted(set(seqs)) for seqs in heard)
    return cluster.counted()


@dataclass(frozen=True)
class Wait:
    """How long listeners wait for their first audio, in seconds."""

    median: float
    p99: float


def storm(joins_per_second: float, costs: Costs, seconds: float = 20.0) -> Wait:
    """Return how long they wait who come to one server at that rate. There is hardly any audio to send besides."""
    cluster = Cluster(1, {"episode": episode(60)}, costs, ASF_STREAM_SLEEP_INTERVAL="30")
    cluster.announce("episode")
    audience = _audience(
        cluster,
        int(joins_per_second * seconds),
        seconds,
        lambda number: Listener(cluster, f"listener-{number}", "episode"),
    )
    while any(listener.first_audio_after is None for listener in audience):
        cluster.run(seconds)
    waits = [listener.first_audio_after for listener in audience]
    cuts = quantiles([wait for wait in waits if wait is not None], n=100)
    return Wait(cuts[49], cuts[98])


def batches_per_second(pace: str) -> float:
    """Return how many batches a listener is sent each second who takes everything, by the domain's own grouping."""
    seconds = float(pace)
    return 1 / Pace(4096, seconds).seconds_for(Pace(4096, seconds).batch_bytes)
