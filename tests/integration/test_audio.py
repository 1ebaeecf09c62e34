"""Audio, from the real server over real sockets."""

import asyncio
import os
import time
from pathlib import Path
from typing import Any

import pytest
import socketio

from tests.support.bounds import PATIENCE_SECONDS, STREAM_SECONDS
from tests.support.engineio_wire import NAMESPACE, WireListener
from tests.support.fixtures import StartServer, audio_of
from tests.support.processes import ServerProcess, eventually

AUDIO = audio_of(700_001)
FAST = {"ASF_STREAM_SLEEP_INTERVAL": "0"}


def control_events(listener: WireListener) -> list[str]:
    """Return what the listener was told, in order."""
    return [payload.get("status") or payload.get("event") or name for name, payload in listener.events[1:]]


class StockClient:
    """A listener on the library's own client, as a Python program would be written.

    It compares what it hears with `audio` as it comes, rather than keep it: there may be many, in one process.
    """

    def __init__(self, transports: list[str], audio: bytes) -> None:
        self.transports = transports
        self.heard_bytes = 0
        self.wrong_at: int | None = None
        self._audio = audio
        self.events: list[tuple[str, Any]] = []
        self.ended = asyncio.Event()

    async def listen(self, url: str, stream_id: str) -> None:
        client = socketio.AsyncClient(reconnection=False, request_timeout=PATIENCE_SECONDS)

        def on_chunk(chunk: bytes) -> None:
            start, self.heard_bytes = self.heard_bytes, self.heard_bytes + len(chunk)
            if self.wrong_at is None and chunk != self._audio[start : self.heard_bytes]:
                self.wrong_at = start

        def on_other(event: str, payload: Any = None) -> None:
            self.events.append((event, payload))
            if payload.get("event") == "end_of_stream" or event in {"stream_error", "error"}:
                self.ended.set()

        client.on("audio_chunk", on_chunk, namespace=NAMESPACE)
        client.on("*", on_other, namespace=NAMESPACE)
        client.on("disconnect", self._lose, namespace=NAMESPACE)
        await client.connect(url, namespaces=[NAMESPACE], transports=self.transports, wait_timeout=PATIENCE_SECONDS)
        await client.emit("join_stream", {"stream_id": stream_id}, namespace=NAMESPACE)
        await asyncio.wait_for(self.ended.wait(), STREAM_SECONDS)
        await client.disconnect()

    def _lose(self, reason: str) -> None:
        """Take note of the end of the connection: nothing more comes."""
        if not self.ended.is_set():
            self.events.append(("disconnect", {"reason": reason}))
            self.ended.set()


TRANSPORTS = [["polling"], ["websocket"], ["polling", "websocket"]]


@pytest.mark.parametrize("transports", TRANSPORTS)
def test_the_stock_client_gets_the_audio_on_every_transport(server: ServerProcess, transports: list[str]) -> None:
    """The documented events in the documented order, and exactly the bytes."""
    server.announce("s", AUDIO)
    client = StockClient(transports, AUDIO)
    asyncio.run(client.listen(server.url, "s"))
    assert (client.heard_bytes, client.wrong_at) == (len(AUDIO), None)
    ack, joined, start, end = client.events
    assert ack == ("connection_ack", {"message": "Connected to ASF. Please send join_stream with your stream_id."})
    assert joined[0] == "stream_status"
    assert (joined[1]["status"], joined[1]["stream_id"]) == ("joined", "s")
    assert joined[1]["message"]
    assert start[0] == end[0] == "audio_control"
    assert (start[1]["event"], start[1]["stream_id"]) == ("start_of_stream", "s")
    assert (end[1]["event"], end[1]["stream_id"]) == ("end_of_stream", "s")
    assert abs(end[1]["timestamp"] - time.time()) < 60
    assert start[1]["total_bytes"] == end[1]["total_bytes"] == len(AUDIO)


@pytest.mark.long
def test_fifty_listeners_on_mixed_transports_each_get_the_whole(start_server: StartServer) -> None:
    """One stream of 3 MB, seven seconds, joined 100 ms apart: nobody hears anything of the others."""
    # A busy machine answers a ping when it has read what came before: megabytes.
    server = start_server({"TEST_PONG_SECONDS": "600", "ASF_SLOW_LISTENER_SECONDS": "600"}, observed=True)
    audio = audio_of(3_000_000)
    server.announce("long", audio)
    clients = [StockClient(TRANSPORTS[number % 3], audio) for number in range(50)]

    async def join_all() -> None:
        tasks = []
        for client in clients:
            tasks.append(asyncio.create_task(client.listen(server.url, "long")))
            await asyncio.sleep(0.1)
        await asyncio.gather(*tasks)

    asyncio.run(join_all())
    assert [(one.transports, *one.events[-1]) for one in clients if one.events[-1][0] == "disconnect"] == []
    assert [(client.heard_bytes, client.wrong_at) for client in clients] == [(len(audio), None)] * 50


@pytest.mark.parametrize("polls_before", [0, 1, 3, 10])
def test_an_upgrade_in_mid_stream_loses_and_repeats_nothing(server: ServerProcess, polls_before: int) -> None:
    """As browsers do it: join on polling, go over to a WebSocket at some moment."""
    server.announce("s", AUDIO)
    listener = WireListener(server.url, polling=True)
    listener.emit("join_stream", {"stream_id": "s"})
    for _ in range(polls_before):
        listener.receive()
    listener.upgrade()
    listener.receive_until("end_of_stream")
    assert listener.audio == AUDIO
    assert control_events(listener) == ["joined", "start_of_stream", "end_of_stream"]
    listener.close()


def test_a_probe_that_is_not_followed_up_changes_nothing(server: ServerProcess) -> None:
    """A client that tries a WebSocket and stays on polling."""
    server.announce("s", AUDIO)
    listener = WireListener(server.url, polling=True)
    listener.emit("join_stream", {"stream_id": "s"})
    listener.receive()
    listener.open_websocket().shutdown()
    listener.receive_until("end_of_stream")
    assert listener.audio == AUDIO
    listener.close()


@pytest.mark.parametrize("chunk_size", ["1000", "4096", "65536", "1048576"])
@pytest.mark.parametrize("polling", [True, False])
def test_chunks_have_the_configured_size(start_server: StartServer, chunk_size: str, polling: bool) -> None:
    """All but the last one, on every transport, as fast as the listener takes them."""
    server = start_server(FAST | {"ASF_CHUNK_SIZE": chunk_size})
    server.announce("s", AUDIO)
    listener = WireListener(server.url, polling=polling)
    listener.emit("join_stream", {"stream_id": "s"})
    listener.receive_until("end_of_stream")
    assert listener.audio == AUDIO
    size = int(chunk_size)
    assert listener.chunk_sizes == [size] * (len(AUDIO) // size) + [len(AUDIO) % size]
    listener.close()


@pytest.mark.parametrize("polling", [True, False])
def test_a_listener_that_pauses_reading_loses_nothing(start_server: StartServer, polling: bool) -> None:
    """Far more audio than any buffer between holds, taken late."""
    # However long the other listener takes: this one does not answer a ping meanwhile either.
    never = {"ASF_SLOW_LISTENER_SECONDS": "3600", "TEST_PING_SECONDS": "3600"}
    server = start_server(FAST | never, observed=True)
    audio = audio_of(20_000_000)
    server.announce("s", audio)
    stalled = WireListener(server.url, polling=polling)
    stalled.emit("join_stream", {"stream_id": "s"})
    stalled.receive_until("start_of_stream")
    other = WireListener(server.url, polling=False)
    other.emit("join_stream", {"stream_id": "s"})
    other.receive_until("end_of_stream")
    assert other.audio == audio
    stalled.receive_until("end_of_stream")
    assert stalled.audio == audio
    for listener in (stalled, other):
        listener.close()


def test_an_unknown_stream(server: ServerProcess) -> None:
    """The contract's error, and the connection is as good as before."""
    server.announce("s", b"audio")
    listener = WireListener(server.url, polling=False)
    listener.emit("join_stream", {"stream_id": "nowhere"})
    error = listener.receive_until("stream_error")
    assert error["message"] == "Audio stream ID not found or not yet processed."
    assert (error["error_code"], error["stream_id"]) == ("ASF_STREAM_NOT_FOUND", "nowhere")
    assert (error["retryable"], error["offset"]) == (True, 0)
    listener.emit("join_stream", {"stream_id": "s"})
    listener.receive_until("end_of_stream")
    assert listener.audio == b"audio"
    listener.close()


@pytest.mark.parametrize("kind", ["missing", "directory", "loop"])
def test_audio_that_cannot_be_opened(server: ServerProcess, kind: str) -> None:
    """Announced all the same: it may come to be until somebody listens."""
    path = server.audio_root / f"{kind}.mp3"
    if kind == "directory":
        path.mkdir()
    elif kind == "loop":
        path.symlink_to(path)
    assert server.notify(kind, str(path)).status_code == 200
    listener = WireListener(server.url, polling=False)
    listener.emit("join_stream", {"stream_id": kind})
    error = listener.receive_until("stream_error")
    assert error["message"] == "Audio file unavailable for this stream."
    assert error["error_code"] == "ASF_AUDIO_UNAVAILABLE"
    listener.close()


def test_a_file_that_is_truncated_while_it_streams(server: ServerProcess) -> None:
    """An error with the offset; what came before is right; a listener of another stream hears nothing of it."""
    audio = audio_of(3_000_000)
    path = server.announce("cut", audio)
    server.announce("other", audio)
    listener, other = (WireListener(server.url, polling=False) for _ in range(2))
    listener.emit("join_stream", {"stream_id": "cut"})
    other.emit("join_stream", {"stream_id": "other"})
    listener.receive_until("start_of_stream")
    os.truncate(path, 500_000)
    error = listener.receive_until("stream_error")
    assert error["error_code"] == "ASF_AUDIO_UNAVAILABLE"
    assert error["offset"] == len(listener.audio)
    assert audio.startswith(listener.audio)
    assert "end_of_stream" not in control_events(listener)
    other.receive_until("end_of_stream")
    assert other.audio == audio
    for one in (listener, other):
        one.close()


def test_a_file_that_is_replaced_or_deleted_while_it_streams(server: ServerProcess, tmp_path: Path) -> None:
    """What was announced is what is heard."""
    for stream_id in ("replaced", "deleted"):
        path = server.announce(stream_id, AUDIO)
        listener = WireListener(server.url, polling=False)
        listener.emit("join_stream", {"stream_id": stream_id})
        listener.receive_until("start_of_stream")
        if stream_id == "replaced":
            (tmp_path / "new").write_bytes(audio_of(900_000, seed=2))
            (tmp_path / "new").rename(path)
        else:
            path.unlink()
        if stream_id == "replaced":  # Announced again or not, who joins now hears what is there now.
            assert server.notify(stream_id, str(path)).status_code == 200
            other = WireListener(server.url, polling=False)
            other.emit("join_stream", {"stream_id": stream_id})
            other.receive_until("end_of_stream")
            assert other.audio == audio_of(900_000, seed=2)
            other.close()
        listener.receive_until("end_of_stream")
        assert listener.audio == AUDIO
        listener.close()


WRONG_JOINS: list[tuple[Any, ...]] = [
    (),
    (None,),
    ("s",),
    (5,),
    ([],),
    (["s"],),
    (True,),
    ({},),
    ({"stream_id": None},),
    ({"stream_id": 5},),
    ({"stream_id": ""},),
    ({"stream_id": "  "},),
    ({"stream_id": ["s"]},),
]


@pytest.mark.parametrize("polling", [True, False])
def test_payloads_of_the_wrong_shape(server: ServerProcess, polling: bool) -> None:
    """Each gets the contract's error, and the connection goes on."""
    server.announce("s", AUDIO)
    listener = WireListener(server.url, polling=polling)
    for payload in WRONG_JOINS:
        listener.events.clear()
        listener.emit("join_stream", *payload)
        error = listener.receive_until("error")
        assert error["message"] == "stream_id is required for join_stream."
        assert error["error_code"] == "ASF_JOIN_INVALID_PAYLOAD"
        assert error["details"]
    listener.emit("join_stream", {"stream_id": "s"}, "one argument more")
    listener.receive_until("end_of_stream")
    assert listener.audio == AUDIO
    listener.close()


def test_a_binary_payload(server: ServerProcess) -> None:
    """An attachment where an object belongs."""
    listener = WireListener(server.url, polling=False)
    listener.send(f'451-{NAMESPACE},["join_stream",{{"_placeholder":true,"num":0}}]')
    assert listener.websocket is not None
    listener.websocket.send_binary(b"\x00\x01")
    assert listener.receive_until("error")["error_code"] == "ASF_JOIN_INVALID_PAYLOAD"
    listener.close()


def test_events_that_nobody_knows_are_ignored(server: ServerProcess) -> None:
    """In mid-stream, with names of every kind, among them those that only the library may raise."""
    audio = audio_of(1_000_000)
    server.announce("s", audio)
    listener = WireListener(server.url, polling=False)
    listener.emit("join_stream", {"stream_id": "s"})
    listener.receive_until("start_of_stream")
    for event in ("nonsense", "", "trigger_event", "connect", "disconnect"):
        listener.emit(event, {"stream_id": "s"})
    for event in ("5", "null", "{}", '["join_stream"]'):
        listener.send(f'42{NAMESPACE},[{event},{{"stream_id":"s"}}]')
    listener.receive_until("end_of_stream")
    assert listener.audio == audio
    assert control_events(listener) == ["joined", "start_of_stream", "end_of_stream"]
    listener.close()


def test_joining_again_leaves_the_first_stream(server: ServerProcess) -> None:
    """One stream a connection: from the second start on, only the second one's bytes."""
    first, second = audio_of(2_000_000, seed=1), audio_of(300_000, seed=2)
    server.announce("first", first)
    server.announce("second", second)
    listener = WireListener(server.url, polling=False)
    listener.emit("join_stream", {"stream_id": "first"})
    while len(listener.audio) < 100_000:
        listener.receive()
    listener.emit("join_stream", {"stream_id": "second"})
    while len([event for event in control_events(listener) if event == "start_of_stream"]) < 2:
        listener.receive()
    heard = len(listener.audio)
    assert first.startswith(listener.audio[:heard])
    listener.receive_until("end_of_stream")
    assert listener.audio[heard:] == second
    listener.close()


@pytest.mark.parametrize("polling", [True, False])
def test_a_listener_that_goes_away_leaves_nothing_behind(start_server: StartServer, polling: bool) -> None:
    """No greenlet, no open file, no socket; whatever the moment at which it goes."""
    server = start_server({"ASF_CHUNK_SIZE": "65536"}, observed=True)
    server.announce("s", audio_of(60_000_000))

    def listen_a_little(polls: int) -> None:
        listener = WireListener(server.url, polling=polling)
        listener.emit("join_stream", {"stream_id": "s"})
        for _ in range(polls):
            listener.receive()
        if polling:
            listener.send("1")
        listener.close()

    listen_a_little(3)  # What is made once, at first use, does not count.
    eventually(lambda: not server.open_files())
    greenlets = server.greenlets()
    sockets = server.sockets()
    for polls in range(12):
        listen_a_little(polls)
    eventually(lambda: not server.open_files())
    eventually(lambda: server.greenlets() <= greenlets)
    eventually(lambda: server.sockets() <= sockets)


@pytest.mark.one_process("each worker opens the audio of its listeners")
def test_the_audio_is_opened_once_for_all_listeners(server: ServerProcess) -> None:
    """And closed with the last one."""
    path = server.announce("s", audio_of(5_000_000))
    listeners = [WireListener(server.url, polling=False) for _ in range(5)]
    for listener in listeners:
        listener.emit("join_stream", {"stream_id": "s"})
        listener.receive_until("start_of_stream")
    assert server.open_files().count(str(path)) == 1
    for listener in listeners:
        listener.close()
    eventually(lambda: not server.open_files())


def test_no_more_listeners_than_there_is_place_for(start_server: StartServer) -> None:
    """The next one is told to come again, and may once somebody left."""
    server = start_server({"ASF_MAX_LISTENERS": "1"})
    server.announce("s", audio_of(2_000_000))
    first, second = (WireListener(server.url, polling=False) for _ in range(2))
    first.emit("join_stream", {"stream_id": "s"})
    first.receive_until("start_of_stream")
    second.emit("join_stream", {"stream_id": "s"})
    error = second.receive_until("stream_error")
    assert (error["error_code"], error["retryable"]) == ("ASF_TOO_MANY_LISTENERS", True)
    first.close()
    eventually(lambda: "asf_listeners 0.0" in server.metrics())
    second.events.clear()
    second.emit("join_stream", {"stream_id": "s"})
    second.receive_until("end_of_stream")
    assert second.audio == audio_of(2_000_000)
    second.close()


def test_metrics_agree_with_what_was_sent(start_server: StartServer) -> None:
    """To the byte."""
    server = start_server()
    server.announce("s", AUDIO)
    for polling in (True, False):
        listener = WireListener(server.url, polling=polling)
        listener.emit("join_stream", {"stream_id": "s"})
        listener.receive_until("end_of_stream")
        listener.close()
    server.send_ui_update("alice", "e", 1)
    lines = set(server.metrics().splitlines())
    chunks = -(-len(AUDIO) // 4096)
    assert lines >= {
        "asf_listeners 0.0",
        "asf_listeners_blocked 0.0",
        "asf_joins_total 2.0",
        "asf_first_chunk_seconds_count 2.0",
        f"asf_chunks_sent_total {2.0 * chunks}",
        'asf_streams_ended_total{outcome="complete"} 2.0',
        'asf_ui_updates_total{outcome="no_subscriber"} 1.0',
        "asf_ui_relay_seconds_count 1.0",
        'asf_http_requests_total{route="/asf/internal/notify_new_audio",status="200"} 1.0',
        'asf_catalog_streams{state="complete"} 1.0',
    }
    sent = next(line for line in lines if line.startswith("asf_audio_bytes_sent_total"))
    assert float(sent.split()[1]) == 2 * len(AUDIO)
    assert any(line.startswith("asf_pump_lag_seconds_count") for line in lines)
    assert any(line.startswith("asf_loop_stall_seconds_count") for line in lines)
