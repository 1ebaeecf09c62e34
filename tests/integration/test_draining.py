"""The server comes to its end without anybody losing a byte."""

import signal
import threading
from pathlib import Path

import pytest
import requests

from asf import client
from tests.support.bounds import PATIENCE_SECONDS, STREAM_SECONDS
from tests.support.cutting_proxy import CuttingProxy
from tests.support.engineio_wire import WireListener
from tests.support.fixtures import audio_of
from tests.support.plain_websocket import PlainListener
from tests.support.processes import ServerProcess, eventually


def make_long_audio() -> bytes:
    """Return audio: a minute."""
    return audio_of(24_000_000)


def make_audio() -> bytes:
    """Return audio: seven seconds at the default pace."""
    return audio_of(3_000_000)


def test_everybody_is_told_and_hears_on(tmp_path: Path) -> None:
    """Not ready at once; nobody joins any more; who is there has time."""
    server = ServerProcess(tmp_path, {"ASF_DRAIN_SECONDS": "3600"})
    server.announce("s", make_long_audio())
    ready = f"{server.url}/asf/ready"
    assert requests.get(ready, timeout=PATIENCE_SECONDS).json() == {"status": "ready"}
    over_socketio = WireListener(server.url, polling=False)
    over_socketio.emit("join_stream", {"stream_id": "s"})
    over_socketio.receive_until("start_of_stream")
    late = WireListener(server.url, polling=False)
    server.process.terminate()
    over_socketio.receive_until_status("server_draining")
    answer = requests.get(ready, timeout=PATIENCE_SECONDS)
    assert (answer.status_code, answer.json()["error_code"]) == (503, "ASF_NOT_READY")
    assert answer.json()["details"] == "server: It is being shut down."
    assert requests.get(f"{server.url}/asf/health", timeout=PATIENCE_SECONDS).ok
    late.emit("join_stream", {"stream_id": "s"})
    assert late.receive_until("stream_error")["error_code"] == "ASF_DRAINING"
    told = len(over_socketio.audio)
    while len(over_socketio.audio) < told + 100_000:
        over_socketio.receive()
    for one in (over_socketio, late):
        one.close()
    assert server.wait() == 0


def test_everybody_is_told_where_to_go_on(tmp_path: Path) -> None:
    """When the time that they have is over; until then they hear on."""
    server = ServerProcess(tmp_path, {"ASF_DRAIN_SECONDS": "1"})
    server.announce("s", make_long_audio())
    over_socketio = WireListener(server.url, polling=False)
    over_socketio.emit("join_stream", {"stream_id": "s"})
    over_socketio.receive_until("start_of_stream")
    over_websocket = PlainListener(server.url, "s")
    over_websocket.receive_until("start_of_stream")
    # It receives meanwhile: the server does not wait for long until all that it has sent was read.
    hearing = threading.Thread(target=over_websocket.receive_to_the_end, daemon=True)
    hearing.start()
    server.process.terminate()
    over_socketio.receive_until_status("server_draining")
    told = len(over_socketio.audio)
    error = over_socketio.receive_until("stream_error")
    assert (error["error_code"], error["retryable"]) == ("ASF_DRAINING", True)
    assert error["offset"] == len(over_socketio.audio) > told
    hearing.join(PATIENCE_SECONDS)
    assert over_websocket.close_code == 1001
    assert over_websocket.audio == make_long_audio()[: len(over_websocket.audio)]
    assert server.wait() == 0
    over_socketio.close()


def test_ctrl_c_stops_a_development_server_soon(tmp_path: Path) -> None:
    """While somebody listens. The log says how to stop it at once."""
    server = ServerProcess(tmp_path, wrapper=["env", "-u", "ASF_DRAIN_SECONDS"])
    server.announce("s", make_long_audio())
    listener = WireListener(server.url, polling=False)
    listener.emit("join_stream", {"stream_id": "s"})
    listener.receive_until("start_of_stream")
    server.process.send_signal(signal.SIGINT)
    assert listener.receive_until("stream_error")["error_code"] == "ASF_DRAINING"
    assert server.wait() == 0
    assert any("waiting up to 1 s for 1 listener. Press Ctrl-C again to stop now." in line for line in server.log)
    listener.close()


def test_no_session_begins(tmp_path: Path) -> None:
    """Whatever the door: a 503 tells a proxy to ask another server. Who was there goes on, on long polling too."""
    server = ServerProcess(tmp_path, {"ASF_DRAIN_SECONDS": "3600"})
    server.announce("s", make_long_audio())
    listener = WireListener(server.url, polling=True)
    listener.emit("join_stream", {"stream_id": "s"})
    listener.receive_until("start_of_stream")
    server.process.terminate()
    listener.receive_until_status("server_draining")
    handshake = {
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    }
    for url, headers in (
        (f"{server.url}/socket.io/?EIO=4&transport=polling", {}),
        (f"{server.url}/socket.io/?EIO=4&transport=websocket", handshake),
        (server.stream_url("s"), handshake),
        (server.stream_url("s"), {}),
    ):
        answer = requests.get(url, headers=headers, timeout=PATIENCE_SECONDS)
        assert (answer.status_code, answer.json()["error_code"]) == (503, "ASF_DRAINING"), url
    listener.upgrade()
    told = len(listener.audio)
    while len(listener.audio) < told + 100_000:
        listener.receive()
    server.process.terminate()
    assert server.wait() in {-signal.SIGTERM, 1}  # A supervisor ends by itself.
    listener.close()


def test_without_listeners_it_ends_at_once(tmp_path: Path) -> None:
    """Whatever time listeners would have."""
    server = ServerProcess(tmp_path, {"ASF_DRAIN_SECONDS": "3600"})
    assert server.stop() == 0


@pytest.mark.one_process("workers keep no database")
def test_the_catalog_is_closed(tmp_path: Path) -> None:
    """What was announced stands in the database itself, and its log is gone."""
    server = ServerProcess(tmp_path)
    server.announce("strm_1", b"audio")
    database = tmp_path / "var" / "asf.sqlite3"
    assert database.with_name("asf.sqlite3-wal").exists()
    assert server.stop() == 0
    assert {path.name for path in database.parent.iterdir()} == {"asf.sqlite3", "asf.sqlite3.lock"}


@pytest.mark.one_process("a supervisor ends with exit code 1: tests/faults/test_workers.py")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_ends_it_at_once(tmp_path: Path, number: signal.Signals) -> None:
    """For those who cannot wait."""
    server = ServerProcess(tmp_path, {"ASF_DRAIN_SECONDS": "3600"})
    server.announce("s", make_long_audio())
    listener = PlainListener(server.url, "s")
    listener.receive_until("start_of_stream")
    server.process.send_signal(number)
    listener.receive_until("stream_status")
    server.process.send_signal(number)
    assert server.wait() == -number
    listener.close()


def test_a_restart_loses_nothing(tmp_path: Path) -> None:
    """A listener goes on at its byte on the next server, whole and without a repeat."""
    server = ServerProcess(tmp_path, {"ASF_DRAIN_SECONDS": "0.3"})
    server.announce("s", make_audio())
    proxy = CuttingProxy(server.port, iter(()))
    received = bytearray()
    listening = threading.Thread(target=client.listen, args=(proxy.url, "s", received.extend))
    listening.start()
    eventually(lambda: len(received) > 300_000)
    assert server.stop() == 0
    server = ServerProcess(tmp_path)
    proxy.target_port = server.port
    listening.join(STREAM_SECONDS)
    assert received == make_audio()
    proxy.close()
    assert server.stop() == 0


def test_updates_are_flushed(tmp_path: Path) -> None:
    """What was answered with 200 before the signal reaches a subscriber that reads."""
    server = ServerProcess(tmp_path)
    watching = client.watch(server.url, "alice", patience=0)
    assert next(watching) == client.Subscribed()
    for number in range(50):
        assert server.send_ui_update("alice", "n", number).ok
    server.process.terminate()
    assert [next(watching).data for _ in range(50)] == list(range(50))  # type: ignore[union-attr]
    assert server.wait() == 0
    watching.close()  # type: ignore[attr-defined]
