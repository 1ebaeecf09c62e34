"""The results for people: tables in Markdown, and a picture of how the cost grows."""

from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("svg")
mpl.rcParams["svg.hashsalt"] = "asf"  # the same figures give the same file

from matplotlib import pyplot as plt  # noqa: E402 - after its backend is chosen

Results = dict[str, Any]
MISSING = "not installed"


def table(results: Results) -> str:
    """Return the comparison as a table of ratios with the raw figures beside them."""
    chunk, listener, join = results["cpu_per_chunk"], results["cpu_per_listener"], results["cpu_per_join"]
    first, memory = results["first_chunk"], results["memory"]
    stalled = results["memory_stalled"]
    rows = [
        (
            "CPU per chunk, default pace, 100 listeners, against the ordinary server",
            *_less(chunk, "cpu_us_per_chunk", "ordinary", "µs"),
        ),
        (
            "CPU per chunk, default pace, 100 listeners, against socket.io on Node.js",
            *_less(chunk, "cpu_us_per_chunk", "node", "µs"),
        ),
        (
            "CPU for 1000 listeners at 128 kbit/s, against Icecast",
            *_less(listener, "core_share", "icecast", "% of a core", scale=100),
        ),
        (
            "CPU for 1000 listeners at 128 kbit/s, against Node.js",
            *_less(listener, "core_share", "node", "% of a core", scale=100),
        ),
        ("CPU per join, against the ordinary server", *_less(join, "cpu_us_per_join", "ordinary", "ms", scale=1e-3)),
        ("CPU per join, against Node.js", *_less(join, "cpu_us_per_join", "node", "ms", scale=1e-3)),
        (
            "UI updates relayed per second of CPU, one a request, against the ordinary server",
            *_more(results["relays"], "relays_per_cpu_second", "asf"),
        ),
        (
            "the same with 50 in a request (`send_ui_updates`)",
            *_more(results["relays"], "relays_per_cpu_second", "asf, batches of 50"),
        ),
    ]
    lines = ["| figure | ratio | ASF | the other |", "|---|---|---|---|"]
    lines += [f"| {name} | **{ratio}** | {ours} | {theirs} |" for name, ratio, ours, theirs in rows]
    gaps = " | ".join(f"{chunk[who]['gap_ms_p99']:.0f} ms" for who in ("asf", "ordinary"))
    doors = " / ".join(f"{results['doors'][door]['cpu_us_per_chunk']:.2f} µs" for door in ("sio", "ws"))
    first_byte = " / ".join(f"{results['growing'][f'first_byte_ms_{which}']:.0f} ms" for which in ("p50", "max"))
    verified = f"{results['chunks_verified']:,} chunks in these runs, none wrong, lost or repeated."
    lines += [
        "",
        "| figure | ASF | the ordinary server, at a tenth of the load |",
        "|---|---|---|",
        _row("first chunk, 100 joins/s beside 300 listeners, p50 / p99", first, ("first_ms_p50", "first_ms_p99")),
        _row(
            "POST to event, 500 updates/s beside 500 listeners, p50 / p99",
            results["relay_latency"],
            ("relay_ms_p50", "relay_ms_p99"),
        ),
        "",
        "| figure | ASF | the ordinary server |",
        "|---|---|---|",
        f"| longest gap at the default pace, 100 listeners, p99 | {gaps} |",
        _memory_row("memory per listener: process / kernel's send queue", memory),
        _memory_row("memory per listener that stopped reading: process / kernel's send queue", stalled),
        "",
        "| figure | ASF |",
        "|---|---|",
        f"| CPU per chunk, 500 listeners: Socket.IO / plain WebSocket | {doors} |",
        f"| from a growing file's first byte to a waiting listener, p50 / longest | {first_byte} |",
        "",
        f"Every byte was verified: {verified}",
    ]
    return "\n".join(lines)


def _less(figures: Results, name: str, other: str, unit: str, scale: float = 1) -> tuple[str, str, str]:
    ours = figures["asf"][name]
    if other not in figures:
        return MISSING, f"{ours * scale:.3g} {unit}", MISSING
    theirs = figures[other][name]
    return f"{theirs / ours:.1f} times less", f"{ours * scale:.3g} {unit}", f"{theirs * scale:.3g} {unit}"


def _more(figures: Results, name: str, who: str) -> tuple[str, str, str]:
    ours, theirs = figures[who][name], figures["ordinary"][name]
    return f"{ours / theirs:.1f} times as many", f"{ours:,.0f}", f"{theirs:,.0f}"


def _row(title: str, figures: Results, names: tuple[str, str]) -> str:
    cells = [" / ".join(f"{figures[who][name]:.1f}" for name in names) + " ms" for who in ("asf", "ordinary")]
    return f"| {title} | {cells[0]} | {cells[1]} |"


def _memory_row(title: str, figures: Results) -> str:
    def cell(who: str) -> str:
        if who not in figures:
            return "not measured"
        process, kernel = (figures[who][f"{part}_bytes_per_listener"] / 1024 for part in ("process", "kernel"))
        return f"{process:.0f} / {kernel:.0f} KiB"

    return f"| {title} | {cell('asf')} | {cell('ordinary')} |"


def knee(points: list[dict[str, float]], limit_ms: float = 25.0) -> float | None:
    """Return the number of listeners from which on the pump lags by more than `limit_ms` (p99), or None."""
    late = [point["listeners"] for point in points if point["pump_lag_ms_p99"] > limit_ms]
    return min(late, default=None)


def plot(growth: dict[str, list[dict[str, float]]], path: Path) -> None:
    """Draw CPU and lag over the number of listeners, one panel for each pace."""
    figure, panels = plt.subplots(1, len(growth), figsize=(5.2 * len(growth), 3.8), layout="constrained")
    for panel, (title, points) in zip(panels, growth.items(), strict=True):
        listeners = [point["listeners"] for point in points]
        panel.plot(listeners, [100 * point["core_share"] for point in points], "o-", label="CPU, % of a core")
        panel.plot(listeners, [point["pump_lag_ms_p99"] for point in points], "s--", label="pump lag p99, ms (≤)")
        panel.plot(listeners, [point["first_ms_p99"] for point in points], "^:", label="first chunk p99, ms")
        found = knee(points)
        if found is not None:
            panel.axvline(found, color="grey", linewidth=0.8)
            panel.annotate("knee", (found, panel.get_ylim()[1] * 0.9))
        panel.set(title=title, xlabel="listeners", ylim=(0, None), xlim=(0, None))
        panel.grid(visible=True, alpha=0.3)
        panel.legend()
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)
