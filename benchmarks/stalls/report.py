"""The results as a table in Markdown."""

import re
from pathlib import Path
from typing import Any

TRANSPORTS = {"sio": "Socket.IO", "ws": "plain WebSocket", "http": "HTTP"}


def table(results: dict[str, Any]) -> str:
    """Return the table: of each disturbance the worst of its runs."""
    head = (
        f"| disturbance | longest gap of the others: {' / '.join(TRANSPORTS.values())} | `/asf/health` p50 / p99 "
        "| longest turn of the loop | in |"
    )
    lines = [head, "|---|---|---|---|---|"]
    for name, runs in results["rows"].items():
        gaps = " / ".join(f"{_worst(runs, f'gap_ms_max_{transport}'):.0f}" for transport in TRANSPORTS)
        health = " / ".join(f"{_worst(runs, f'health_ms_{which}'):.0f}" for which in ("p50", "p99"))
        longest = max(runs, key=lambda run: run["turn_ms_max"])
        turn = f"{longest['turn_ms_max']:.0f} ms" if longest["turns"] else "under 20 ms"
        culprits = ", ".join(f"`{one}`" for one in longest["culprits"].split(", ") if one) or "-"
        lines.append(f"| {name} | {gaps} ms | {health} ms | {turn} | {culprits} |")
    runs = [run for runs in results["rows"].values() for run in runs]
    summary = (
        f"{max(map(len, results['rows'].values()))} runs, of each the worst. The listeners' own process was at most "
        f"{_worst(runs, 'client_lag_ms_max'):.0f} ms late, and wrote at intervals of at most "
        f"{_worst(runs, 'writer_gap_ms_max'):.0f} ms. Every byte was verified: {sum(run['bytes'] for run in runs):,} "
        "bytes; none was wrong or missing."
    )
    return "\n".join([*lines, "", summary])


def write(path: Path, results: dict[str, Any]) -> None:
    """Put the table between its markers in the document."""
    pattern = re.compile(r"(<!-- stalls -->\n).*?(<!-- /stalls -->)", re.DOTALL)
    content, count = pattern.subn(lambda match: f"{match[1]}{table(results)}\n{match[2]}", path.read_text())
    if count != 1:
        raise SystemExit(f"{path} has no markers for stalls")
    path.write_text(content)


def _worst(runs: list[dict[str, Any]], name: str) -> float:
    return float(max(run[name] for run in runs))
