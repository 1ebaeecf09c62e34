"""Several workers, one of which is killed, has no descriptors left or does not run; or Redis, or the supervisor."""

import os
import resource
import signal
import socket
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack, closing, suppress
from http import HTTPStatus
from pathlib import Path

import pytest
import requests

from tests.support.audience import TRANSPORTS, Audience, LightListener, longest_gap, lost_bytes
from tests.support.bounds import PATIENCE_SECONDS
from tests.support.bursts import Backend, Watcher
from tests.support.fixtures import StartServer, audio_of
from tests.support.ledger import Ledger
from tests.support.processes import ServerProcess, children_of, eventually
from tests.support.workers import answer_of, connect, kill, pongs, redis_of, request_of, sessions_of_both, workers_of

TWO = {"ASF_WORKERS": "2", "ASF_STREAM_SLEEP_INTERVAL": "0.05", "ASF_UI_HISTORY_SIZE": "5000"}
BYTES_PER_SECOND = 81_920
KILL_SECONDS = 2.0
IMPATIENT = [sys.executable, "-m", "tests.support.impatient_supervisor"]


@pytest.mark.long
def test_a_worker_is_killed_again_and_again(start_server: StartServer, ledger: Ledger, soak: bool) -> None:
    """Every two seconds, under listeners on all transports and subscribers with posters."""
    seconds, each, subscribers = (120, 150, 12) if soak else (10, 5, 2)
    server = start_server(TWO)
    audio = audio_of((4 * seconds + 60) * BYTES_PER_SECOND)
    announce(server, audio)
    watchers = [Watcher(server.url, f"client-{number}") for number in range(subscribers)]
    eventually(lambda: all(watcher.items for watcher in watchers))
    backends = [Backend(_updating(server, watcher.client_id)) for watcher in watchers]
    with Audience() as audience, ExitStack() as running:
        for _ in range(each):
            audience.join(*[_listener(server, audio, transport) for transport in TRANSPORTS])
            audience.wait_until(lambda listener: listener.hears)
        for backend in backends:
            running.enter_context(backend)
        kills = _kill_for(server, seconds)
        goals = [max(backend.answered, default=0) + 20 for backend in backends]
        for watcher, goal in zip(watchers, goals, strict=True):
            eventually(lambda: watcher.latest >= goal, 3 * PATIENCE_SECONDS)  # noqa: B023 - used at once
        running.close()
        audience.hear_on()
        audience.leap()
        audience.wait_for_all()
    lost = sum(watcher.lost(backend.answered) for watcher, backend in zip(watchers, backends, strict=True))
    assert lost == 0
    assert lost_bytes(audience.listeners) == 0
    assert [listener.error for listener in audience.listeners if listener.error] == []
    assert sum(listener.breaks for listener in audience.listeners) > 0
    assert all(watcher.told_missed == 0 for watcher in watchers)
    for watcher in watchers:
        watcher.close(server)
    ledger.note(
        "kill -9 of a worker every two seconds, of two",
        tried=kills,
        unit=f"kills under {len(audience.listeners)} listeners and {subscribers} subscribers",
        must_hold="Every listener resumes at its offset and receives every byte once, and every update that was "
        "answered with 200 arrives once, in order.",
        lost=lost + lost_bytes(audience.listeners),
        measured=f"longest gap {longest_gap(audience.listeners):.1f} s",
    )


def test_the_private_redis_is_killed(start_server: StartServer) -> None:
    """Sessions continue, it is started again, and what was announced and sent is there."""
    server = start_server(TWO)
    audio = audio_of(60 * BYTES_PER_SECOND)
    announce(server, audio)
    watcher = Watcher(server.url, "alice")
    eventually(lambda: watcher.items)
    with Audience() as audience, Backend(_updating(server, "alice")) as backend:
        audience.join(*[_listener(server, audio, transport) for transport in TRANSPORTS])
        audience.wait_until(lambda listener: listener.hears)
        breaks = [listener.breaks for listener in audience.listeners]
        for _ in range(2):
            earlier = redis_of(server)
            kill(earlier)
            eventually(lambda: redis_of_or_none(server) not in {None, earlier})  # noqa: B023 - used at once
            goal = max(backend.answered, default=0) + 20
            eventually(lambda: watcher.latest >= goal)  # noqa: B023 - used at once
        audience.hear_on()
        assert [listener.breaks for listener in audience.listeners] == breaks
        audience.leap()
        audience.wait_for_all()
    assert watcher.lost(backend.answered) == 0
    assert lost_bytes(audience.listeners) == 0
    assert watcher.told_missed == 0
    answer = requests.get(f"{server.url}/asf/internal/streams/s", timeout=PATIENCE_SECONDS)
    assert answer.json()["state"] == "complete"
    watcher.close(server)


def test_nothing_is_left_of_a_server_whose_supervisor_is_killed(tmp_path: Path) -> None:
    """No process, and nothing that keeps the port. Started again, it has its streams."""
    server = ServerProcess(tmp_path, TWO)
    announce(server, audio_of(1000))
    children = children_of(server.pid)
    assert len(children) == 3
    server.kill()
    eventually(lambda: not any(Path(f"/proc/{pid}").exists() for pid in children))
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", server.port))
    again = ServerProcess(tmp_path, {**TWO, "ASF_PORT": str(server.port)})
    answer = requests.get(f"{again.url}/asf/internal/streams/s", timeout=PATIENCE_SECONDS)
    assert answer.json()["state"] == "complete"
    assert again.stop() == 0


def test_a_second_signal_stops_at_once(tmp_path: Path) -> None:
    """Although a listener would have a minute."""
    server = ServerProcess(tmp_path, {**TWO, "ASF_DRAIN_SECONDS": "60"})
    audio = audio_of(60 * BYTES_PER_SECOND)
    announce(server, audio)
    children = children_of(server.pid)
    with Audience() as audience:
        audience.join(_listener(server, audio, TRANSPORTS[0]))
        audience.wait_until(lambda listener: listener.hears)
        server.process.send_signal(signal.SIGTERM)
        eventually(lambda: any("Stopping: waiting up to 60 s" in line for line in server.log))
        server.process.send_signal(signal.SIGTERM)
        assert server.wait() == 1
    assert not any(Path(f"/proc/{pid}").exists() for pid in children)


def test_a_worker_without_descriptors_leaves_connections_to_the_other(start_server: StartServer) -> None:
    """Nobody's connection is lost, and when it has some again it serves its own sessions."""
    server = start_server(TWO)
    sids = sessions_of_both(server)
    victim = workers_of(server)[0]
    before = resource.prlimit(victim, resource.RLIMIT_NOFILE)
    held: list[socket.socket] = []
    resource.prlimit(victim, resource.RLIMIT_NOFILE, (_highest_descriptor(victim) + 2, before[1]))
    try:
        for _ in range(30):
            held.append(connect(server))
            held[-1].sendall(b"GET /asf/health HTTP/1.1\r\nHost: a\r\n\r\n")
        for connection in held:
            assert connection.recv(65536).startswith(b"HTTP/1.1 200")
    finally:
        resource.prlimit(victim, resource.RLIMIT_NOFILE, before)
        for connection in held:
            connection.close()
    assert all(answer.startswith(b"HTTP/1.1 200") for answer in pongs(server, *sids, *sids))


def test_a_worker_that_does_not_run_keeps_nobody_else_waiting(start_server: StartServer) -> None:
    """Connections that are for it wait, or receive 503 in the end. The other one serves all else."""
    server = start_server(TWO)
    sids = {int(sid.split("-")[0]): sid for sid in sessions_of_both(server)}
    victim = workers_of(server)[0]
    slot = _slot_of(server, victim, sids)
    os.kill(victim, signal.SIGSTOP)
    try:
        waiting = [connect(server) for _ in range(20)]
        for connection in waiting:
            with suppress(OSError):
                connection.sendall(
                    f"GET /socket.io/?EIO=4&transport=polling&sid={sids[slot]} HTTP/1.1\r\nHost: a\r\n\r\n".encode()
                )
        other = sids[1 - slot]
        eventually(lambda: _is_answered(server, other))  # A few may be given to it before it is found to be behind.
        for _ in range(20):
            (answer,) = pongs(server, other)
            assert answer.startswith(b"HTTP/1.1 200")
        for connection in waiting:
            connection.close()
    finally:
        os.kill(victim, signal.SIGCONT)
    assert all(answer.startswith(b"HTTP/1.1 200") for answer in pongs(server, *sids.values()))


def test_a_worker_that_stays_stopped_is_replaced(start_server: StartServer) -> None:
    """Its listeners resume at their offset. What was for it waits for the next one."""
    server = start_server(TWO, wrapper=IMPATIENT)
    audio = audio_of(60 * BYTES_PER_SECOND)
    announce(server, audio)
    before = workers_of(server)
    with Audience() as audience:
        audience.join(*[_listener(server, audio, transport) for transport in TRANSPORTS for _ in range(2)])
        audience.wait_until(lambda listener: listener.hears)
        os.kill(before[0], signal.SIGSTOP)
        said = f"(process {before[0]}) has given no sign of life for 2 s, killing it"
        eventually(lambda: any(said in line for line in server.log))
        eventually(lambda: len(set(workers_of(server)) - {before[0]}) == 2)
        audience.hear_on()
        audience.leap()
        audience.wait_for_all()
    assert lost_bytes(audience.listeners) == 0
    assert [listener.error for listener in audience.listeners if listener.error] == []
    assert sum(listener.breaks for listener in audience.listeners) > 0


def redis_of_or_none(server: ServerProcess) -> int | None:
    """Return the id of the private Redis, if there is one now."""
    with suppress(ValueError):
        return redis_of(server)
    return None


def _kill_for(server: ServerProcess, seconds: float) -> int:
    """Kill the workers in turn, one every two seconds, as soon as both are there. Returns how often."""
    kills, end = 0, time.monotonic() + seconds
    while time.monotonic() < end:
        eventually(lambda: len(workers_of(server)) == 2)
        kill(workers_of(server)[0])
        kills += 1
        time.sleep(KILL_SECONDS)  # What is tried is this: it waits for nothing.
    eventually(lambda: len(workers_of(server)) == 2)
    return kills


def _updating(server: ServerProcess, client_id: str) -> Callable[[int], bool]:
    def update(number: int) -> bool:
        body = {"client_id": client_id, "event_name": "n", "data": number, "idempotency_key": f"{client_id}-{number}"}
        answer = requests.post(f"{server.url}/asf/internal/send_ui_update", json=body, timeout=PATIENCE_SECONDS)
        return answer.status_code == 200

    return update


def _listener(server: ServerProcess, audio: bytes, transport: str) -> LightListener:
    """Return a listener that comes back where it may, as the private Redis of a busy machine is slow for a moment."""
    return LightListener(server.port, "s", audio, transport, http_bytes_per_second=BYTES_PER_SECOND, patient=True)


def announce(server: ServerProcess, audio: bytes) -> None:
    """Announce the stream, as backends do: again while the private Redis is slow (503)."""
    path = server.audio_root / "s.mp3"
    path.write_bytes(audio)

    def is_announced() -> bool:
        answer = server.notify("s", str(path))
        assert answer.status_code in {HTTPStatus.OK, HTTPStatus.SERVICE_UNAVAILABLE}, answer.text
        return answer.status_code == HTTPStatus.OK

    eventually(is_announced)


def _highest_descriptor(pid: int) -> int:
    return max(int(one.name) for one in Path(f"/proc/{pid}/fd").iterdir())


def _is_answered(server: ServerProcess, sid: str) -> bool:
    """Return whether a pong to a session is answered soon."""
    with closing(connect(server)) as connection, suppress(TimeoutError):
        connection.settimeout(1)
        connection.sendall(request_of(sid))
        return answer_of(connection).startswith(b"HTTP/1.1 200")
    return False


def _slot_of(server: ServerProcess, pid: int, slots: dict[int, str]) -> int:
    """Return the slot of a worker: the first one has the first."""
    assert workers_of(server)[0] == pid
    return min(slots)
