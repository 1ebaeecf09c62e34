"""Several workers as one server: whichever of them a connection comes to, the one serves it that it is for."""

import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
import requests

from tests.support.audience import TRANSPORTS, Audience, LightListener, lost_bytes
from tests.support.bounds import COMMAND_SECONDS, PATIENCE_SECONDS
from tests.support.command_line import asf
from tests.support.engineio_wire import WireListener
from tests.support.fixtures import StartServer, audio_of
from tests.support.plain_websocket import PlainListener
from tests.support.processes import ServerProcess, eventually
from tests.support.workers import (
    answer_of,
    begin,
    connect,
    kill,
    pongs,
    request_of,
    sessions_of_both,
    workers_of,
)

TWO = {"ASF_WORKERS": "2"}
EACH = 6


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """Return a server with two workers, shared by the tests of this module."""
    server = ServerProcess(tmp_path_factory.mktemp("workers"), TWO)
    yield server
    assert server.stop() == 0, "".join(server.log)
    assert not any("Traceback (" in line for line in server.log), "".join(server.log)


def test_all_transports_play_everything(server: ServerProcess) -> None:
    """Each request of a session on polling may come to any worker, with the requests of an upgrade among them."""
    audio = audio_of(300_000)
    server.announce("all", audio)
    with Audience() as audience:
        listeners = audience.join(
            *[LightListener(server.port, "all", audio, transport) for transport in TRANSPORTS for _ in range(EACH)]
        )
        audience.wait_for_all()
    assert lost_bytes(listeners) == 0
    assert [listener.error for listener in listeners if listener.error] == []


def test_a_session_is_upgraded_wherever_its_websocket_arrives(server: ServerProcess) -> None:
    """Eight sessions, so that some of the WebSockets come to the other worker first."""
    audio = audio_of(50_000)
    server.announce("upgrade", audio)
    listeners = [WireListener(server.url, polling=True) for _ in range(8)]  # Open together, so both have some.
    for listener in listeners:
        listener.upgrade()
        listener.emit("join_stream", {"stream_id": "upgrade"})
        listener.receive_until("end_of_stream")
        assert bytes(listener.audio) == audio
        listener.close()
    assert {listener.sid.split("-")[0] for listener in listeners} == {"0", "1"}


def test_one_connection_carries_the_sessions_of_both_workers(server: ServerProcess) -> None:
    """As that of a proxy does. It goes from one to the other and back."""
    first, second = sessions_of_both(server)
    answers = list(pongs(server, *([first, second] * 10)))
    assert all(answer.startswith(b"HTTP/1.1 200") and answer.endswith(b"OK") for answer in answers), answers


def test_requests_that_were_sent_together_are_answered_in_order(server: ServerProcess) -> None:
    """What has arrived behind a request that is another worker's goes there with it."""
    first, second = sessions_of_both(server)
    with closing(connect(server)) as connection:
        connection.sendall(b"".join(map(request_of, [first, second, first, second])))
        received = b""
        while received.count(b"HTTP/1.1 200") < 4 or not received.endswith(b"OK"):
            received += connection.recv(65536)
        assert received.count(b"\r\n\r\nOK") == 4


def test_a_head_may_come_byte_by_byte_to_the_wrong_worker(server: ServerProcess) -> None:
    """One of the two connections does."""
    for sid in sessions_of_both(server):
        with closing(connect(server)) as connection:
            for byte in request_of(sid, b"X-Long: " + b"x" * 200 + b"\r\n"):
                connection.sendall(bytes([byte]))
            assert answer_of(connection).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("make", ["0-999-{random}", "1-999-{random}", "63-1-{random}", "0--{random}", "x", "0-1", ""])
def test_an_id_that_nobody_has_given_is_rejected(server: ServerProcess, make: str) -> None:
    """Whoever may read it: of a worker that has ended, of a slot that does not exist, or of no worker at all."""
    sid = make.format(random="A" * 20)
    for _ in range(4):
        answer = requests.get(
            f"{server.url}/socket.io/?EIO=4&transport=websocket&sid={sid}", timeout=PATIENCE_SECONDS
        )
        assert answer.status_code == 400


def test_the_id_of_a_living_worker_is_no_session(server: ServerProcess) -> None:
    """The random part counts."""
    for sid in sessions_of_both(server):
        forged = sid[:-20] + "B" * 20
        (answer,) = pongs(server, forged)
        assert answer.startswith(b"HTTP/1.1 400")


def test_another_session_is_not_disturbed_by_who_sends_its_id(server: ServerProcess) -> None:
    """A request without a body to a session of somebody else: as with one worker, the id is the secret."""
    sid = begin(server)
    answer = requests.post(
        f"{server.url}/socket.io/?EIO=4&transport=polling&sid={sid}", data="9", timeout=PATIENCE_SECONDS
    )
    assert answer.status_code == 400


def test_a_change_that_was_answered_holds_at_every_worker(server: ServerProcess) -> None:
    """A worker that has just read a stream does not serve it as it was."""
    for number in range(10):
        audio = audio_of(2000 + number)
        server.announce("changed", audio, name=f"{number}.mp3")
        assert _audio_at_both(server, "changed") == {audio}
        url = f"{server.url}/asf/internal/streams/changed"
        if number % 2:
            assert requests.delete(url, timeout=PATIENCE_SECONDS).status_code == 200
            assert _audio_at_both(server, "changed") == {None}


def test_listeners_are_spread_evenly(server: ServerProcess) -> None:
    """Within a fifth, by the workers that say that they have them."""
    audio = audio_of(2_000_000)
    server.announce("even", audio)
    listeners = [PlainListener(server.url, "even", window=1000) for _ in range(40)]
    for listener in listeners:
        listener.receive_until("start_of_stream")

    def nodes() -> list[str]:
        query: dict[str, str | int] = {"stream_id": "even", "limit": 100}
        page = requests.get(f"{server.url}/asf/internal/sessions", params=query, timeout=PATIENCE_SECONDS).json()
        return [session["node"] for session in page["sessions"]]

    counts = Counter(eventually(lambda: found if len(found := nodes()) == 40 else None)).values()
    for listener in listeners:
        listener.close()
    assert len(counts) == 2
    assert max(counts) <= 1.2 * min(counts) + 2, counts


def test_limits_hold_over_all_workers(start_server: StartServer) -> None:
    """Four listeners in all, wherever they are."""
    server = start_server({**TWO, "ASF_MAX_LISTENERS": "4"})
    audio = audio_of(2_000_000)
    server.announce("s", audio)
    listeners = [PlainListener(server.url, "s", window=1000) for _ in range(8)]
    for listener in listeners:
        while not {"start_of_stream", "stream_error"} & {message["event"] for message in listener.messages}:
            listener.receive()
    errors = [message for one in listeners for message in one.messages if message["event"] == "stream_error"]
    assert [error["error_code"] for error in errors] == ["ASF_TOO_MANY_LISTENERS"] * 4
    for listener in listeners:
        listener.close()


def test_connections_of_one_address_are_limited_over_all_workers(start_server: StartServer) -> None:
    """Three for each address; a backend's are exempt, so none may be one."""
    server = start_server({**TWO, "ASF_MAX_CONNECTIONS_PER_IP": "3", "ASF_INTERNAL_TRUSTED_NETWORKS": "10.0.0.0/8"})
    connections = [connect(server) for _ in range(6)]
    statuses = []
    for connection in connections:
        connection.sendall(b"GET /asf/openapi.json HTTP/1.1\r\nHost: a\r\n\r\n")
        statuses.append(answer_of(connection)[9:12])
    for connection in connections:
        connection.close()
    assert sorted(statuses) == [b"200"] * 3 + [b"429"] * 3
    eventually(lambda: requests.get(f"{server.url}/asf/openapi.json", timeout=PATIENCE_SECONDS).status_code == 200)


def test_metrics_are_those_of_all_workers_and_never_go_back(start_server: StartServer) -> None:
    """Gauges are summed over the workers that there are, and counters over those that there were."""
    server = start_server(TWO)
    audio = audio_of(100_000)
    server.announce("s", audio)
    for _ in range(6):
        requests.get(server.stream_url("s"), timeout=PATIENCE_SECONDS)
    held = [PlainListener(server.url, "s", window=1000) for _ in range(6)]
    for listener in held:
        listener.receive_until("start_of_stream")
    eventually(lambda: _value(server, "asf_listeners") == 6)
    assert _value(server, "asf_joins_total") == 12
    victim = workers_of(server)[0]
    kill(victim)
    eventually(lambda: victim not in workers_of(server) and len(workers_of(server)) == 2)
    eventually(lambda: _value(server, "asf_listeners") in {2, 3, 4})
    assert _value(server, "asf_joins_total") == 12
    for listener in held:
        listener.close()


def test_a_reload_replaces_all_workers_under_listeners_and_a_poster(start_server: StartServer) -> None:
    """Nobody is cut who ends in time, on any transport, and no request fails on a kept connection."""
    server = start_server({**TWO, "ASF_DRAIN_SECONDS": "600", "ASF_STREAM_SLEEP_INTERVAL": "0.02"})
    audio = audio_of(2_000_000)
    server.announce("s", audio)
    before = set(workers_of(server))
    with Audience() as audience, requests.Session() as session:
        listeners = audience.join(
            *[LightListener(server.port, "s", audio, transport) for transport in TRANSPORTS for _ in range(3)]
        )
        audience.wait_until(lambda listener: listener.hears)
        os.kill(server.pid, signal.SIGHUP)
        while not any("Reload complete" in line for line in server.log):
            answer = session.post(
                f"{server.url}/asf/internal/send_ui_update",
                json={"client_id": "c", "event_name": "e", "data": 1},
                timeout=PATIENCE_SECONDS,
            )
            assert answer.status_code == 200, answer.text
        audience.wait_for_all()
    assert not before & set(workers_of(server))
    assert len(workers_of(server)) == 2
    assert lost_bytes(listeners) == 0
    assert [listener for listener in listeners if listener.breaks] == []


def test_workers_drain_as_one_server(tmp_path: Path) -> None:
    """One without listeners stays, with its subscribers, until those of the other one have left."""
    server = ServerProcess(tmp_path, {**TWO, "ASF_DRAIN_SECONDS": "3600"})
    server.announce("s", audio_of(24_000_000))
    listener = PlainListener(server.url, "s", window=1000)
    listener.receive_until("start_of_stream")
    server.process.terminate()
    listener.receive_until("stream_status")
    for _ in range(100):  # Some of them come to the other one.
        answer = requests.get(f"{server.url}/socket.io/?EIO=4&transport=polling", timeout=PATIENCE_SECONDS)
        assert (answer.status_code, answer.json()["error_code"]) == (503, "ASF_DRAINING")
    assert len(workers_of(server)) == 2
    listener.close()
    assert server.wait() == 0


def test_streams_of_a_server_alone_are_there_with_workers(tmp_path: Path) -> None:
    """With their epochs. Back with one worker, a line says where the others are."""
    alone = ServerProcess(tmp_path, {"ASF_WORKERS": "1"})
    alone.announce("s", audio_of(1000))
    epoch = _stream(alone, "s")["epoch"]
    assert alone.stop() == 0
    several = ServerProcess(tmp_path, TWO)
    assert _stream(several, "s")["epoch"] == epoch
    several.announce("t", audio_of(1000))
    assert several.stop() == 0
    again = ServerProcess(tmp_path, TWO)
    assert _stream(again, "t")["state"] == "complete"
    assert again.stop() == 0
    alone = ServerProcess(tmp_path, {"ASF_WORKERS": "1"})
    assert any("are not served by one" in line for line in alone.log)
    assert alone.stop() == 0


@pytest.mark.parametrize("count", ["0", "1000", "two", "-1", "1.5", ""])
def test_a_number_of_workers_that_is_none(tmp_path: Path, count: str) -> None:
    """One line, and the exit code of invalid settings."""
    ended = _serve(tmp_path, {}, "--workers", count)
    assert ended.returncode == 2
    assert ended.stderr.decode() == f"ASF_WORKERS must be auto or an integer between 1 and 64 (got '{count}').\n"


def test_without_a_redis_server_one_line_says_so(tmp_path: Path) -> None:
    """And what to do about it."""
    (ended, line) = _failed(_serve(tmp_path, {"PATH": str(tmp_path), "ASF_PORT": "0"}, "--workers", "2"))
    assert ended == 1
    assert line.startswith("Error: Several workers need a redis-server: install it")


def test_a_port_in_use_is_one_line(tmp_path: Path, server: ServerProcess) -> None:
    """As with one worker."""
    settings = {"ASF_PORT": str(server.port), "ASF_HOST": "127.0.0.1"}
    (ended, line) = _failed(_serve(tmp_path, settings, "--workers", "2"))
    assert ended == 1
    assert line.startswith(f"Error: Port {server.port} on 127.0.0.1 is in use (ASF_PORT).")


def test_operators_see_each_worker_and_end_sessions_of_any(server: ServerProcess) -> None:
    """As nodes with the number of the worker, whichever of them is asked."""
    server.announce("operated", audio_of(2_000_000))
    nodes = requests.get(f"{server.url}/asf/internal/nodes", timeout=PATIENCE_SECONDS).json()["nodes"]
    assert sorted(node["worker"] for node in nodes) == [0, 1]
    shown = asf("status", url=server.url).stdout.decode()
    assert "/10000" not in shown
    assert "The workers of a server share its limit: 10000 listeners together.\n" in shown
    url = f"{server.url}/asf/internal/sessions"
    listeners: list[PlainListener] = []

    def sessions_at_both() -> list[dict[str, str]] | None:
        """Join once more. A worker that does not get to run is handed no connections."""
        listeners.append(PlainListener(server.url, "operated", window=1000))
        listeners[-1].receive_until("start_of_stream")
        page = requests.get(url, params={"stream_id": "operated"}, timeout=PATIENCE_SECONDS).json()
        found: list[dict[str, str]] = page["sessions"]
        return found if {session["node"] for session in found} == {node["node"] for node in nodes} else None

    sessions = eventually(sessions_at_both)
    for session in sessions:
        assert requests.delete(f"{url}/{session['id']}", timeout=PATIENCE_SECONDS).status_code == 200
    for listener in listeners:
        listener.close()


def test_the_log_says_which_worker_writes(start_server: StartServer) -> None:
    """In each of its lines, in production as a field."""
    server = start_server(TWO)
    server.announce("s", audio_of(1000))
    requests.get(server.stream_url("s"), timeout=PATIENCE_SECONDS)
    eventually(lambda: any("session started" in line for line in server.log))
    assert all(" worker=" in line for line in server.log if "session started" in line)


def _audio_at_both(server: ServerProcess, stream_id: str) -> set[bytes | None]:
    """Return what two workers send of a stream, None for one that they do not know. They share the connections."""
    found: set[bytes | None] = set()
    with ExitStack() as sessions:
        for _ in range(4):
            session = sessions.enter_context(requests.Session())
            answer = session.get(server.stream_url(stream_id), timeout=PATIENCE_SECONDS)
            assert answer.status_code in {200, 404}, answer.text
            found.add(answer.content if answer.ok else None)
    return found


def _failed(ended: "subprocess.CompletedProcess[bytes]") -> tuple[int, str]:
    (line,) = (line for line in ended.stderr.decode().splitlines() if " INFO " not in line)
    return ended.returncode, line


def _serve(directory: Path, environment: dict[str, str], *options: str) -> "subprocess.CompletedProcess[bytes]":
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("ASF_")}
    return subprocess.run(
        [sys.executable, "-m", "asf", "serve", *options],
        cwd=directory,
        env=inherited | environment,
        capture_output=True,
        timeout=COMMAND_SECONDS,
        check=False,
    )


def _stream(server: ServerProcess, stream_id: str) -> dict[str, str]:
    answer = requests.get(f"{server.url}/asf/internal/streams/{stream_id}", timeout=PATIENCE_SECONDS)
    assert answer.status_code == 200, answer.text
    stream: dict[str, str] = answer.json()
    return stream


def _value(server: ServerProcess, name: str) -> float:
    (line,) = (line for line in server.metrics().splitlines() if line.startswith(f"{name} "))
    return float(line.split()[1])
