"""Connections that do not behave: silent, slow, half-way, broken. The others hear nothing of it."""

import gc
import json
import os
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests
import websocket

from asf.adapters.engineio.connections import NAMESPACE_SECONDS
from tests.support.audience import POLLING, Audience, LightListener
from tests.support.bounds import PATIENCE_SECONDS, PONG_SECONDS, START_SECONDS, STOP_SECONDS, STREAM_SECONDS
from tests.support.engineio_wire import NAMESPACE, WireListener
from tests.support.fixtures import StartServer, audio_of
from tests.support.ordered_client import OrderedClient
from tests.support.plain_websocket import PlainListener
from tests.support.processes import ServerProcess, eventually
from tests.support.silent_proxy import SilentProxy

FAST = {"ASF_STREAM_SLEEP_INTERVAL": "0"}
OFTEN = {"TEST_PING_SECONDS": "0.5", "TEST_PONG_SECONDS": str(PONG_SECONDS)}


def listen(server: ServerProcess, stream_id: str, *, polling: bool = False) -> WireListener:
    """Return a listener that has joined and been told so."""
    listener = WireListener(server.url, polling=polling)
    listener.emit("join_stream", {"stream_id": stream_id})
    listener.receive_until("start_of_stream")
    return listener


def hear(listener: WireListener, length: int) -> bool:
    """Receive until so much audio came. Returns whether the connection lasted so long."""
    try:
        while len(listener.audio) < length:
            listener.receive()
    except (websocket.WebSocketException, OSError):
        return False
    return True


@pytest.mark.parametrize("polling", [True, False])
def test_a_listener_lives_through_many_pings(start_server: StartServer, polling: bool) -> None:
    """Pings and pongs go in between audio, and change nothing in it."""
    server = start_server(OFTEN | {"TEST_PONG_SECONDS": str(PATIENCE_SECONDS)}, observed=True)
    audio = audio_of(1_500_000)
    path = server.audio_root / "s.mp3"
    path.write_bytes(audio[:1_000_000])
    server.notify("s", str(path), state="generating").raise_for_status()
    listener = listen(server, "s", polling=polling)
    while listener.pings < 3:
        listener.receive()
    with path.open("ab") as file:
        file.write(audio[1_000_000:])
    server.notify("s", str(path)).raise_for_status()
    listener.receive_until("end_of_stream")
    assert listener.audio == audio
    listener.close()


def test_a_slow_listener_lives_through_pings_and_gets_everything(start_server: StartServer) -> None:
    """It reads far below the pace; pings, and so its pongs, are not stuck behind more audio than the kernel takes."""
    settings = OFTEN | {"TEST_PONG_SECONDS": str(PATIENCE_SECONDS), "ASF_SLOW_LISTENER_SECONDS": "3600"}
    server = start_server(settings | FAST, observed=True)
    audio = audio_of(3_000_000)
    server.announce("s", audio)
    listener = WireListener(server.url, polling=False, socket_options=((socket.SOL_SOCKET, socket.SO_RCVBUF, 65536),))
    listener.emit("join_stream", {"stream_id": "s"})
    listener.receive_until("start_of_stream")
    for _ in range(2):
        eventually(lambda: "asf_listeners_blocked 1.0" in server.metrics())
        eventually(lambda: server.pings() > listener.pings)  # One is on its way.
        taken, known = bytes_sent(server), listener.pings
        while listener.pings == known:
            listener.receive()
        assert len(listener.audio) <= taken
    while not any(payload.get("event") == "end_of_stream" for _, payload in listener.events):
        listener.receive()
        time.sleep(0.004)  # the rhythm of a slow reader, not a wait for anything
    assert listener.audio == audio
    listener.close()


def bytes_sent(server: ServerProcess) -> float:
    """Return how many bytes of audio have been handed to the kernel."""
    return next(
        float(line.split()[1])
        for line in server.metrics().splitlines()
        if line.startswith("asf_audio_bytes_sent_total ")
    )


def test_a_listener_that_stops_reading_loses_its_place_and_leaves_nothing_behind(start_server: StartServer) -> None:
    """Its missing pong ends it, although half a message waits to be sent to it; the others go on."""
    server = start_server(OFTEN | FAST, observed=True)
    audio = audio_of(30_000_000)
    server.announce("s", audio)
    listen(server, "s").close()
    eventually(lambda: not server.open_files())
    greenlets, sockets = server.greenlets(), server.sockets()
    stalled = [listen(server, "s") for _ in range(5)]
    other = listen(server, "s")
    other.receive_until("end_of_stream")
    assert other.audio == audio
    other.close()
    eventually(lambda: not server.open_files())
    eventually(lambda: server.greenlets() <= greenlets)
    eventually(lambda: server.sockets() <= sockets)
    for listener in stalled:
        listener.close()


@pytest.mark.parametrize("polling", [True, False])
def test_a_listener_that_takes_nothing_is_told_when_it_reads_again(start_server: StartServer, polling: bool) -> None:
    """It lost its place, but not its connection: it hears why, and may join again."""
    server = start_server(FAST | {"ASF_SLOW_LISTENER_SECONDS": "0.5"})
    audio = audio_of(30_000_000)
    server.announce("s", audio)
    stalled = listen(server, "s", polling=polling)
    eventually(lambda: not server.open_files())
    error = stalled.receive_until("stream_error")
    assert error["error_code"] == "ASF_LISTENER_TOO_SLOW"
    assert error["retryable"] is True
    assert error["offset"] == len(stalled.audio) < len(audio)
    assert audio.startswith(stalled.audio)
    server.announce("short", b"audio")
    stalled.audio.clear()
    stalled.emit("join_stream", {"stream_id": "short"})
    stalled.receive_until("end_of_stream")
    assert stalled.audio == b"audio"
    assert 'asf_streams_ended_total{outcome="ASF_LISTENER_TOO_SLOW"} 1.0' in server.metrics()
    stalled.close()


def test_a_stalled_listener_costs_a_bounded_amount_of_memory(start_server: StartServer) -> None:
    """In the process; the kernel's part is bounded by the size of the send buffer."""
    never = {"ASF_SLOW_LISTENER_SECONDS": "3600", "TEST_PING_SECONDS": "3600"}  # However long it takes them to come.
    server = start_server(FAST | never, observed=True)
    server.announce("s", audio_of(30_000_000))
    listen(server, "s").close()
    eventually(lambda: not server.open_files())
    memory = server.memory()
    stalled = [listen(server, "s") for _ in range(100)]
    eventually(lambda: "asf_listeners_blocked 100.0" in server.metrics())
    assert (server.memory() - memory) / 100 < 128 * 1024
    for listener in stalled:
        listener.close()


def test_a_client_that_sends_and_does_not_read_is_given_up(start_server: StartServer) -> None:
    """Its answers do not pile up without an end."""
    server = start_server()
    client = WireListener(server.url, polling=False)
    bad_acks = [f'42{NAMESPACE},["audio_ack",{{"received":"{"x" * 50}"}}]'] * 1000

    def is_given_up() -> bool:
        with suppress(OSError, websocket.WebSocketException):
            for message in bad_acks:
                client.send(message)
        return any("client dropped" in line and "reason=not_reading" in line for line in server.log)

    eventually(is_given_up)
    client.close()


def test_a_polling_listener_that_vanishes_leaves_nothing_behind(start_server: StartServer) -> None:
    """Without a word: no poll comes any more."""
    server = start_server(OFTEN, observed=True)
    server.announce("s", audio_of(30_000_000))
    listen(server, "s", polling=True).close()
    eventually(lambda: not server.open_files())
    greenlets = server.greenlets()
    vanished = [listen(server, "s", polling=True) for _ in range(5)]
    for listener in vanished:
        listener.close()
    eventually(lambda: not server.open_files())
    eventually(lambda: server.greenlets() <= greenlets)


def test_a_poll_that_is_reset_frees_its_socket(start_server: StartServer) -> None:
    """At once, although the client is given some time to poll again."""
    server = start_server()
    audio = audio_of(30_000_000)
    server.announce("s", audio)
    sockets = server.sockets()
    with Audience() as audience:
        cut = audience.join(*[LightListener(server.port, "s", audio, POLLING, returns=False) for _ in range(10)])
        audience.wait_until(lambda listener: listener.hears, PATIENCE_SECONDS)
        audience.reset(cut)
        audience.wait_for_all(STREAM_SECONDS)
        eventually(lambda: server.sockets() <= sockets)


@pytest.mark.parametrize("message", ["", "x", "9", "7probe", "\u0000", "b!", "4" * 40])
def test_a_message_that_is_no_packet_does_no_harm(start_server: StartServer, message: str) -> None:
    """The connection may end, in order; nothing of it stays, and the log has no traceback."""
    server = start_server(observed=True)
    server.announce("s", audio_of(30_000_000))
    other, broken = listen(server, "s"), listen(server, "s")
    sockets = server.sockets()
    broken.send(message)
    hear(broken, 1_500_000)
    broken.close()
    eventually(lambda: server.sockets() < sockets)
    assert hear(other, len(other.audio) + 200_000)
    other.close()
    eventually(lambda: not server.open_files())


def test_a_post_that_is_no_packet_is_answered_at_once(start_server: StartServer) -> None:
    """Whether or not the client polls for what else there is; nothing of it stays."""
    server = start_server(observed=True)
    WireListener(server.url, polling=True).close()
    greenlets, sockets = server.greenlets(), server.sockets()
    for _ in range(5):
        broken = WireListener(server.url, polling=True)
        url = f"{server.url}/socket.io/?EIO=4&transport=polling&sid={broken.sid}"
        assert requests.post(url, data="6", timeout=PATIENCE_SECONDS).status_code == 400
        assert requests.get(url, timeout=PATIENCE_SECONDS).status_code == 400
        broken.close()
    eventually(lambda: server.greenlets() <= greenlets)
    eventually(lambda: server.sockets() <= sockets)


@pytest.mark.parametrize("silent_after", ["handshake", "probe"])
def test_an_upgrade_that_goes_silent_leaves_the_listener_on_polling(server: ServerProcess, silent_after: str) -> None:
    """As behind a proxy that accepts a WebSocket and lets nothing through."""
    audio = audio_of(1_000_000)
    server.announce("s", audio)
    listener = listen(server, "s", polling=True)
    attempt = listener.open_websocket()
    if silent_after == "probe":
        attempt.send("2probe")
        assert attempt.recv() == "3probe"
    listener.receive_until("end_of_stream")
    assert listener.audio == audio
    attempt.shutdown()
    listener.close()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # It never closes the WebSocket.
@pytest.mark.parametrize("transports", [["polling"], ["polling", "websocket"]], ids="-".join)
def test_python_socketio_enters_its_namespace_after_an_upgrade_that_fails(
    server: ServerProcess, transports: list[str]
) -> None:
    """It tries for five seconds, and only then sends what it has to say."""
    audio = audio_of(100_000)
    server.announce("s", audio)
    proxy = SilentProxy(server.port)
    client = OrderedClient()
    client.connect(proxy.url, namespace=NAMESPACE, transports=transports, wait_timeout=int(PATIENCE_SECONDS))
    assert client.transport == "polling"
    client.emit("join_stream", {"stream_id": "s"})
    received = 0
    while received < len(audio):
        name, payload = client.receive(timeout=PATIENCE_SECONDS)
        received += len(payload) if name == "audio_chunk" else 0
    client.disconnect()
    proxy.close()
    del client
    gc.collect()  # While the warning is expected.


def test_clients_that_wait_for_a_server_that_is_behind_keep_their_sessions(start_server: StartServer) -> None:
    """More than it serves in one round have entered their namespace in time, and it reads that only later."""
    # Time enough for all of them to come on a busy machine; side by side they take less.
    server = start_server({"TEST_NAMESPACE_SECONDS": str(2 * NAMESPACE_SECONDS)}, observed=True)
    url = f"{server.url.replace('http', 'ws', 1)}/socket.io/?EIO=4&transport=websocket"
    with ThreadPoolExecutor(16) as pool:
        coming = [pool.submit(websocket.create_connection, url, timeout=PATIENCE_SECONDS) for _ in range(150)]
    sockets = [one.result() for one in coming]
    for one in sockets:
        one.recv()
    for pid in server.pids():
        os.kill(pid, signal.SIGSTOP)
    try:
        for one in sockets:
            one.send(f"40{NAMESPACE},")
        time.sleep(2.2 * NAMESPACE_SECONDS)
    finally:
        for pid in server.pids():
            os.kill(pid, signal.SIGCONT)
    for one in sockets:
        assert str(one.recv()).startswith(f"40{NAMESPACE}")
        one.shutdown()


def test_of_two_upgrades_of_one_connection_one_counts(server: ServerProcess) -> None:
    """The second one is turned away, and all audio goes where the first one went."""
    audio = audio_of(1_000_000)
    server.announce("s", audio)
    listener = listen(server, "s", polling=True)
    second = listener.open_websocket()
    listener.upgrade(while_probing=lambda: second.send("2probe"))
    listener.receive_until("end_of_stream")
    assert listener.audio == audio
    with suppress(websocket.WebSocketException, OSError):
        assert not second.recv()
    second.shutdown()
    listener.close()


def test_messages_are_bounded_in_fragments_too(server: ServerProcess) -> None:
    """A message of a hundred megabytes is refused long before its end."""
    listener = WireListener(server.url, polling=False)
    memory = server.memory()
    assert listener.websocket is not None
    sent = 0
    with suppress(websocket.WebSocketException, OSError):
        while sent < 1600:
            opcode = websocket.ABNF.OPCODE_CONT if sent else websocket.ABNF.OPCODE_TEXT
            listener.websocket.send_frame(websocket.ABNF(fin=0, opcode=opcode, data="x" * 60_000))
            sent += 1
    assert sent < 1600
    assert server.memory() - memory < 20_000_000
    listener.close()


def test_binary_attachments_are_bounded_in_number(server: ServerProcess) -> None:
    """An event that announces a million of them is refused at once."""
    server.announce("s", b"audio")
    listener = WireListener(server.url, polling=False)
    assert listener.websocket is not None
    listener.send(f'45999999-{NAMESPACE},["join_stream",{{"_placeholder":true,"num":0}}]')
    listener.emit("join_stream", {"stream_id": "s"})
    listener.receive_until("end_of_stream")
    assert listener.audio == b"audio"
    listener.close()


def test_a_server_short_of_file_descriptors_goes_on(tmp_path: Path) -> None:
    """Connections beyond the limit wait; the listeners that are there hear nothing of it, and later all is well."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    limit = 60
    command = [sys.executable, "-m", "asf", "serve"]
    environment = os.environ | {"ASF_HOST": "127.0.0.1", "ASF_PORT": "0", "ASF_AUDIO_ROOTS": str(tmp_path)}
    process = subprocess.Popen(
        ["prlimit", f"--nofile={limit}:{limit}", *command],
        cwd=tmp_path,
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    log: list[str] = []
    reader = threading.Thread(target=lambda: log.extend(process.stderr or ()), daemon=True)
    reader.start()
    url = eventually(
        lambda: next((line.split("on ")[1].split()[0] for line in log if "Listening on" in line), None), START_SECONDS
    )
    try:
        audio = audio_of(2_000_000)
        (tmp_path / "s.mp3").write_bytes(audio)
        body = {"stream_id": "s", "filepath": str(tmp_path / "s.mp3")}
        assert (
            requests.post(f"{url}/asf/internal/notify_new_audio", json=body, timeout=PATIENCE_SECONDS).status_code
            == 200
        )
        listener = WireListener(url, polling=False)
        listener.emit("join_stream", {"stream_id": "s"})
        listener.receive_until("start_of_stream")
        address = (urlsplit(url).hostname or "", urlsplit(url).port or 0)
        crowd = [socket.create_connection(address) for _ in range(limit + 20)]
        eventually(lambda: any("Cannot accept connections" in line for line in log))
        listener.receive_until("end_of_stream")
        assert listener.audio == audio
        for connection in crowd:
            connection.close()
        assert json.loads(requests.get(f"{url}/asf/health", timeout=PATIENCE_SECONDS).text)["status"] == "ok"
        listener.close()
    finally:
        process.terminate()
        assert process.wait(STOP_SECONDS) == 0
        reader.join()
        process.stderr.close()
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == (soft, hard)
    assert not any("Traceback (" in line for line in log)


def test_nothing_of_networking_is_imported_before_patching() -> None:
    """A library that took the standard library's functions before cannot be patched any more."""
    script = (
        "import sys, json\n"
        "from asf.adapters.eventlet_runtime import patching\n"
        "from asf.entrypoints import cli\n"
        "def tell(): print(json.dumps(sorted(sys.modules))); sys.exit(0)\n"
        "patching.patch_standard_library = tell\n"
        "cli.main(['serve'])\n"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, timeout=PATIENCE_SECONDS, check=True)
    loaded = set(json.loads(result.stdout))
    assert not loaded & {
        "requests",
        "urllib3",
        "socketio",
        "engineio",
        "websocket",
        "flask",
        "http.client",
        "asyncio",
    }


def test_a_plain_websocket_that_answers_no_ping_is_gone(start_server: StartServer) -> None:
    """A waiting listener takes nothing that could show it; one that answers stays for as long as it likes."""
    settings = {"TEST_PING_SECONDS": "0.5", "TEST_UNANSWERED_PINGS": str(int(PONG_SECONDS / 0.5))}
    server = start_server(settings | {"ASF_JOIN_WAIT_SECONDS": "3600"}, observed=True)
    answering = PlainListener(server.url, "later", wait="true")
    answering.receive_until("stream_status")
    reader = threading.Thread(target=answering.receive_to_the_end, daemon=True)
    reader.start()
    sockets = server.sockets()
    silent = PlainListener(server.url, "later", wait="true")
    silent.receive_until("stream_status")
    eventually(lambda: server.sockets() <= sockets)
    server.announce("later", b"audio")
    reader.join(PATIENCE_SECONDS)
    assert answering.audio == b"audio"
    assert answering.close_code == 1000
    silent.close()
