"""How many cores this process may use: its CPU affinity, and the CPU quota of its control groups (containers).

A quota is looked for in the process's own control group and in all above it (cgroups(7)): version 2 has it in
`cpu.max`, version 1 in `cpu.cfs_quota_us` and `cpu.cfs_period_us`.
"""

import math
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

ROOT = Path("/")


def available_cores(root: Path = ROOT) -> int:
    """Return the number of cores, at least 1. A quota counts as the cores that it fills: 1.5 as 2.

    `root` is the directory in which `proc` and `sys` are.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min([cores, *(math.ceil(quota) for quota in _quotas(root))]))


def _quotas(root: Path) -> Iterator[float]:
    """Yield each CPU quota that applies to this process, in cores."""
    with suppress(OSError, ValueError):
        for line in (root / "proc/self/cgroup").read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            mounts = (
                ["unified", ""]
                if not controllers
                else [controllers, "cpu"]
                if "cpu" in controllers.split(",")
                else []
            )
            for mount in mounts:
                yield from _quotas_at(root / "sys/fs/cgroup" / mount, path)


def _quotas_at(mount: Path, path: str) -> Iterator[float]:
    """Yield the quotas of the group at `path` below `mount`, and of those above it.

    In a container the path may be one of the host's, which is not there: the container's own group is the mount.
    """
    group = mount / path.lstrip("/")
    for one in [group, *group.parents]:
        with suppress(OSError, ValueError):
            yield _quota_of(one)
        if one == mount:
            return


def _quota_of(group: Path) -> float:
    """Return the quota of one group, in cores. Raises OSError or ValueError if it has none."""
    if (group / "cpu.max").exists():
        limit, period = (group / "cpu.max").read_text().split()
        quota = math.inf if limit == "max" else int(limit) / int(period)
    else:
        limit, period = ((group / name).read_text().strip() for name in ("cpu.cfs_quota_us", "cpu.cfs_period_us"))
        quota = int(limit) / int(period) if int(limit) > 0 else math.inf
    if not 0 < quota < math.inf:
        raise ValueError
    return quota
