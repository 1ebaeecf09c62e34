"""What is measured, one function for each figure. CPU is the server's own, in seconds of one core."""

import random
import statistics
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import requests
import websocket
from prometheus_client.parser import text_string_to_metric_families

from benchmarks.processes import STREAM_ID, Load, Server, asf

Figures = dict[str, float]
Start = Callable[[dict[str, str]], AbstractContextManager[Server]]

SETTLE_SECONDS = 1.0
RAMP_SECONDS = 120.0
"""Longest time until all servers that are measured together have started."""
JOINS_PER_SECOND = 100
WARM_UP_JOINS = 200
STREAM_PATH = f"/api/v1/podcasts/stream/{STREAM_ID}"
REAL_TIME = {"ASF_STREAM_SLEEP_INTERVAL": "0.256"}
"""4096 bytes every 256 ms: 128 kbit/s."""
REAL_TIME_BYTES_PER_SECOND = 16_000.0
HARDLY_ANY_AUDIO = {"ASF_STREAM_SLEEP_INTERVAL": "30"}
"""A pace so slow that joining is all that costs."""


class Wrong(Exception):
    """A run whose audio was not byte-exact, or not complete. Its figures are worth nothing."""


def checked(result: dict[str, Any]) -> dict[str, Any]:
    """Return the result of a run that went right. Raises `Wrong`."""
    if result["mismatches"] or result["problems"] or result["heard"] != result["listeners"]:
        raise Wrong(str(result))
    return result


def cpu_per_chunk(start: Start, audio: Path, listeners: int, seconds: float, transport: str = "sio") -> Figures:
    """Return the CPU per chunk at the default pace, and the longest gaps, in steady state.

    `transport` is `sio` for Socket.IO or `ws` for the plain WebSocket.
    """
    target = STREAM_ID if transport == "sio" else STREAM_PATH
    with start({}) as server:
        load = Load("listeners", transport, server.port, listeners, 100, seconds, 0, target, audio)
        load.wait_for_ramp()
        before = server.cpu()
        result = checked(load.result())
        cpu = server.cpu() - before
    return {
        "cpu_us_per_chunk": cpu / result["steady_chunks"] * 1e6,
        "core_share": cpu / result["steady_seconds"],
        "listeners": listeners,
        "chunks_verified": result["chunks"],
        "pace_reached": result["steady_chunks"] / result["steady_seconds"] / listeners / 100,
        "gap_ms_p99": result["gap_ms_p99"],
        "gap_ms_max": result["gap_ms_max"],
    }


def cpu_per_listener(start: Start, audio: Path, listeners: int, seconds: float) -> Figures:
    """Return the CPU per listener at 128 kbit/s in real time, in steady state."""
    with start(REAL_TIME) as server:
        load = Load("listeners", "sio", server.port, listeners, 200, seconds + 4, 0, STREAM_ID, audio)
        figures = _steady(server, load, listeners, seconds)
        checked(load.result())
    return figures


def cpu_per_icecast_listener(server: Server, listeners: int, seconds: float) -> Figures:
    """Return the same of Icecast, whose listeners are plain HTTP requests."""
    load = Load("listeners", "http", server.port, listeners, 200, seconds + 4, 0, "/live")
    figures = _steady(server, load, listeners, seconds)
    checked(load.result())
    return figures


def _steady(server: Server, load: Load, listeners: int, seconds: float) -> Figures:
    load.wait_for_ramp()
    time.sleep(SETTLE_SECONDS)
    before = server.cpu()
    time.sleep(seconds)
    cpu = server.cpu() - before
    return {"core_share": cpu / seconds, "cpu_us_per_listener_second": cpu / seconds / listeners * 1e6}


def cpu_per_join(servers: Mapping[str, Start], audio: Path, joins: int, per_second: int) -> dict[str, Figures]:
    """Return the CPU per join of each server: connection, namespace, join, first chunk.

    `per_second` joins a second; 0: as many as the servers take, with 64 clients each that are joining at any time.
    All servers are measured at the same time, on one core: what disturbs one disturbs all. Those that compile what is
    used often have done so, after `WARM_UP_JOINS`.
    """
    all_run = threading.Barrier(len(servers))

    def figures(start: Start) -> Figures:
        try:
            with start(HARDLY_ANY_AUDIO) as server:
                _join(server, audio, WARM_UP_JOINS, per_second)
                all_run.wait()
                before = server.cpu()
                result = _join(server, audio, joins, per_second)
                cpu = server.cpu() - before
                all_run.wait()
        except BaseException:  # A server that does not start as well: nobody must wait for it.
            all_run.abort()
            raise
        return {
            "cpu_us_per_join": cpu / joins * 1e6,
            "joins_per_cpu_second": joins / cpu,
            "first_ms_p50": result["first_ms_p50"],
        }

    with ThreadPoolExecutor(len(servers)) as threads:
        return dict(zip(servers, threads.map(figures, servers.values()), strict=True))


def _join(server: Server, audio: Path, joins: int, per_second: int) -> dict[str, Any]:
    return checked(Load("listeners", "sio", server.port, joins, per_second, 0, 0, STREAM_ID, audio).result())


def first_chunk(start: Start, audio: Path, listeners: int, joins: int) -> Figures:
    """Return how long a listener waits for its first chunk: 100 joins a second, while so many listeners stream."""
    with start({}) as server:
        crowd = Load("listeners", "sio", server.port, listeners, 150, 8, 0, STREAM_ID, audio)
        crowd.wait_for_ramp()
        result = checked(
            Load("listeners", "sio", server.port, joins, JOINS_PER_SECOND, 0, 0, STREAM_ID, audio).result()
        )
        checked(crowd.result())
    return {"first_ms_p50": result["first_ms_p50"], "first_ms_p99": result["first_ms_p99"]}


def memory_per_listener(start: Start, audio: Path, listeners: int, *, stalled: bool) -> Figures:
    """Return the memory per listener in the process and, in the kernel, of what waits in its send buffer."""
    with start(REAL_TIME if not stalled else {}) as server:
        warm_up = Load("listeners", "sio", server.port, 10, 100, 1, 0, STREAM_ID, audio)
        warm_up.result()
        before = server.memory()
        load = Load("listeners", "sio", server.port, listeners, 200, 8, int(stalled), STREAM_ID, audio)
        load.wait_for_ramp()
        time.sleep(6)
        process, kernel = server.memory() - before, _send_queues(server.port)
        checked(load.result())
    return {
        "process_bytes_per_listener": process / listeners,
        "kernel_bytes_per_listener": kernel / listeners,
    }


def _send_queues(port: int) -> int:
    """Return the bytes that wait in the send buffers of the connections to `port`."""
    listing = subprocess.run(
        ["ss", "-tnH", "state", "established", "sport", "=", f":{port}"], capture_output=True, text=True, check=True
    ).stdout
    return sum(int(line.split()[1]) for line in listing.splitlines())


@dataclass(frozen=True)
class Relays:
    """How backends send UI updates to a server: `batch` in a request (`send_ui_updates`), or one; or by line.

    With `lines` each backend has one request, and so many updates in it that wait for their answer.
    """

    start: Start
    batch: int = 1
    lines: int = 0


def relays(servers: Mapping[str, Relays], seconds: float) -> dict[str, Figures]:
    """Return how many UI updates are relayed per second of CPU: 100 subscribers, 20 backends that never wait.

    All servers are measured at the same time, on the same core: so whatever disturbs one disturbs the others. Only
    the ratios count.
    """
    barrier = threading.Barrier(len(servers), timeout=RAMP_SECONDS)
    with ThreadPoolExecutor(len(servers)) as threads:
        runs = {name: threads.submit(_relays, one, seconds, barrier) for name, one in servers.items()}
        return {name: run.result() for name, run in runs.items()}


def _relays(relays: Relays, seconds: float, barrier: threading.Barrier) -> Figures:
    form = (relays.lines, "lines") if relays.lines else (relays.batch,)
    with relays.start({}) as server:
        barrier.wait()
        load = Load("updates", server.port, 100, 20, 0, seconds, *form)
        load.wait_for_ramp()
        before = server.cpu()
        result = load.result()
        cpu = server.cpu() - before
    if result["not_ok"] or result["problems"] or result["received"] < result["answered"]:
        raise Wrong(str(result))
    return {"relays_per_cpu_second": result["answered"] / cpu}


def relay_latency(start: Start, audio: Path, listeners: int, seconds: float) -> Figures:
    """Return the time from POST to event: 500 updates a second, while so many listeners stream."""
    with start({}) as server:
        crowd = Load("listeners", "sio", server.port, listeners, 200, seconds + 4, 0, STREAM_ID, audio)
        crowd.wait_for_ramp()
        result = Load("updates", server.port, 100, 20, 500, seconds, 1).result()
        checked(crowd.result())
    if result["not_ok"] or result["problems"]:
        raise Wrong(str(result))
    return {"relay_ms_p50": result["relay_ms_p50"], "relay_ms_p99": result["relay_ms_p99"]}


def growing(audio: Path, rounds: int) -> Figures:
    """Return how long a listener that waits at a growing stream waits for the first byte that is written."""
    waited = []
    with asf(audio) as server, TemporaryDirectory(dir=audio.parent) as directory:
        for number in range(rounds):
            path = Path(directory) / f"{number}.mp3"
            body = {"stream_id": f"growing-{number}", "filepath": str(path), "state": "generating"}
            url = f"http://127.0.0.1:{server.port}/asf/internal/notify_new_audio"
            requests.post(url, json=body, timeout=10).raise_for_status()
            listener = websocket.create_connection(
                f"ws://127.0.0.1:{server.port}/api/v1/podcasts/stream/growing-{number}", timeout=10
            )
            while b"start_of_stream" not in listener.recv_data()[1]:
                pass
            time.sleep(random.uniform(0.05, 0.1))
            path.write_bytes(b"x")
            written = time.monotonic()
            if listener.recv_data()[1] != b"x":
                raise Wrong("Another byte than the one that was written.")
            waited.append((time.monotonic() - written) * 1e3)
            listener.close()
    return {"first_byte_ms_p50": statistics.median(waited), "first_byte_ms_max": max(waited)}


def growth(audio: Path, environment: dict[str, str], listeners: int, seconds: float) -> Figures:
    """Return what so many listeners cost, and how far the pump lags behind."""
    with asf(audio, environment) as server:
        load = Load("listeners", "sio", server.port, listeners, 400, seconds + 2, 0, STREAM_ID, audio)
        load.wait_for_ramp()
        time.sleep(SETTLE_SECONDS)
        lags = _lag_histogram(server.port)
        before = server.cpu()
        time.sleep(seconds)
        cpu = server.cpu() - before
        lags = {bound: count - lags[bound] for bound, count in _lag_histogram(server.port).items()}
        result = checked(load.result())
    return {
        "listeners": listeners,
        "core_share": cpu / seconds,
        "pump_lag_ms_p99": _quantile(lags, 0.99) * 1e3,
        "first_ms_p99": result["first_ms_p99"],
        "gap_ms_p99": result["gap_ms_p99"],
        "megabytes_per_second": result["steady_bytes"] / result["steady_seconds"] / 1e6,
    }


def _lag_histogram(port: int) -> dict[float, float]:
    """Return the pump's lag from the server's metrics: how many ticks were at most so late, by seconds."""
    text = requests.get(f"http://127.0.0.1:{port}/metrics", timeout=10).text
    return {
        float(sample.labels["le"]): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == "asf_pump_lag_seconds_bucket"
    }


def _quantile(cumulative: dict[float, float], fraction: float) -> float:
    """Return the upper bound of the bucket in which that quantile lies."""
    total = max(cumulative.values())
    return min((bound for bound, count in cumulative.items() if count >= fraction * total), default=0.0)
