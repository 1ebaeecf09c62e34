"""The results as tables in Markdown."""

from typing import Any

from benchmarks.wording import compare

Results = dict[str, Any]
MISSING = "not installed"
NOT_MEASURED = "not measured"


def table(results: Results) -> str:
    """Return the comparison: the differences in words, with the raw figures beside them."""
    chunk, listener, join = results["cpu_per_chunk"], results["cpu_per_listener"], results["cpu_per_join"]
    first, memory = results["first_chunk"], results["memory"]
    stalled = results["memory_stalled"]
    rows = [
        (
            "CPU per chunk, default pace, 100 listeners, against plain Flask-SocketIO",
            *_cost(chunk, "cpu_us_per_chunk", "ordinary", "µs"),
        ),
        (
            "CPU per chunk, default pace, 100 listeners, against Socket.IO on Node.js",
            *_cost(chunk, "cpu_us_per_chunk", "node", "µs"),
        ),
        (
            "CPU for 1000 listeners at 128 kbit/s, against Icecast",
            *_cost(listener, "core_share", "icecast", "% of a core", scale=100),
        ),
        (
            "CPU for 1000 listeners at 128 kbit/s, against Node.js",
            *_cost(listener, "core_share", "node", "% of a core", scale=100),
        ),
        (
            "CPU per join, 100 joins/s, against plain Flask-SocketIO",
            *_cost(join, "cpu_us_per_join", "ordinary", "ms", scale=1e-3),
        ),
        ("CPU per join, 100 joins/s, against Node.js", *_cost(join, "cpu_us_per_join", "node", "ms", scale=1e-3)),
        *_saturation_rows(results.get("cpu_per_join_at_saturation", {})),
        (
            "UI updates relayed per CPU second, one per request, against plain Flask-SocketIO",
            *_yield(results["relays"], "relays_per_cpu_second", "asf"),
        ),
        (
            "the same, 50 per request (`send_ui_updates`)",
            *_yield(results["relays"], "relays_per_cpu_second", "asf, batches of 50"),
        ),
        (
            "the same, by line (`send_ui_updates`), 10 unanswered",
            *_yield(results["relays"], "relays_per_cpu_second", "asf, by line"),
        ),
    ]
    lines = ["| figure | ASF compared | ASF | compared server |", "|---|---|---|---|"]
    lines += [f"| {name} | **{words}** | {ours} | {theirs} |" for name, words, ours, theirs in rows]
    gaps = " | ".join(f"{chunk[who]['gap_ms_p99']:.0f} ms" for who in ("asf", "ordinary"))
    per_chunk = " / ".join(f"{results['transports'][name]['cpu_us_per_chunk']:.2f} µs" for name in ("sio", "ws"))
    first_byte = " / ".join(f"{results['growing'][f'first_byte_ms_{which}']:.0f} ms" for which in ("p50", "max"))
    verified = f"{results['chunks_verified']:,} chunks in these runs; none was wrong, lost or repeated."
    lines += [
        "",
        "| figure | ASF | plain Flask-SocketIO, at a tenth of the load |",
        "|---|---|---|",
        _row(
            "join to first chunk, 100 joins/s on top of 300 listeners, p50 / p99",
            first,
            ("first_ms_p50", "first_ms_p99"),
        ),
        _row(
            "UI update, POST to event, 500 updates/s on top of 500 listeners, p50 / p99",
            results["relay_latency"],
            ("relay_ms_p50", "relay_ms_p99"),
        ),
        "",
        "| figure | ASF | plain Flask-SocketIO |",
        "|---|---|---|",
        f"| longest gap between chunks at the default pace, 100 listeners, p99 | {gaps} |",
        _memory_row("memory per listener: process / kernel send queue", memory),
        _memory_row("memory per listener that stopped reading: process / kernel send queue", stalled),
        "",
        "| figure | ASF |",
        "|---|---|",
        f"| CPU per chunk, 500 listeners: Socket.IO / plain WebSocket | {per_chunk} |",
        f"| first byte of a growing file to a waiting listener, p50 / max | {first_byte} |",
        "",
        f"Every byte was verified: {verified}",
    ]
    return "\n".join(lines)


def workers_table(figures: Results) -> str:
    """Return what two workers take and do, against one process."""
    one, two = figures["1"], figures["2"]
    rows = [
        ("joins per second, as many as they take", "joins_per_second", "{:,.0f}"),
        ("CPU per join, of all their processes", "cpu_us_per_join", "{:.0f} µs"),
        ("CPU per chunk, default pace, 200 listeners", "cpu_us_per_chunk", "{:.2f} µs"),
        ("CPU per chunk, default pace, 1000 listeners", "cpu_us_per_chunk_of_many", "{:.2f} µs"),
    ]
    lines = ["| figure | 2 workers compared | 2 workers | one process |", "|---|---|---|---|"]
    lines += [
        f"| {title} | **{compare(two[name], one[name])}** | {form.format(two[name])} | {form.format(one[name])} |"
        for title, name, form in rows
    ]
    return "\n".join(lines)


def _saturation_rows(figures: Results) -> list[tuple[str, str, str, str]]:
    """Return the rows about as many joins as one core takes; none for results without that measurement."""
    title = "joins per CPU second, as many as one core takes, against"
    peers = {"ordinary": "plain Flask-SocketIO", "node": "Node.js"}
    return [
        (f"{title} {name}", *_yield(figures, "joins_per_cpu_second", "asf", who))
        for who, name in peers.items()
        if figures
    ]


def _cost(figures: Results, name: str, other: str, unit: str, scale: float = 1) -> tuple[str, str, str]:
    ours = figures["asf"][name]
    if other not in figures:
        return MISSING, f"{ours * scale:.3g} {unit}", MISSING
    theirs = figures[other][name]
    return compare(ours, theirs), f"{ours * scale:.3g} {unit}", f"{theirs * scale:.3g} {unit}"


def _yield(figures: Results, name: str, who: str, other: str = "ordinary") -> tuple[str, str, str]:
    if who not in figures:
        return NOT_MEASURED, NOT_MEASURED, NOT_MEASURED
    if other not in figures:
        return MISSING, f"{figures[who][name]:,.0f}", MISSING
    ours, theirs = figures[who][name], figures[other][name]
    return compare(ours, theirs), f"{ours:,.0f}", f"{theirs:,.0f}"


def _row(title: str, figures: Results, names: tuple[str, str]) -> str:
    cells = [" / ".join(f"{figures[who][name]:.1f}" for name in names) + " ms" for who in ("asf", "ordinary")]
    return f"| {title} | {cells[0]} | {cells[1]} |"


def _memory_row(title: str, figures: Results) -> str:
    def cell(who: str) -> str:
        if who not in figures:
            return NOT_MEASURED
        process, kernel = (figures[who][f"{part}_bytes_per_listener"] / 1024 for part in ("process", "kernel"))
        return f"{process:.0f} / {kernel:.0f} KiB"

    return f"| {title} | {cell('asf')} | {cell('ordinary')} |"


def knee(points: list[dict[str, float]], limit_ms: float = 25.0) -> float | None:
    """Return the smallest number of listeners at which the pump lags by more than `limit_ms` (p99), or None."""
    late = [point["listeners"] for point in points if point["pump_lag_ms_p99"] > limit_ms]
    return min(late, default=None)
