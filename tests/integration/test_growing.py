"""Listening while it is being made, and coming back where it broke: the real server, real sockets, real kills."""

import itertools
import random
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
import requests

from asf import client
from tests.support.bounds import COMMAND_SECONDS, PATIENCE_SECONDS, STREAM_SECONDS
from tests.support.cutting_proxy import CuttingProxy
from tests.support.engineio_wire import WireListener
from tests.support.faults import LATE_SIZES
from tests.support.fixtures import StartServer, audio_of
from tests.support.mortal_server import MortalServer
from tests.support.plain_websocket import PlainListener
from tests.support.processes import ServerProcess, eventually

AUDIO = audio_of(300_001)
FAST = {"ASF_STREAM_SLEEP_INTERVAL": "0"}


def write_in_pieces(path: Path, audio: bytes, pieces: int, seconds: float) -> None:
    """Write `audio` in pieces of uneven length, at uneven times."""
    chance = random.Random(len(audio))
    cuts = sorted(chance.sample(range(1, len(audio)), pieces - 1))
    with path.open("wb") as file:
        for left, right in itertools.pairwise([0, *cuts, len(audio)]):
            file.write(audio[left:right])
            file.flush()
            time.sleep(chance.uniform(0, 2 * seconds / pieces))


@pytest.mark.parametrize("polling", [True, False])
def test_three_doors_to_what_is_being_made(start_server: StartServer, polling: bool) -> None:
    """Whoever joined before the first byte ends with the whole, by whichever door; ranges work from then on."""
    server = start_server()
    path = server.audio_root / "s.mp3"
    epoch = server.notify("s", str(path), state="generating").json()["epoch"]
    over_socketio = WireListener(server.url, polling=polling)
    over_socketio.emit("join_stream", {"stream_id": "s"})
    start = over_socketio.receive_until("start_of_stream")
    assert (start["total_bytes"], start["state"], start["epoch"]) == (None, "generating", epoch)
    assert start["content_type"] == "audio/mpeg"
    over_websocket = PlainListener(server.url, "s")
    over_http: list[requests.Response] = []
    fetching = threading.Thread(
        target=lambda: over_http.append(requests.get(server.stream_url("s"), timeout=PATIENCE_SECONDS)), daemon=True
    )
    fetching.start()
    eventually(lambda: "asf_listeners 3.0" in server.metrics())

    writing = threading.Thread(target=write_in_pieces, args=(path, AUDIO, 40, 1.5))
    writing.start()
    over_websocket.receive_until_bytes(len(AUDIO))
    writing.join()
    server.notify("s", str(path), state="complete").raise_for_status()

    assert over_socketio.receive_until("end_of_stream")["total_bytes"] == len(AUDIO)
    assert over_websocket.receive_to_the_end() == 1000
    fetching.join(STREAM_SECONDS)
    assert over_socketio.audio == over_websocket.audio == over_http[0].content == AUDIO
    assert over_http[0].headers["Accept-Ranges"] == "bytes"
    assert "Content-Length" not in over_http[0].headers
    part = requests.get(server.stream_url("s"), headers={"Range": "bytes=100-199"}, timeout=PATIENCE_SECONDS)
    assert (part.status_code, part.content) == (206, AUDIO[100:200])
    eventually(lambda: not server.open_files())
    over_socketio.close()


def test_a_listener_that_waits_is_served_when_it_is_announced(start_server: StartServer) -> None:
    """Over Socket.IO and over a plain WebSocket; else there is a deadline."""
    server = start_server(FAST | {"ASF_JOIN_WAIT_SECONDS": "3600"})
    listener = WireListener(server.url, polling=False)
    listener.emit("join_stream", {"stream_id": "s", "wait": True})
    assert listener.receive_until("stream_status")["status"] == "waiting"
    plain = PlainListener(server.url, "s", wait="true")
    eventually(lambda: "asf_listeners 2.0" in server.metrics())
    server.announce("s", AUDIO)
    listener.receive_until("end_of_stream")
    assert plain.receive_to_the_end() == 1000
    assert listener.audio == plain.audio == AUDIO
    forgotten = PlainListener(start_server({"ASF_JOIN_WAIT_SECONDS": "0.5"}).url, "never", wait="true")
    assert forgotten.receive_to_the_end() == 4404
    assert forgotten.messages[-1]["error_code"] == "ASF_STREAM_NOT_FOUND"
    listener.close()


def test_a_stream_that_stalls_and_is_given_up(start_server: StartServer) -> None:
    """Listeners hear of it; an answer over HTTP is broken off, as it is not whole."""
    server = start_server(FAST | {"ASF_STALL_SECONDS": "0.3", "ASF_STALL_GIVE_UP_SECONDS": "3"})
    path = server.audio_root / "s.mp3"
    path.write_bytes(AUDIO)
    server.notify("s", str(path), state="generating").raise_for_status()
    plain = PlainListener(server.url, "s")
    plain.receive_until_bytes(len(AUDIO))
    with pytest.raises(requests.RequestException):
        requests.get(server.stream_url("s"), timeout=PATIENCE_SECONDS)
    assert plain.receive_to_the_end() == 4410
    assert plain.audio == AUDIO
    assert [message.get("status") for message in plain.messages if message["event"] == "stream_status"] == [
        "joined",
        "stalled",
    ]
    assert plain.messages[-1] | {"error_code": "ASF_STREAM_STALLED", "offset": len(AUDIO)} == plain.messages[-1]


def test_a_stream_whose_producer_is_gone_is_given_up_once_for_all(tmp_path: Path) -> None:
    """The server was killed as well: its first listener waits, and all later ones receive the reason."""
    with MortalServer(tmp_path, FAST | {"ASF_STALL_GIVE_UP_SECONDS": "1"}) as server:
        path = server.process.audio_root / "s.mp3"
        path.write_bytes(AUDIO)
        server.process.notify("s", str(path), state="generating").raise_for_status()
        server.kill_and_restart()
        first = PlainListener(server.process.url, "s")
        assert first.receive_to_the_end() == 4410
        assert first.messages[-1]["error_code"] == "ASF_STREAM_STALLED"
        eventually(lambda: any("is marked as failed" in line for line in server.process.log))
        later = PlainListener(server.process.url, "s")
        assert later.receive_to_the_end() == 4410
        assert later.audio == AUDIO
        error = later.messages[-1]
        assert (error["error_code"], error["details"]) == (
            "ASF_GENERATION_FAILED",
            "The audio has not grown for 1 s.",
        )


def test_a_generation_that_fails(start_server: StartServer) -> None:
    """After what there is comes the error, with its reason; the next epoch is another."""
    server = start_server(FAST)
    path = server.audio_root / "s.mp3"
    path.write_bytes(AUDIO)
    first = server.notify("s", str(path), state="generating").json()["epoch"]
    plain = PlainListener(server.url, "s")
    plain.receive_until_bytes(len(AUDIO))
    body = {"stream_id": "s", "state": "failed", "reason": "Out of voice."}
    url = f"{server.url}/asf/internal/notify_new_audio"
    assert requests.post(url, json=body, timeout=PATIENCE_SECONDS).json()["state"] == "failed"
    assert plain.receive_to_the_end() == 4410
    assert plain.messages[-1]["details"] == "Out of voice."
    assert server.notify("s", str(path), state="generating").json()["epoch"] != first
    returning = PlainListener(server.url, "s", offset=10, epoch=first)
    assert returning.receive_to_the_end() == 4409
    assert returning.messages[-1]["epoch"] not in {"", first}


def test_coming_back_after_cuts_and_kills(tmp_path: Path) -> None:
    """Cut at twenty random moments, the server killed twice in between: the identical audio."""
    audio = audio_of(1_500_000)
    chance = random.Random(7)
    cuts = sorted(chance.sample(range(100, len(audio)), 20))
    settings = {"ASF_STREAM_SLEEP_INTERVAL": "0.005"}
    server = ServerProcess(tmp_path, settings)
    server.announce("s", audio)
    proxy = CuttingProxy(server.port, iter(cuts))
    received = bytearray()
    ended = threading.Event()

    def listen() -> None:
        client.listen(proxy.url, "s", received.extend)
        ended.set()

    listening = threading.Thread(target=listen, daemon=True)
    listening.start()
    for share in (0.3, 0.6):
        eventually(lambda share=share: len(received) > share * len(audio), STREAM_SECONDS)  # type: ignore[misc]
        server.kill()
        server = ServerProcess(tmp_path, settings)
        proxy.target_port = server.port
    assert ended.wait(STREAM_SECONDS)
    assert proxy.cuts_made == 20
    assert received == audio
    proxy.close()
    server.stop()


def test_the_catalog_survives_a_kill(tmp_path: Path) -> None:
    """Every stream that was answered with 200 is there, with its state and epoch."""
    server = ServerProcess(tmp_path)
    states = ["complete", "generating"]
    answers = []
    for number in range(40):
        path = str(server.audio_root / f"{number}.mp3")
        answers.append(server.notify(f"s{number}", path, state=states[number % 2], metadata={"n": number}).json())
    server.kill()
    server = ServerProcess(tmp_path)
    streams: dict[str, Any] = {}
    cursor: str | None = ""
    while cursor is not None:
        query = {"limit": "7", "cursor": cursor}
        page = requests.get(f"{server.url}/asf/internal/streams", params=query, timeout=PATIENCE_SECONDS).json()
        streams |= {stream["stream_id"]: stream for stream in page["streams"]}
        cursor = page["next_cursor"]
    assert len(streams) == 40
    for number, answer in enumerate(answers):
        kept = streams[answer["stream_id"]]
        assert (kept["state"], kept["epoch"]) == (answer["state"], answer["epoch"])
        assert kept["metadata"] == {"n": number}
    url = f"{server.url}/asf/internal/streams/s7"
    assert requests.get(url, timeout=PATIENCE_SECONDS).json().items() >= streams["s7"].items()
    assert requests.delete(url, timeout=PATIENCE_SECONDS).status_code == 200
    assert requests.delete(url, timeout=PATIENCE_SECONDS).json()["error_code"] == "ASF_STREAM_NOT_FOUND"
    assert requests.get(url, timeout=PATIENCE_SECONDS).status_code == 404
    for bad in ("limit=0", "limit=x", "limit=1001"):
        answer = requests.get(f"{server.url}/asf/internal/streams?{bad}", timeout=PATIENCE_SECONDS)
        assert (answer.status_code, answer.json()["error_code"]) == (400, "ASF_INVALID_QUERY")
    assert 'asf_catalog_streams{state="generating"} 19.0' in server.metrics()
    server.stop()


def test_a_damaged_catalog_stops_the_start(tmp_path: Path) -> None:
    """With one line that says what is wrong."""
    (tmp_path / "var").mkdir()
    (tmp_path / "var" / "asf.sqlite3").write_bytes(b"no database" * 1000)
    result = subprocess.run(
        [sys.executable, "-m", "asf", "serve"],
        cwd=tmp_path,
        capture_output=True,
        timeout=COMMAND_SECONDS,
        check=False,
    )
    assert result.returncode == 1
    assert b"ASF_DATABASE" in result.stderr.splitlines()[-1]
    assert b"Traceback" not in result.stderr


@LATE_SIZES
def test_the_end_waits_for_the_announced_size(start_server: StartServer) -> None:
    """Where the last bytes are seen late, as on network file systems: no listener takes what is there for all."""
    server = start_server(FAST)
    path = server.audio_root / "s.mp3"
    server.notify("s", str(path), state="generating").raise_for_status()
    listener = WireListener(server.url, polling=False)
    listener.emit("join_stream", {"stream_id": "s"})
    path.write_bytes(AUDIO[:100_000])
    listener.receive_until_bytes(100_000)
    answers: list[requests.Response] = []
    announcing = threading.Thread(
        target=lambda: answers.append(server.notify("s", str(path), total_bytes=len(AUDIO))), daemon=True
    )
    announcing.start()
    announcing.join(0.5)
    assert announcing.is_alive()
    with path.open("ab") as file:
        file.write(AUDIO[100_000:])
    assert listener.receive_until("end_of_stream")["total_bytes"] == len(AUDIO)
    assert listener.audio == AUDIO
    announcing.join(PATIENCE_SECONDS)
    assert [answer.status_code for answer in answers] == [200]
    listener.close()


@pytest.mark.parametrize("size", [-1, 1.5, "100", True, 2**63, [1]])
def test_a_size_must_be_one(server: ServerProcess, size: object) -> None:
    """Nothing is announced."""
    answer = server.notify("sized", str(server.audio_root / "sized.mp3"), total_bytes=size)
    assert (answer.status_code, answer.json()["error_code"]) == (400, "ASF_NOTIFY_INVALID_FIELD")
    assert "total_bytes" in answer.json()["message"]
    assert requests.get(f"{server.url}/asf/internal/streams/sized", timeout=PATIENCE_SECONDS).status_code == 404
