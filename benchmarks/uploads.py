"""Measures uploads beside the file route: CPU, latency and the longest gap of many live streams with a listener each.

Usage: python -m benchmarks.uploads [--streams N] [--seconds S] [--piece BYTES] [--every SECONDS]

A sender of pieces and a listener by URL for each stream are in this process, on another core than the server. The
latency is from the byte on the sender's socket, or in the file, to the same byte at the listener. Needs two cores.
"""

import argparse
import heapq
import os
import selectors
import socket
import tempfile
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

import requests

from benchmarks import processes
from tests.support.uploader import Sender, offset_of

SETTLE_SECONDS = 1.0
MPEG_HEADER = b"\xff\xfb\x90\x00"


class Listener:
    """A GET request for a stream. `gap` is the longest time between two pieces, `latencies` those of all pieces."""

    def __init__(self, port: int, stream_id: str) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.sendall(f"GET /api/v1/podcasts/stream/{stream_id} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        self.socket.settimeout(0)
        self.sent: deque[tuple[int, float]] = deque()
        self.latencies: list[float] = []
        self.received = 0
        self.gap = 0.0
        self._at: float | None = None
        self._buffer = b""
        self._left = -1  # Of the current chunk, with its line end; -1: the head is not complete yet.

    def receive(self) -> None:
        """Receive what has arrived."""
        self._buffer += self.socket.recv(1 << 16)
        before = self.received
        self._read()
        now = time.perf_counter()
        if self.received > before:
            self.gap = max(self.gap, now - (self._at or now))
            self._at = now
        while self.sent and self.sent[0][0] <= self.received:
            self.latencies.append(now - self.sent.popleft()[1])

    def _read(self) -> None:
        if self._left < 0:
            _, end, rest = self._buffer.partition(b"\r\n\r\n")
            if not end:
                return
            self._buffer, self._left = rest, 0
        while self._buffer:
            if not self._left:
                size, end, rest = self._buffer.partition(b"\r\n")
                if not end:
                    return
                self._buffer, self._left = rest, int(size, 16) + 2
            part = self._buffer[: self._left]
            self.received += max(0, min(len(part), self._left - 2))
            self._left -= len(part)
            self._buffer = self._buffer[len(part) :]


def senders_by_upload(server: processes.Server, count: int) -> list[Callable[[bytes], object]]:
    """Return a function for each stream that sends a piece in its request."""
    sends: list[Callable[[bytes], object]] = [Sender(server.port, f"s{number}").send for number in range(count)]
    url = f"http://127.0.0.1:{server.port}"
    while any(offset_of(url, f"s{number}") < 0 for number in range(count)):  # Not announced yet.
        time.sleep(0.05)
    return sends


def senders_by_file(server: processes.Server, count: int, root: Path) -> list[Callable[[bytes], object]]:
    """Return a function for each stream that appends a piece to its file."""
    writes: list[Callable[[bytes], object]] = []
    for number in range(count):
        path = root / f"s{number}.mp3"
        writes.append(path.open("wb", buffering=0).write)
        body = {"stream_id": f"s{number}", "filepath": str(path), "state": "generating"}
        url = f"http://127.0.0.1:{server.port}/asf/internal/notify_new_audio"
        requests.post(url, json=body, timeout=10).raise_for_status()
    return writes


def run(
    sends: list[Callable[[bytes], object]], listeners: list[Listener], piece: bytes, every: float, seconds: float
) -> None:
    """Send a piece to each stream at this interval, and receive meanwhile."""
    selector = selectors.DefaultSelector()
    for listener in listeners:
        selector.register(listener.socket, selectors.EVENT_READ, listener)
    start = time.perf_counter()
    due = [(start + every * number / len(sends), number, 0) for number in range(len(sends))]
    while (now := time.perf_counter()) < start + seconds:
        while due[0][0] <= now:
            at, number, sent = heapq.heappop(due)
            listeners[number].sent.append((sent + len(piece), time.perf_counter()))
            sends[number](piece)
            heapq.heappush(due, (at + every, number, sent + len(piece)))
        for key, _ in selector.select(max(0.0, due[0][0] - time.perf_counter())):
            key.data.receive()


def measure(route: str, options: argparse.Namespace) -> None:
    """Measure one route, and print it."""
    with tempfile.TemporaryDirectory() as directory:
        audio = Path(directory) / "audio.mp3"
        audio.write_bytes(MPEG_HEADER)
        with processes.asf(audio, {"ASF_DATABASE": f"{directory}/asf.sqlite3"}) as server:
            if route == "upload":
                sends = senders_by_upload(server, options.streams)
            else:
                sends = senders_by_file(server, options.streams, audio.parent)
            listeners = [Listener(server.port, f"s{number}") for number in range(options.streams)]
            time.sleep(SETTLE_SECONDS)
            piece = MPEG_HEADER + os.urandom(options.piece - len(MPEG_HEADER))
            before = server.cpu()
            run(sends, listeners, piece, options.every, options.seconds)
            cpu = server.cpu() - before
    latencies = sorted(latency for listener in listeners for latency in listener.latencies)
    megabytes = sum(listener.received for listener in listeners) / 1e6
    print(
        f"{route}: {options.streams} streams, {megabytes / options.seconds:.1f} MB/s; "
        f"CPU {cpu / options.seconds:.0%} of a core, {cpu / megabytes * 1000:.0f} ms per MB; "
        f"latency p50 {latencies[len(latencies) // 2] * 1000:.1f} ms, "
        f"p99 {latencies[len(latencies) * 99 // 100] * 1000:.1f} ms; "
        f"longest gap {max(listener.gap for listener in listeners) * 1000:.0f} ms"
    )


def main() -> None:
    """Measure both routes."""
    arguments = argparse.ArgumentParser(description="Measure uploads beside the file route.")
    arguments.add_argument("--streams", type=int, default=200, help="how many are uploaded at the same time")
    arguments.add_argument("--seconds", type=float, default=20.0, help="for how long")
    arguments.add_argument("--piece", type=int, default=1600, help="bytes in a piece")
    arguments.add_argument("--every", type=float, default=0.1, help="seconds between two pieces of a stream")
    options = arguments.parse_args()
    processes.on_core(processes.LOAD_CORE)()
    for route in ("upload", "file"):
        measure(route, options)


if __name__ == "__main__":
    main()
