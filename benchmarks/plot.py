"""The picture of how the cost grows with the number of listeners. The only module that needs matplotlib."""

from pathlib import Path

import matplotlib as mpl

mpl.use("svg")
mpl.rcParams["svg.hashsalt"] = "asf"  # the same figures give the same file

from matplotlib import pyplot as plt  # noqa: E402 - after its backend is chosen

from benchmarks.report import knee  # noqa: E402


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
