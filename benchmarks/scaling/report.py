"""The document's tables. Every row says where its numbers come from."""

from collections.abc import Callable, Mapping

from benchmarks.scaling.cluster import BLOCK_BYTES, CACHED_BLOCKS
from benchmarks.scaling.model import SETTINGS, SIZES, Audience, Model
from benchmarks.scaling.scenarios import AUDIO_BYTES_PER_SECOND, DEFAULT, REAL_TIME, Counts

MEASURED, COUNTED, ASSUMED, CALCULATED = "M", "C", "A", "="


def tables(model: Model) -> dict[str, str]:
    """Return all tables, by the names of their markers in the document."""
    return {
        "answer": _answer(model),
        "breaks": _breaks(model),
        "server": _server(model),
        "listening": _listening(model),
        "events": _events(model),
        "storms": _storms(model),
        "units": _units(model),
        "assumptions": _assumptions(model),
        "cells": _cells(model),
    }


SIGNIFICANT = 3
LARGE, MEDIUM, SMALL = 1000, 100, 10


def number(value: float) -> str:
    """Return a number with two or three significant digits, and commas between thousands."""
    if value >= LARGE:
        digits = len(str(int(value)))
        return f"{round(value, SIGNIFICANT - digits):,.0f}"
    if value >= MEDIUM:
        return f"{value:.0f}"
    if value == int(value):
        return f"{value:.0f}"
    return f"{value:.3g}" if value >= SMALL else f"{value:.2g}"


def exact(value: float) -> str:
    """Return an integer exactly, and any other number with four significant digits."""
    return f"{value:,.0f}" if value == int(value) or value >= 1000 else f"{value:.4g}"  # noqa: PLR2004


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])


def _megabytes(value: float) -> str:
    return f"{number(value / 1e6)} MB" if value < 1e9 else f"{number(value / 1e9)} GB"  # noqa: PLR2004 - units


def _bits(gbit: float) -> str:
    return f"{number(gbit)} Gbit/s" if gbit < LARGE else f"{number(gbit / LARGE)} Tbit/s"


def _both(value: Callable[[bool], float]) -> str:
    return f"{number(value(False))} / {number(value(True))}"  # noqa: FBT003


def _answer(model: Model) -> str:
    rows: list[tuple[str, Callable[[int], str], str]] = [
        ("servers (processes, one core each)", lambda size: number(model.nodes(size)), CALCULATED),
        (
            f"machines of {model.assumptions.machine_cores} cores, including one spare machine",
            lambda size: number(model.machines(size)),
            CALCULATED,
        ),
        ("network to the listeners", lambda size: _bits(model.gbit(size, model.in_browsers)), CALCULATED),
        (
            "the same, while all start within a minute, without a `window`",
            lambda size: _bits(model.starting_gbit(size)),
            CALCULATED,
        ),
        ("connections at the load balancers, both sides", lambda size: number(2 * size), CALCULATED),
        (
            "new connections per second: ordinary day / release",
            lambda size: _both(lambda release: model.joins(size, release=release)),
            CALCULATED,
        ),
        (
            "Redis commands per second: ordinary day / release",
            lambda size: _both(lambda release: model.redis_commands(size, release=release)),
            CALCULATED,
        ),
        (
            "Redis cores that these take (it uses one)",
            lambda size: _both(lambda release: model.redis_cores(size, release=release)),
            CALCULATED,
        ),
        ("Redis memory", lambda size: _megabytes(model.redis_bytes(size)), CALCULATED),
        ("connections to Redis, maximum", lambda size: number(model.redis_connections(size)), CALCULATED),
        (
            "object store requests for a released episode: GETs in total",
            lambda size: number(model.nodes(size) * model.gets_per_episode),
            CALCULATED,
        ),
        (
            "a server fails: CPU that each other server spends on its listeners",
            lambda size: f"{number(model.death_cpu_seconds(size))} s",
            CALCULATED,
        ),
        (
            "a machine fails: the same",
            lambda size: f"{number(model.machine_death_cpu_seconds(size))} s",
            CALCULATED,
        ),
        (
            "time span of the UI history",
            lambda size: f"{number(model.history_seconds(size))} s",
            CALCULATED,
        ),
        (
            "Redis restarts: time to restore all subscriptions",
            lambda size: f"{number(model.redis_return_seconds(size))} s",
            CALCULATED,
        ),
    ]
    head = ["concurrent listeners", *(f"{size:,}" for size in SIZES), "from"]
    return _table(head, [[title, *map(cell, SIZES), origin] for title, cell, origin in rows])


def _breaks(model: Model) -> str:
    by_size = [model.limits(size) for size in SIZES]
    rows = []
    for limits in sorted(zip(*by_size, strict=True), key=lambda limits: -limits[1].load):
        loads = [f"**{number(limit.load)}**" if limit.load > 1 else number(limit.load) for limit in limits]
        rows.append([limits[0].name, *loads, f"[{limits[0].remedy}](#{limits[0].remedy})", CALCULATED])
    return _table(["demand as a multiple of capacity", *(f"{size:,}" for size in SIZES), "see", "from"], rows)


def _server(model: Model) -> str:
    names = list(model.bounds(model.in_browsers))
    rows = []
    for audience in model.audiences:
        bounds = model.bounds(audience)
        first = min(bounds, key=lambda name: bounds[name])
        cells = [f"**{number(bounds[name])}**" if name == first else number(bounds[name]) for name in names]
        rows.append([audience.name, *cells, CALCULATED])
    return _table(["listeners per server, limited by", *names, "from"], rows) + (
        f"\n\nThe sizes above assign {model.node_holds:,} listeners to each server (=)."
    )


def _listening(model: Model) -> str:
    rows: list[tuple[str, Callable[[Audience], str], str]] = [
        ("batches", lambda audience: exact(audience.batches), COUNTED),
        ("chunks", lambda audience: exact(audience.chunks), COUNTED),
        ("bytes in frames", lambda audience: exact(audience.wire_bytes), COUNTED),
        ("acknowledgements received", lambda audience: exact(audience.acknowledgements), COUNTED),
        ("Redis commands", lambda _: "0", COUNTED),
        ("server CPU, µs", lambda audience: number(audience.cpu_us), CALCULATED),
        ("on the network, kbit/s", lambda audience: number(model.bit_rate(audience) / 1000), CALCULATED),
    ]
    head = ["per listener and second", *(audience.name for audience in model.audiences), "from"]
    return _table(head, [[title, *map(cell, model.audiences), origin] for title, cell, origin in rows])


def _events(model: Model) -> str:
    def per(counts: Counts, name: str, of: str | float) -> str:
        return exact(counts[name] / (counts[of] if isinstance(of, str) else of))

    release, waiting, growing = model.release_counts, model.waiting_counts, model.growing_counts
    death, updates = model.death_counts, model.update_counts
    rows = [
        ["join of a complete stream: lookups in Redis", per(release, "redis catalog.get", "joins"), COUNTED],
        ["the same: audio files opened", per(release, "audio opens", "joins"), COUNTED],
        ["join that waits for its stream: lookups", per(waiting, "redis catalog.get", "joins"), COUNTED],
        ["join of a growing stream: lookups", per(growing, "redis catalog.get", "joins"), COUNTED],
        ["the last two: SUBSCRIBE per server and stream", per(waiting, "redis subscribe", 4), COUNTED],
        ["announcement that 4 servers wait for: messages", exact(waiting["redis messages"]), COUNTED],
        [
            "100 listeners at once on 4 servers: reads of each batch per server",
            exact(release["audio reads"] / 4 / 79),
            COUNTED,
        ],
        ["one of 4 servers fails with 25 of 100 listeners: joins elsewhere", exact(death["joins"]), COUNTED],
        ["the same: Redis commands", exact(death["redis commands"]), COUNTED],
        ["subscription to UI updates: scripts", per(updates, "redis updates.recover", 100), COUNTED],
        ["the same: SUBSCRIBE", per(updates, "redis subscribe", 100), COUNTED],
        ["UI update: scripts", per(updates, "redis updates.append", "updates posted"), COUNTED],
        ["the same: messages to servers", per(updates, "redis messages", "updates posted"), COUNTED],
        ["join with a subscription: server CPU", f"{number(model.join_cpu_us)} µs", CALCULATED],
        ["the same: Redis CPU", f"{number(model.join_redis_us)} µs", CALCULATED],
        ["UI update: server CPU", f"{number(model.update_cpu_us)} µs", CALCULATED],
        [
            "the same: Redis CPU, for any number of servers",
            f"{number(model.update_redis_us)} µs",
            CALCULATED,
        ],
        ["server memory per listener with a subscription", _kib(model.listener_bytes), CALCULATED],
        [
            f"objects: GETs of {BLOCK_BYTES // 1024} KiB per episode and server with listeners of it",
            exact(model.gets_per_episode),
            CALCULATED,
        ],
        [
            (
                "the same, per listener and second, when listeners are at more playback positions than the "
                f"{CACHED_BLOCKS} blocks that a server caches"
            ),
            exact(model.many_episodes_gets),
            COUNTED,
        ],
    ]
    return _table(["event", "cost", "from"], rows)


def _kib(value: float) -> str:
    return f"{value / 1024:.0f} KiB"


def _storms(model: Model) -> str:
    rows = [
        [f"{rate:,}", number(rate * model.join_cpu_us / 1e4), _wait(wait.median), _wait(wait.p99), COUNTED]
        for rate, wait in model.storms
    ]
    return _table(["joins per second at one server", "% of its core (=)", "first audio, median", "p99", "from"], rows)


def _wait(seconds: float) -> str:
    return f"{number(seconds * 1000)} ms" if seconds < 1 else f"{number(seconds)} s"


UNIT_NAMES: Mapping[str, str] = {
    "redis_get_us": "lookup of a stream: Redis, µs",
    "node_get_us": "the same: server, µs",
    "redis_append_us": "append an update and publish it to one server with subscribers: Redis, µs",
    "node_append_us": "the same: sending and receiving server together, µs",
    "redis_recover_us": "read a client's updates: Redis, µs",
    "node_recover_us": "the same: server, µs",
    "redis_subscribe_us": "SUBSCRIBE: Redis, µs",
    "node_subscribe_us": "the same: server, µs",
    "redis_stream_bytes": "a stream in the catalog: Redis, bytes",
    "redis_first_update_bytes": "a client's first update of about 100 bytes: Redis, bytes",
    "redis_update_bytes": "each further update: Redis, bytes",
    "redis_subscription_bytes": "a client with subscribers: Redis, bytes",
    "node_acknowledgement_us": "an acknowledgement: server, µs",
    "node_ui_subscription_us": "a subscription to UI updates: server, µs",
    "node_ui_subscription_bytes": "the same: server, bytes",
}


def _units(model: Model) -> str:
    bench = model.results
    rows = [[title, number(model.units[name]), MEASURED] for name, title in UNIT_NAMES.items()]
    rows += [
        ["a join (`make bench`): server, µs", number(bench["cpu_per_join"]["asf"]["cpu_us_per_join"]), MEASURED],
        [
            "a batch of 3 chunks (`make bench`, at the counted rate): server, µs",
            number(model.batch_us(REAL_TIME)),
            "M, C",
        ],
        ["a batch of 16 chunks: server, µs", number(model.batch_us(DEFAULT)), "M, C"],
        [
            "one update per request (`make bench`), without Redis: server, µs",
            number(1e6 / bench["relays"]["asf"]["relays_per_cpu_second"]),
            MEASURED,
        ],
        [
            "a listener (`make bench`): server, KiB",
            number(bench["memory"]["asf"]["process_bytes_per_listener"] / 1024),
            MEASURED,
        ],
        [
            "a listener that does not read: kernel, KiB",
            number(bench["memory_stalled"]["asf"]["kernel_bytes_per_listener"] / 1024),
            MEASURED,
        ],
    ]
    return _table(["unit", "cost", "from"], rows)


def _assumptions(model: Model) -> str:
    assumed = model.assumptions
    rows = [
        [
            "audio",
            f"{AUDIO_BYTES_PER_SECOND * 8 // 1000} kbit/s, {number(assumed.episode_seconds / 60)} min per episode",
        ],
        [
            "duration of a session",
            f"{number(assumed.episode_seconds / 60)} min; joins are spread evenly",
        ],
        ["release of an episode", f"all listeners join within {number(assumed.release_seconds)} s"],
        [
            "UI updates",
            (
                "one subscription per listener, and "
                f"{number(assumed.updates_per_listener_minute)} update per minute of about 100 bytes; kept for "
                f"{SETTINGS.ui_history_seconds:g} s (the default)"
            ),
        ],
        ["catalog", f"{assumed.streams:,} streams"],
        ["maximum load of a core, for servers and Redis", f"{number(assumed.core_share * 100)} %"],
        [
            "a machine",
            (
                f"{assumed.machine_cores} cores, {assumed.machine_spare_cores} of them for the operating system; "
                f"{number(assumed.machine_memory_gb)} GB; {number(assumed.machine_gbit)} Gbit/s, of which "
                f"{number(assumed.network_share * 100)} % are usable"
            ),
        ],
        ["packets", f"TCP and Ethernet add {number((assumed.packet_overhead - 1) * 100)} % to the bytes in frames"],
        [
            "an object store",
            (
                f"{number(assumed.object_requests_per_second)} requests per second and prefix; read in blocks of "
                f"{BLOCK_BYTES // 1024} KiB, of which a server caches {CACHED_BLOCKS}"
            ),
        ],
    ]
    return _table(["assumed (A)", "value"], rows)


def _cells(model: Model) -> str:
    return _table(
        ["a cell", "value", "from"],
        [
            ["listeners", number(model.cell_listeners), CALCULATED],
            ["servers", number(model.nodes(model.cell_listeners)), CALCULATED],
            ["machines", number(model.machines(model.cell_listeners)), CALCULATED],
            [
                "Redis core, at a release",
                f"{number(100 * model.redis_cores(model.cell_listeners, release=True))} %",
                CALCULATED,
            ],
            ["connections to Redis, maximum", number(model.redis_connections(model.cell_listeners)), CALCULATED],
            [
                "time span of the UI history",
                f"{number(model.history_seconds(model.cell_listeners))} s",
                CALCULATED,
            ],
            *(
                [f"cells for {size:,} listeners", number(-(-size // model.cell_listeners)), CALCULATED]
                for size in SIZES[1:]
            ),
        ],
    )
