"""Measures how much one client, backend, disk or Redis delays everybody else, and writes docs/benchmark.md.

Usage: python -m benchmarks.stalls [--only WORDS] [--repeat N] [--print]

Beside 500 listeners of a stream that is being generated, over three transports, each disturbance happens once. This
needs Linux, two cores, a C compiler and the programs of the test suite: a Redis, OpenStack Swift and FUSE.
"""

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from benchmarks import processes
from benchmarks.stalls import disturbances
from benchmarks.stalls.disturbances import Act
from benchmarks.stalls.report import table, write
from benchmarks.stalls.subject import (
    LESS_IMPORTANT,
    Subject,
    Tool,
    bystanders,
    content_in,
    culprits,
    prioritize,
    running,
)
from tests.support.fuse_disk import FuseDisk
from tests.support.redis_server import RedisServer
from tests.support.swift_server import SwiftServer
from tests.support.template import RUN_VARIABLE

ROOT = Path(__file__).parents[2]
RESULTS = Path(__file__).parent / "results.json"
SETTLE_SECONDS = 1.0

Row = Callable[[], AbstractContextManager[Act]]


def main() -> None:
    """Measure, print, and write the table; what was not measured stays."""
    arguments = argparse.ArgumentParser(description="Measure how much one client delays the others.")
    arguments.add_argument("--only", default="", help="only disturbances whose name contains this")
    arguments.add_argument("--repeat", type=int, default=3, help="how often each is measured; the worst counts")
    arguments.add_argument("--print", action="store_true", help="do not write the document")
    options = arguments.parse_args()
    if len(os.sched_getaffinity(0)) <= max(processes.SERVER_CORE, processes.LOAD_CORE):
        sys.exit("Two cores are needed: one for the server, one for the load.")
    processes.build_load_tools()
    prioritize(processes.LOAD_CORE, LESS_IMPORTANT)  # This process is a client, too.
    os.environ[RUN_VARIABLE] = "benchmark"
    rows: dict[str, list[dict[str, Any]]] = {}
    for _ in range(options.repeat):
        for name, figures in measured(options.only):
            print(f"{name}: {json.dumps(figures)}", flush=True)
            rows.setdefault(name, []).append(figures)
    kept = json.loads(RESULTS.read_text())["rows"] if options.only and RESULTS.exists() else {}
    results = {"machine": {"cores": str(os.cpu_count()), "Python": platform.python_version()}, "rows": kept | rows}
    print(table(results))
    if not options.print:
        RESULTS.write_text(json.dumps(results, indent=2) + "\n")
        write(ROOT / "docs" / "benchmark.md", results)


def measured(only: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Measure the disturbances whose name contains `only`; yield name and figures of each."""
    yield from _on_one_server(only)
    yield from _on_a_cluster(only)


def _on_one_server(only: str) -> Iterator[tuple[str, dict[str, Any]]]:
    with _directory() as directory:
        disk = FuseDisk(directory)
        content = content_in(directory)
        with _store(directory, "seeks in an object", only) as (store_environment, url):
            roots = f"{directory / 'audio'}:{disk.mount_point}"
            environment = {"ASF_AUDIO_ROOTS": roots} | store_environment
            with (
                running(directory, environment, disk.wrapper) as subject,
                bystanders(subject, directory) as listeners,
            ):
                rows: dict[str, Row] = {
                    "nothing": disturbances.nothing,
                    **{
                        f"{_number(count)} of 1000 updates to 100 connections": _batches(subject, count)
                        for count in (1, 2, 3)
                    },
                    "5000 seeks in one write": lambda: disturbances.frames(subject, "seek_stream", {"offset": 0}),
                    "5000 acknowledgements in one write": lambda: disturbances.frames(
                        subject, "audio_ack", {"received": 0}
                    ),
                    "5000 joins in one write": lambda: disturbances.frames(
                        subject, "join_stream", {"stream_id": "short", "window": 1}
                    ),
                    "a mount that hangs for 20 s": lambda: disturbances.hung_mount(subject, disk),
                    "1900 seeks in an object of 1 GiB": lambda: disturbances.seeks(subject, url),
                    "the announcement for which 3000 wait": lambda: disturbances.announcement(subject, content),
                    "3000 listeners disconnect at once": lambda: disturbances.disconnection(subject, content),
                    "a batch while 3000 join": lambda: disturbances.batch_while_many_join(subject, content),
                    "SIGTERM with 3000 more listeners": lambda: disturbances.shutdown(subject, content, listeners),
                }
                yield from _measure(rows, only, subject, listeners)
                disk.recover()


def _on_a_cluster(only: str) -> Iterator[tuple[str, dict[str, Any]]]:
    with _directory() as directory:
        disk = FuseDisk(directory)
        redis = RedisServer(directory / "redis", persistent=True)

        def restart_redis() -> None:
            time.sleep(2)
            redis.kill()
            time.sleep(disturbances.REDIS_AWAY_SECONDS)
            redis.start()

        try:
            roots = f"{directory / 'audio'}:{disk.mount_point}"
            environment = {"ASF_AUDIO_ROOTS": roots, "ASF_REDIS_URL": redis.plain_url}
            with (
                running(directory, environment, disk.wrapper) as subject,
                bystanders(subject, directory) as listeners,
            ):
                rows: dict[str, Row] = {
                    "with Redis: a batch of 1000 updates to 100 connections": _batches(subject, 1),
                    "with Redis: a mount that hangs while Redis is restarted": lambda: disturbances.hung_mount(
                        subject, disk, and_also=restart_redis
                    ),
                }
                yield from _measure(rows, only, subject, listeners)
                disk.recover()
        finally:
            redis.stop()


def _measure(
    rows: dict[str, Row], only: str, subject: Subject, listeners: Tool
) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, prepare in rows.items():
        if only not in name:
            continue
        with prepare() as act:
            time.sleep(SETTLE_SECONDS)
            listeners.ask()
            before = len(subject.slow_turns())
            started = time.monotonic()
            said = act()
            seconds = time.monotonic() - started
            if subject.process.poll() is None:
                time.sleep(SETTLE_SECONDS)
                subject.wait_for_answer()
            figures = listeners.ask()
            turns = subject.slow_turns()[before:]
        if figures["mismatches"] or figures["problems"]:
            raise disturbances.Failed(f"{name}: {figures}")
        yield (
            name,
            figures
            | {
                "seconds": seconds,
                "said": said,
                "turns": len(turns),
                "turn_ms_max": max((turn["seconds"] for turn in turns), default=0.0) * 1e3,
                "culprits": culprits(turns),
                "longest_turns": sorted(turns, key=lambda one: -one["seconds"])[:3],
            },
        )


def _batches(subject: Subject, count: int) -> Row:
    return lambda: disturbances.batches(subject, count)


def _number(count: int) -> str:
    return {1: "a batch", 2: "two batches at once, each", 3: "three batches at once, each"}[count]


@contextmanager
def _directory() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as directory:
        yield Path(directory)


@contextmanager
def _store(directory: Path, needed_for: str, only: str) -> Iterator[tuple[dict[str, str], str]]:
    """Run an object store with one large object, unless it is not needed."""
    if only and only not in f"1900 {needed_for} of 1 GiB":
        yield {}, ""
        return
    store = SwiftServer(directory)
    try:
        yield store.environment, store.put("object.mp3", bytes(disturbances.OBJECT_BYTES))
    finally:
        store.stop()


if __name__ == "__main__":
    main()
