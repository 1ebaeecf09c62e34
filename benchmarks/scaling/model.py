"""Capacity model: counts of the simulation times measured costs, under stated assumptions."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from math import ceil
from typing import Any

from asf.adapters.redis_store.connection import MAX_CONNECTIONS
from asf.adapters.redis_store.update_log import COPIES_OF_CLIENT_ID, MAX_BYTES, MAX_CLIENTS, OVERHEAD_BYTES
from asf.settings import read_settings
from benchmarks.scaling import scenarios
from benchmarks.scaling.cluster import BLOCK_BYTES, Costs
from benchmarks.scaling.scenarios import AUDIO_BYTES_PER_SECOND, DEFAULT, REAL_TIME, Counts, Wait

SIZES = (10_000, 1_000_000, 10_000_000)
"""Numbers of concurrent listeners."""

STORMS = (100, 200, 300, 400)
"""Joins per second at one server."""

REDIS_CONNECTIONS_PER_NODE = MAX_CONNECTIONS + 1
"""The pool, and one connection for pub/sub."""

REDIS_MOST_CONNECTIONS = 10_000
"""Redis's `maxclients`, if nothing is set."""

SETTINGS = read_settings({})
CLIENT_ID_BYTES = 16
UPDATE_BYTES = 150
"""What an update of about 100 bytes of data has in texts, its event's name and time included."""

ACCOUNTED_BYTES = OVERHEAD_BYTES + UPDATE_BYTES + COPIES_OF_CLIENT_ID * CLIENT_ID_BYTES
"""What such an update counts for, of the bytes that the history may have."""


@dataclass(frozen=True)
class Assumptions:
    """What nobody measured. Each can be set on the command line."""

    episode_seconds: float = 1800.0
    release_seconds: float = 60.0
    updates_per_listener_minute: float = 1.0
    streams: int = 100_000
    core_share: float = 0.6
    machine_cores: int = 16
    machine_spare_cores: int = 1
    machine_memory_gb: float = 64.0
    machine_gbit: float = 10.0
    network_share: float = 0.7
    packet_overhead: float = 1.062
    object_requests_per_second: float = 5_500.0


@dataclass(frozen=True)
class Audience:
    """One way of listening: what a listener costs each second."""

    name: str
    batches: float
    chunks: float
    wire_bytes: float
    acknowledgements: float
    cpu_us: float


@dataclass(frozen=True)
class Limit:
    """Something that can be too much: `demand` and `capacity` in the same unit."""

    name: str
    demand: float
    capacity: float
    remedy: str

    @property
    def load(self) -> float:
        """How much of it is needed; above 1 it breaks."""
        return self.demand / self.capacity


class Model:
    """Everything that the document says.

    `results` are those of `make bench`, `units` those of benchmarks/scaling/units.py.
    """

    def __init__(
        self, results: Mapping[str, Any], units: Mapping[str, float], assumptions: Assumptions | None = None
    ) -> None:
        self.results = results
        self.units = units
        self.assumptions = assumptions or Assumptions()

    # What the simulation counts. The sizes do not matter: tests show that twice as many cost twice as much.

    @cached_property
    def at_real_time(self) -> Audience:
        """Listeners that are sent audio as fast as it is heard."""
        counts = scenarios.listening(2, 100, REAL_TIME, browser=False)
        return self._audience("`ASF_STREAM_SLEEP_INTERVAL=0.256` (128 kbit/s)", counts, 100, 60.0)

    @cached_property
    def in_browsers(self) -> Audience:
        """Browser clients, who set the pace by granting credit, at the default settings."""
        counts = scenarios.listening(2, 50, DEFAULT, browser=True)
        return self._audience("default settings, browser client (`window`)", counts, 50, 60.0)

    @cached_property
    def without_window(self) -> Audience:
        """Listeners without a window at the default settings, once they have `ASF_AHEAD_SECONDS` of audio."""
        counts = scenarios.listening(2, 100, DEFAULT, browser=False)
        return self._audience("default settings, no `window`", counts, 100, 60.0)

    @cached_property
    def starting_bit_rate(self) -> float:
        """Bits a second on the cable for each of the listeners without a window who all start in the same minute."""
        listeners = 200
        counts = scenarios.starting(2, listeners, self.assumptions.release_seconds)
        return self._bits(counts["wire bytes"] / listeners / scenarios.LAST_SECONDS)

    @cached_property
    def audiences(self) -> list[Audience]:
        """The three ways of listening."""
        return [self.at_real_time, self.in_browsers, self.without_window]

    @cached_property
    def release_counts(self) -> Counts:
        """What 100 listeners on 4 servers cost who hear one minute from its beginning to its end."""
        return scenarios.release(4, 100, 10.0)

    @cached_property
    def waiting_counts(self) -> Counts:
        """What 100 listeners on 4 servers cost who wait for one episode."""
        return scenarios.waiting(4, 100)

    @cached_property
    def growing_counts(self) -> Counts:
        """What 100 listeners on 4 servers cost who hear one episode that is being made."""
        return scenarios.growing(4, 100)

    @cached_property
    def death_counts(self) -> Counts:
        """What it costs that one of 4 servers with 100 listeners dies."""
        return scenarios.death(4, 100)

    @cached_property
    def update_counts(self) -> Counts:
        """What 100 clients on 4 servers cost who get 5 updates each."""
        return scenarios.updates(4, 100, 5)

    @cached_property
    def many_episodes_gets(self) -> float:
        """Requests to an object store for each listener and second, where all on a server hear other episodes."""
        counts = scenarios.listening(1, 300, REAL_TIME, browser=False, episodes=300)
        return counts["object GETs"] / 300 / 60.0

    @cached_property
    def storms(self) -> list[tuple[int, Wait]]:
        """How long listeners wait who come to one server at such rates."""
        costs = Costs(way=0.0005, command=self.units["redis_get_us"] / 1e6, join=self.join_cpu_us / 1e6)
        return [(rate, scenarios.storm(rate, costs)) for rate in STORMS]

    def _audience(self, name: str, counts: Counts, listeners: int, seconds: float) -> Audience:
        each = {key: value / listeners / seconds for key, value in counts.items()}
        acknowledgements = each.get("acknowledgements", 0.0)
        rate = each["batches"]
        per_batch = self.batch_us(DEFAULT if "no `window`" in name else REAL_TIME)
        cpu = rate * per_batch + acknowledgements * self.units["node_acknowledgement_us"]
        return Audience(name, rate, each["chunks"], each["wire bytes"], acknowledgements, cpu)

    # What one of each costs.

    def batch_us(self, pace: str) -> float:
        """CPU of a server for a batch, in microseconds: all that it used, with as many listeners as were measured."""
        title = "128 kbit/s in real time" if pace == REAL_TIME else "default pace (3.3 Mbit/s)"
        point = self.results["growth"][title][-1]
        batches = scenarios.batches_per_second(pace)
        return float(point["core_share"]) / float(point["listeners"]) / batches * 1e6

    @cached_property
    def join_cpu_us(self) -> float:
        """CPU of a server for a join: connecting, joining, the look-up; and a subscription to UI updates."""
        units = self.units
        return (
            float(self.results["cpu_per_join"]["asf"]["cpu_us_per_join"])
            + units["node_get_us"]
            + units["node_ui_subscription_us"]
            + units["node_recover_us"]
            + units["node_subscribe_us"]
        )

    @cached_property
    def join_redis_us(self) -> float:
        """CPU of Redis for the same."""
        return self.units["redis_get_us"] + self.units["redis_recover_us"] + self.units["redis_subscribe_us"]

    @cached_property
    def update_redis_us(self) -> float:
        """CPU of Redis for an update: keep it, tell the server that has somebody for it, and count these."""
        return self.units["redis_append_us"]

    @cached_property
    def update_cpu_us(self) -> float:
        """CPU of servers for an update in a request of its own: the request, and asking Redis."""
        return 1e6 / float(self.results["relays"]["asf"]["relays_per_cpu_second"]) + self.units["node_append_us"]

    @cached_property
    def listener_bytes(self) -> float:
        """Memory of a server for a listener with a subscription to UI updates."""
        return (
            float(self.results["memory"]["asf"]["process_bytes_per_listener"])
            + self.units["node_ui_subscription_bytes"]
        )

    @cached_property
    def stalled_bytes(self) -> float:
        """The same, with what the kernel keeps for one that does not read."""
        return self.listener_bytes + float(self.results["memory_stalled"]["asf"]["kernel_bytes_per_listener"])

    # What a server holds.

    def bit_rate(self, audience: Audience) -> float:
        """Return the bits a second on the cable, for one listener."""
        return self._bits(audience.wire_bytes)

    def _bits(self, wire_bytes: float) -> float:
        return wire_bytes * 8 * self.assumptions.packet_overhead

    def steady_cpu_us(self, audience: Audience) -> float:
        """Return the CPU of a server for one listener, each second, with all that comes along with it."""
        assumed = self.assumptions
        return (
            audience.cpu_us
            + self.join_cpu_us / assumed.episode_seconds
            + self.update_cpu_us * assumed.updates_per_listener_minute / 60
        )

    def release_cpu_us(self, audience: Audience) -> float:
        """Return the same for the time in which everybody comes."""
        return self.steady_cpu_us(audience) + self.join_cpu_us / self.assumptions.release_seconds

    @property
    def nodes_per_machine(self) -> int:
        """Servers on one machine: one for each core, without those that are left for the rest."""
        return self.assumptions.machine_cores - self.assumptions.machine_spare_cores

    def bounds(self, audience: Audience) -> dict[str, float]:
        """Return how many listeners a server can have, by what bounds them."""
        assumed = self.assumptions
        nodes = self.nodes_per_machine
        return {
            "CPU": assumed.core_share * 1e6 / self.steady_cpu_us(audience),
            "CPU, all within a minute": assumed.core_share * 1e6 / self.release_cpu_us(audience),
            "network": assumed.machine_gbit * 1e9 * assumed.network_share / nodes / self.bit_rate(audience),
            "memory": assumed.machine_memory_gb * 1e9 / nodes / self.stalled_bytes,
            "`ASF_MAX_LISTENERS`": float(SETTINGS.max_listeners),
        }

    @cached_property
    def node_holds(self) -> int:
        """Listeners that a server is given here: browser clients who may come all at once, in round hundreds."""
        return int(min(self.bounds(self.in_browsers).values()) // 100 * 100)

    # What so many listeners need.

    def machines(self, listeners: int) -> int:
        """Machines: as many as hold them, and one to spare."""
        return ceil(ceil(listeners / self.node_holds) / self.nodes_per_machine) + 1

    def nodes(self, listeners: int) -> int:
        """Servers on these, equally many on each."""
        machines = self.machines(listeners)
        return ceil(ceil(listeners / self.node_holds) / (machines - 1)) * machines

    def gbit(self, listeners: int, audience: Audience) -> float:
        """Gbit/s to the listeners."""
        return listeners * self.bit_rate(audience) / 1e9

    def starting_gbit(self, listeners: int) -> float:
        """Gbit/s to listeners without a window, at the end of the minute in which all of them start."""
        return listeners * self.starting_bit_rate / 1e9

    def joins(self, listeners: int, *, release: bool) -> float:
        """Return how many joins there are a second."""
        return listeners / (self.assumptions.release_seconds if release else self.assumptions.episode_seconds)

    def updates(self, listeners: int) -> float:
        """UI updates a second."""
        return listeners * self.assumptions.updates_per_listener_minute / 60

    def redis_commands(self, listeners: int, *, release: bool) -> float:
        """Commands a second, for joins with a subscription each, and for updates."""
        joins = self.joins(listeners, release=release)
        return joins * (self.commands_per_join + self.commands_per_subscription) + self.updates(listeners)

    @property
    def commands_per_join(self) -> float:
        """Redis commands for each join of a whole stream."""
        return self.release_counts["redis commands"] / self.release_counts["joins"]

    @property
    def commands_per_subscription(self) -> float:
        """Redis commands for each subscription to UI updates."""
        counts = self.update_counts
        return (counts["redis commands"] - counts["redis updates.append"]) / counts["redis updates.recover"]

    def redis_cores(self, listeners: int, *, release: bool) -> float:
        """Seconds of CPU of Redis, each second."""
        joins = self.joins(listeners, release=release) * self.join_redis_us
        return (joins + self.updates(listeners) * self.update_redis_us) / 1e6

    def redis_bytes(self, listeners: int) -> float:
        """Memory of Redis: the catalog, the history of UI updates as far as it is bounded, what is followed."""
        units = self.units
        kept = min(self.updates(listeners) * SETTINGS.ui_history_seconds, MAX_BYTES / ACCOUNTED_BYTES)
        return (
            self.assumptions.streams * units["redis_stream_bytes"]
            + (kept + min(listeners, MAX_CLIENTS)) * units["redis_first_update_bytes"]
            + listeners * units["redis_subscription_bytes"]
        )

    def history_bytes(self, listeners: int) -> float:
        """Return what the history of UI updates would count for if it were not bounded."""
        return self.updates(listeners) * SETTINGS.ui_history_seconds * ACCOUNTED_BYTES

    def history_seconds(self, listeners: int) -> float:
        """Return how far the history reaches back."""
        return min(SETTINGS.ui_history_seconds, MAX_BYTES / ACCOUNTED_BYTES / self.updates(listeners))

    def redis_connections(self, listeners: int) -> int:
        """Return how many connections to Redis there are at the most."""
        return self.nodes(listeners) * REDIS_CONNECTIONS_PER_NODE

    def redis_return_seconds(self, listeners: int) -> float:
        """How long Redis is busy, when it comes back, with all that servers follow and look for again."""
        return listeners * (self.units["redis_subscribe_us"] + self.units["redis_recover_us"]) / 1e6

    def death_cpu_seconds(self, listeners: int, nodes: int = 1) -> float:
        """Return the CPU that each other server spends on the listeners of so many that have died."""
        all_nodes = self.nodes(listeners)
        lost = listeners / all_nodes * nodes
        return lost / (all_nodes - nodes) * self.join_cpu_us / 1e6

    def machine_death_cpu_seconds(self, listeners: int) -> float:
        """Return the same for a machine that has died."""
        return self.death_cpu_seconds(listeners, self.nodes(listeners) // self.machines(listeners))

    @property
    def gets_per_episode(self) -> int:
        """Requests to an object store that one episode costs each server that has listeners of it."""
        return ceil(self.assumptions.episode_seconds * AUDIO_BYTES_PER_SECOND / BLOCK_BYTES)

    def limits(self, listeners: int) -> list[Limit]:
        """All that can be too much with one Redis and the settings as they are."""
        assumed = self.assumptions
        return [
            Limit(
                "network: all start within a minute, without a `window`",
                self.starting_gbit(listeners),
                self.machines(listeners) * assumed.machine_gbit * assumed.network_share,
                "pace",
            ),
            Limit(
                "network: all listen, with or without a `window`",
                max(self.gbit(listeners, audience) for audience in (self.in_browsers, self.without_window)),
                self.machines(listeners) * assumed.machine_gbit * assumed.network_share,
                "pace",
            ),
            Limit(
                f"UI history of {SETTINGS.ui_history_seconds:g} s in {MAX_BYTES // 2**20} MiB",
                self.history_bytes(listeners),
                MAX_BYTES,
                "history",
            ),
            Limit(f"UI history of {MAX_CLIENTS:,} clients", listeners, MAX_CLIENTS, "history"),
            Limit(
                "object store, one prefix: all join within a minute, and each join opens the object",
                self.joins(listeners, release=True) * self.opens_per_join,
                assumed.object_requests_per_second,
                "objects",
            ),
            Limit(
                "network of a server: its listeners play a long tail of episodes from an object store",
                listeners / self.nodes(listeners) * self.many_episodes_gets * BLOCK_BYTES * 8 / 1e9,
                assumed.machine_gbit * assumed.network_share / self.nodes_per_machine,
                "objects",
            ),
            Limit(
                "Redis core: all join within a minute",
                self.redis_cores(listeners, release=True),
                assumed.core_share,
                "cells",
            ),
            Limit(
                "Redis core: an ordinary day",
                self.redis_cores(listeners, release=False),
                assumed.core_share,
                "cells",
            ),
            Limit(
                f"connections to Redis, which accepts {REDIS_MOST_CONNECTIONS:,}",
                self.redis_connections(listeners),
                REDIS_MOST_CONNECTIONS,
                "cells",
            ),
            Limit(
                "CPU of the servers: all join within a minute",
                listeners * self.release_cpu_us(self.in_browsers) / 1e6,
                self.nodes(listeners) * assumed.core_share,
                "servers",
            ),
        ]

    @property
    def opens_per_join(self) -> float:
        """How often audio is opened for each join of a complete stream."""
        return self.release_counts["audio opens"] / self.release_counts["joins"]

    @property
    def cell_listeners(self) -> int:
        """Listeners for whom one Redis is enough: its core at a release, and the clients that it remembers."""
        return max(
            listeners
            for listeners in range(1000, MAX_CLIENTS + 1, 1000)
            if self.redis_cores(listeners, release=True) <= self.assumptions.core_share
        )
