"""What several servers cost is counted rightly, in virtual time."""

import gc
from collections.abc import Iterator
from functools import partial
from math import ceil

import pytest

from benchmarks.scaling import scenarios
from benchmarks.scaling.cluster import BLOCK_BYTES, Cluster, Costs, Listener, Playing
from benchmarks.scaling.scenarios import AUDIO_BYTES_PER_SECOND
from benchmarks.scaling.virtual_time import OneAtATime, VirtualTime

CHUNK_BYTES = 4096
BATCH_BYTES = 3 * CHUNK_BYTES
SECONDS = 20.0
SIZE = int(SECONDS * AUDIO_BYTES_PER_SECOND)


@pytest.fixture(autouse=True)
def _collect() -> Iterator[None]:
    """Give the memory of a simulation back: its parts know each other."""
    yield
    gc.collect()


class TestCounts:
    """What is counted is what it must be."""

    @pytest.mark.parametrize(("nodes", "listeners"), [(1, 12), (3, 12), (3, 24)])
    def test_listeners_of_one_stream(self, nodes: int, listeners: int) -> None:
        """Each costs one look-up and its own bytes; each server reads the audio once, however many listen."""
        counts = scenarios.release(nodes, listeners, within=2.0, length=SECONDS)
        assert counts["joins"] == listeners
        assert counts["redis catalog.get"] == counts["redis commands"] == listeners
        assert counts["redis messages"] == 0
        assert counts["audio bytes"] == listeners * SIZE
        assert counts["chunks"] == listeners * ceil(SIZE / CHUNK_BYTES)
        assert counts["batches"] == listeners * ceil(SIZE / BATCH_BYTES)
        assert counts["audio reads"] == nodes * ceil(SIZE / BATCH_BYTES)
        assert counts["audio bytes read"] == nodes * SIZE
        assert counts["object GETs"] == nodes * ceil(SIZE / BLOCK_BYTES)

    @pytest.mark.parametrize("nodes", [1, 3])
    def test_listeners_who_wait(self, nodes: int) -> None:
        """Each looks twice; each server follows the stream once, and hears once of it."""
        counts = scenarios.waiting(nodes, 12, length=SECONDS)
        assert counts["redis catalog.get"] == 24
        assert counts["redis subscribe"] == counts["redis messages"] == counts["redis unsubscribe"] == nodes
        assert counts["audio bytes"] == 12 * SIZE
        assert counts["audio reads"] == nodes * ceil(SIZE / BATCH_BYTES)

    @pytest.mark.parametrize("nodes", [1, 3])
    def test_audio_that_is_being_made(self, nodes: int) -> None:
        """Every byte reaches every listener, is read once by each server, and passes Redis never."""
        counts = scenarios.growing(nodes, 12, length=SECONDS)
        assert counts["redis catalog.get"] == 24
        assert counts["redis subscribe"] == counts["redis messages"] == counts["redis unsubscribe"] == nodes
        assert counts["redis commands"] == 24 + 2 * nodes
        assert counts["audio bytes"] == 12 * SIZE
        assert counts["audio bytes read"] == nodes * SIZE

    def test_a_server_that_dies(self) -> None:
        """Those who were on it, and no others, come again, each with one look-up, and every byte comes once."""
        counts = scenarios.death(4, 40, length=SECONDS)
        assert counts["joins"] == counts["redis commands"] == 10
        whole = scenarios.release(4, 40, within=5.0, length=SECONDS)
        assert (
            0 < counts["audio bytes"] < whole["audio bytes"]
        )  # The listeners check that none is missing or repeated.

    @pytest.mark.parametrize("nodes", [1, 3])
    def test_updates(self, nodes: int) -> None:
        """An update is a script, and a message to the one server that has somebody for it, wherever it is posted."""
        counts = scenarios.updates(nodes, 10, 3)
        assert counts["redis updates.recover"] == counts["redis subscribe"] == 10
        assert counts["redis updates.append"] == counts["redis messages"] == counts["updates posted"] == 30
        assert counts["redis commands"] == 50
        assert counts["updates delivered"] == 30

    def test_listening_at_its_pace(self) -> None:
        """What is sent each second is what is heard, whoever sets the pace: the setting, a browser, or the audio."""
        for pace, browser in ((scenarios.REAL_TIME, False), (scenarios.DEFAULT, True), (scenarios.DEFAULT, False)):
            counts = scenarios.listening(2, 30, pace, browser=browser, seconds=60.0)
            assert counts["audio bytes"] / 30 / 60 == pytest.approx(AUDIO_BYTES_PER_SECOND, rel=0.02)
            assert bool(counts["acknowledgements"]) is browser
            assert counts["redis commands"] == 0

    def test_all_start_within_a_minute(self) -> None:
        """Each is sent two minutes of audio at once, and then as much as is heard."""
        counts = scenarios.starting(2, 120, 60.0)
        each_second = counts["audio bytes"] / 120 / scenarios.LAST_SECONDS
        assert each_second == pytest.approx((120 / 60 + 55 / 60) * AUDIO_BYTES_PER_SECOND, rel=0.15)

    def test_many_cost_as_many_times_as_much(self) -> None:
        """So what is counted of few may be multiplied."""
        few, many = (
            scenarios.listening(2, listeners, scenarios.DEFAULT, browser=True, seconds=30.0) for listeners in (20, 60)
        )
        for name in ("batches", "chunks", "wire bytes", "acknowledgements"):
            assert many[name] == pytest.approx(3 * few[name], rel=0.02)

    def test_a_browser_is_never_more_than_its_window_ahead_of_what_it_acknowledged(self) -> None:
        """And goes no further ahead of the playhead than it wants to."""
        cluster = Cluster(1, {"episode": scenarios.episode(120.0)})
        cluster.announce("episode")
        listener = Listener(cluster, "listener", "episode", playing=Playing(AUDIO_BYTES_PER_SECOND))
        cluster.at_once(partial(listener.join, cluster.nodes[0]))
        start = cluster.time.now()
        for _ in range(60):
            cluster.run(1.0)
            ahead = listener.offset - (cluster.time.now() - start) * AUDIO_BYTES_PER_SECOND
            assert ahead <= 31 * AUDIO_BYTES_PER_SECOND
        assert ahead > 25 * AUDIO_BYTES_PER_SECOND


class TestVirtualTime:
    """What takes time takes it, in the right order."""

    def test_everything_happens_in_order(self) -> None:
        """Things of the same time in the order in which they were asked for."""
        time = VirtualTime()
        happened: list[tuple[str, float]] = []

        def waiting(name: str) -> None:
            happened.append((name, time.now()))
            time.wait(1.0)
            happened.append((name, time.now()))

        time.at(2.0, partial(waiting, "later"))
        time.at(1.0, partial(waiting, "first"))
        time.at(1.0, partial(waiting, "second"))
        time.run(10.0)
        assert happened == [
            ("first", 1.0), ("second", 1.0), ("later", 2.0), ("first", 2.0), ("second", 2.0), ("later", 3.0)
        ]  # fmt: skip
        assert time.now() == 10.0

    def test_one_does_one_thing_after_the_other(self) -> None:
        """Whoever comes last waits for all the others."""
        time = VirtualTime()
        core = OneAtATime(time)
        done: list[float] = []

        def work() -> None:
            core.use(0.5)
            done.append(time.now())

        for _ in range(4):
            time.at(1.0, work)
        time.run(10.0)
        assert done == [1.5, 2.0, 2.5, 3.0]
        assert core.busy == 2.0

    def test_a_look_up_takes_its_way_and_its_turn_in_redis(self) -> None:
        """Two who come at once: the second one has its audio when Redis has dealt with both."""
        cluster = Cluster(2, {"episode": bytes(CHUNK_BYTES)}, Costs(way=0.2, command=1.0))
        cluster.announce("episode")
        cluster.run(10.0)
        listeners = [Listener(cluster, f"listener-{number}", "episode") for number in range(2)]
        for listener, node in zip(listeners, cluster.nodes, strict=True):
            cluster.time.at(cluster.time.now(), partial(listener.join, node))
        cluster.run(10.0)
        assert [listener.first_audio_after for listener in listeners] == [pytest.approx(1.2), pytest.approx(2.2)]

    def test_more_joins_than_a_core_can_take(self) -> None:
        """Nobody waits for long below that rate; above it everybody for what is too much."""
        costs = Costs(way=0.0, join=0.01)
        assert scenarios.storm(50.0, costs, seconds=10.0).p99 < 0.1
        assert scenarios.storm(200.0, costs, seconds=10.0).p99 == pytest.approx(10.0, rel=0.1)
