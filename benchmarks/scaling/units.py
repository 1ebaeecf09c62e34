"""What one of each thing costs: measured with the real adapters on a real Redis, and on a real server.

CPU time is that of the process in question, as the median of several runs. What Redis needs for a command is measured
under full load, with the very command that the adapter sends: one that is asked now and then needs twice as much, for
waking up.
"""

import json
import shutil
import socket
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import redis
import websocket

from asf.adapters.memory import InMemoryAudioSources
from asf.adapters.redis_store.catalog import RedisCatalogStore
from asf.adapters.redis_store.connection import connect
from asf.adapters.redis_store.pubsub import RedisPubSub
from asf.adapters.redis_store.update_log import MAX_BYTES, PREFIX, Limits, RedisUpdateLog
from asf.adapters.system_clock import SystemClock
from asf.domain.streams.catalog import Announcement, StreamCatalog
from asf.domain.updates.update import UiUpdate
from benchmarks import processes
from benchmarks.measurements import HARDLY_ANY_AUDIO
from benchmarks.processes import STREAM_ID

REPEATS = 5
CALLS = 4000
"""Calls in one run of a measurement."""

LOAD_CALLS = 20_000
KEPT = 10_000
SERVERS = 101
"""So many share one Redis when an update is measured, one of which has subscribers to its client."""

ANY_NUMBER = "__rand_int__"
"""`redis-benchmark`'s sign for a number of twelve digits that changes."""

CONNECTIONS = 500
ACKNOWLEDGEMENTS_EACH = 60
START_SECONDS = 10.0
IDLE_SECONDS = 0.001
"""CPU in a tenth of a second of a server that has nothing to do, at the most."""
AUDIO_NAMESPACE = "/api/v1/podcasts/stream"
UI_NAMESPACE = "/ui_updates"
UPDATE_DATA = {"percentage": 50, "step": "script", "note": "x" * 60}
"""About 100 bytes of JSON, as a progress event has."""


def measure() -> dict[str, float]:
    """Return all figures: names that end in `_us` are microseconds of CPU, those in `_bytes` bytes of memory."""
    with _redis_server() as url:
        figures = _commands(url)
    with _redis_server() as url:  # A new one: those that asked the other still leave it.
        figures |= _memory_of_redis(url)
    return figures | _connections()


@contextmanager
def _redis_server() -> Iterator[str]:
    """Run a Redis that keeps everything in memory only, and return its URL."""
    program = shutil.which("redis-server")
    if program is None:
        raise SystemExit("redis-server is needed: apt-get install redis-server")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = int(free.getsockname()[1])
    with tempfile.TemporaryDirectory() as directory:
        command = [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", directory]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            _wait_for(port)
            yield f"redis://127.0.0.1:{port}/0"
        finally:
            process.terminate()
            process.wait(START_SECONDS)


def _wait_for(port: int) -> None:
    end = time.monotonic() + START_SECONDS
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.02)
        else:
            return


class _Asker:
    """A server's way to Redis: as the container has it, with the threads that it runs."""

    def __init__(self, url: str) -> None:
        self.client = connect(url)
        self.news = RedisPubSub(self.client)
        numbers = count()
        self.store = RedisCatalogStore(self.client, self.news)
        self.log = RedisUpdateLog(self.client, self.news, Limits(500, 300.0), lambda: f"epoch-{next(numbers)}")
        self.catalog = StreamCatalog(self.store, InMemoryAudioSources({}), SystemClock(), lambda: "epoch", 10**9)
        self._threads: list[threading.Thread] = []

    def run(self, *, with_news: bool = True) -> None:
        """Start the threads."""
        for target in [self.log.run, *([self.news.run] if with_news else [])]:
            self._threads.append(threading.Thread(target=target, daemon=True))
            self._threads[-1].start()

    def close(self) -> None:
        """End the threads."""
        self.log.close()
        self.news.close()
        for thread in self._threads:
            thread.join()


def _commands(url: str) -> dict[str, float]:
    """Return the CPU of Redis and of the process that asks, for each kind of command that servers send."""
    asker = _Asker(url)
    asker.run()
    for number in range(CALLS):
        asker.catalog.announce(Announcement(f"stream-{number:012}", asker.catalog.locate("episodes/stream.mp3")))
    others = count()
    calls: dict[str, Callable[[str], Any]] = {
        "get": lambda number: asker.store.get(f"stream-{number}"),
        "subscribe": lambda _: asker.log.follow(f"other-{next(others)}"),
        "recover": lambda number: asker.log.recover(f"client-{number}", None, 0.0),
        "append": lambda number: asker.log.append(UiUpdate(f"client-{number}", "progress", UPDATE_DATA), 0.0, 0.0),
    }
    figures = {}
    crowd: list[_Asker] = []
    for name, call in calls.items():
        if name == "recover":  # From here on each client has a subscriber, as the sign for a number stands for one.
            for sign in [*(f"{number:012}" for number in range(CALLS)), ANY_NUMBER]:
                asker.log.follow(f"client-{sign}")
        runs = [_run(asker.client, call) for _ in range(REPEATS)]
        figures[f"node_{name}_us"] = statistics.median(node_us for _, node_us in runs)
        if name == "subscribe":  # Over one connection only, one at a time.
            figures[f"redis_{name}_us"] = statistics.median(redis_us for redis_us, _ in runs)
        else:
            command = _command_of(asker.client, call)
            if name == "append":
                crowd = _servers(url, SERVERS - 1)
                while not _history_is_full(asker.client):  # Then each update has an older one forgotten.
                    _one_run_under_load(asker.client, command)
            figures[f"redis_{name}_us"] = _redis_under_load(asker.client, command)
    for one in [asker, *crowd]:
        one.close()
    return figures


def _servers(url: str, number: int) -> list[_Asker]:
    """Return more servers, which have no subscribers, as soon as Redis knows of them."""
    client = connect(url)
    before = len(client.keys(f"{PREFIX}server:*"))
    askers = [_Asker(url) for _ in range(number)]
    for asker in askers:
        asker.run(with_news=False)
    while len(client.keys(f"{PREFIX}server:*")) < before + number:
        time.sleep(0.1)
    client.close()
    return askers


def _history_is_full(client: redis.Redis) -> bool:
    kept: Any = client.hget(f"{PREFIX}log", "bytes")
    return int(kept) > MAX_BYTES * 0.99


def _run(client: redis.Redis, call: Callable[[str], Any]) -> tuple[float, float]:
    """Return the CPU of Redis and of this process, in microseconds a call, one call at a time."""
    redis_before, before = _redis_cpu(client), time.process_time()
    for number in range(CALLS):
        call(f"{number:012}")
    own, of_redis = time.process_time() - before, _redis_cpu(client) - redis_before
    return of_redis / CALLS * 1e6, own / CALLS * 1e6


def _command_of(client: redis.Redis, call: Callable[[str], Any]) -> list[bytes]:
    """Return the command that a call sends to Redis, with the sign for a number that changes."""
    sent: list[tuple[Any, ...]] = []
    execute: Any = client.execute_command

    def record(*command: Any, **options: Any) -> Any:
        sent.append(command)
        return execute(*command, **options)

    client.execute_command = record  # type: ignore[method-assign]
    call(ANY_NUMBER)
    client.execute_command = execute  # type: ignore[method-assign]
    parts = [part if isinstance(part, bytes) else str(part).encode() for part in sent[-1]]
    return [part.replace(b"\0", b"\1") for part in parts]  # An argument of a program has no NUL; digests may.


def _redis_under_load(client: redis.Redis, command: list[bytes]) -> float:
    """Return the median of several runs of the CPU of Redis for a command, in microseconds, under full load."""
    return statistics.median(_one_run_under_load(client, command) for _ in range(REPEATS))


def _one_run_under_load(client: redis.Redis, command: list[bytes]) -> float:
    """Return it for one run: 50 connections ask as fast as they can."""
    port = client.connection_pool.connection_kwargs["port"]
    before = _redis_cpu(client)
    load: list[str | bytes] = [
        "redis-benchmark",
        "-p",
        str(port),
        "-c",
        "50",
        "-n",
        str(LOAD_CALLS),
        "-r",
        str(CALLS),
        "-q",
    ]
    answer = subprocess.run([*load, *command], capture_output=True, check=True)
    assert b"rror" not in answer.stdout + answer.stderr, answer
    return (_redis_cpu(client) - before) / LOAD_CALLS * 1e6


def _redis_cpu(client: redis.Redis) -> float:
    cpu: Any = client.info("cpu")
    return float(cpu["used_cpu_user"]) + float(cpu["used_cpu_sys"])


def _memory_of_redis(url: str) -> dict[str, float]:
    """Return the memory of Redis for one of each thing that is kept."""
    asker = _Asker(url)
    asker.run()

    def taken_by(do: Callable[[int], object]) -> float:
        before = _used(asker.client)
        for one in range(KEPT):
            do(one)
        return (_used(asker.client) - before) / KEPT

    def announce(one: int) -> None:
        asker.catalog.announce(Announcement(f"strm_{one:010}", asker.catalog.locate(f"srv/audio/strm_{one:010}.mp3")))

    def append(one: int) -> None:
        asker.log.append(UiUpdate(f"client-{one:010}", "generation_progress", UPDATE_DATA), 0.0, 0.0)

    def subscribe(one: int) -> None:
        asker.log.follow(f"client-{one:010}")
        asker.log.recover(f"client-{one:010}", None, 0.0)

    figures = {
        "redis_stream_bytes": taken_by(announce),
        "redis_first_update_bytes": taken_by(append),
        "redis_update_bytes": taken_by(append),
        "redis_subscription_bytes": taken_by(subscribe),
    }
    asker.close()
    return figures


def _used(client: redis.Redis) -> int:
    memory: Any = client.info("memory")
    return int(memory["used_memory"])


def _connections() -> dict[str, float]:
    """Return what an acknowledgement and a subscription to UI updates cost a server."""
    with tempfile.TemporaryDirectory() as directory:
        audio = Path(directory) / "audio.bin"
        audio.write_bytes(bytes(1024 * 1024))
        with processes.asf(audio, HARDLY_ANY_AUDIO) as server:
            connections = [_listener(server.port) for _ in range(CONNECTIONS)]
            acknowledgement = f'42{AUDIO_NAMESPACE},["audio_ack",{{"received":4096}}]'

            def acknowledge() -> None:
                for _ in range(ACKNOWLEDGEMENTS_EACH):
                    for connection in connections:
                        connection.send(acknowledgement)
                _settle(server)

            acknowledge_us = statistics.median(
                _server_us(server, acknowledge) / CONNECTIONS / ACKNOWLEDGEMENTS_EACH for _ in range(REPEATS)
            )
            memory = server.memory()

            def subscribe() -> None:
                for number, connection in enumerate(connections):
                    connection.send(f"40{UI_NAMESPACE},")
                    _receive(connection, "ui_connection_ack")
                    event = json.dumps(["subscribe_to_ui_updates", {"client_id": f"client-{number}"}])
                    connection.send(f"42{UI_NAMESPACE},{event}")
                    _receive(connection, "subscribed_ui_updates")

            subscribe_us = _server_us(server, subscribe) / CONNECTIONS
            subscription_bytes = (server.memory() - memory) / CONNECTIONS
            for connection in connections:
                connection.close()
    return {
        "node_acknowledgement_us": acknowledge_us,
        "node_ui_subscription_us": subscribe_us,
        "node_ui_subscription_bytes": subscription_bytes,
    }


def _listener(port: int) -> websocket.WebSocket:
    """Return a connection that has joined with a window, and has its first chunk."""
    connection = websocket.create_connection(
        f"ws://127.0.0.1:{port}/socket.io/?EIO=4&transport=websocket", timeout=START_SECONDS
    )
    connection.send(f"40{AUDIO_NAMESPACE},")
    _receive(connection, "connection_ack")
    event = json.dumps(["join_stream", {"stream_id": STREAM_ID, "window": 48 * 1024}])
    connection.send(f"42{AUDIO_NAMESPACE},{event}")
    while not isinstance(connection.recv(), bytes):
        pass
    return connection


def _receive(connection: websocket.WebSocket, word: str) -> None:
    while word not in str(connection.recv()):
        pass


def _server_us(server: processes.Server, do: Callable[[], object]) -> float:
    before = server.cpu()
    do()
    return (server.cpu() - before) * 1e6


def _settle(server: processes.Server) -> None:
    """Wait until the server has nothing more to do."""
    before, now = -1.0, server.cpu()
    while now - before > IDLE_SECONDS:
        time.sleep(0.1)
        before, now = now, server.cpu()


def machine() -> dict[str, str]:
    """Return which Redis it was."""
    answer = subprocess.run(["redis-server", "--version"], capture_output=True, text=True, check=True).stdout
    return {"Redis": answer.split("v=")[1].split()[0]}
