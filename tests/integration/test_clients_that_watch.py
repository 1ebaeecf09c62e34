"""What clients rely on that watch a connection, or a stream without its audio (docs/contract.md, section 3)."""

from pathlib import Path

import pytest
import requests
import socketio

from asf.domain.identifiers import MAX_OFFSET
from tests.support.bounds import PATIENCE_SECONDS
from tests.support.engineio_wire import WireListener, join
from tests.support.fixtures import StartServer, audio_of
from tests.support.processes import ServerProcess, eventually

AUDIO = audio_of(300_001)


@pytest.mark.parametrize("polling", [True, False])
def test_every_event_is_acknowledged_in_its_turn(server: ServerProcess, polling: bool) -> None:
    """Also one that ASF does not know, and one that is an error, whose answer comes before."""
    client = WireListener(server.url, polling=polling)
    client.emit("probe", {}, number=1)
    client.emit("leave_stream", {}, number=2)
    client.emit("join_stream", {}, number=3)
    while len(client.acknowledged) < 3:
        client.receive()
    before = len(client.events) - 2
    assert client.acknowledged == {1: (before, 0), 2: (before + 1, 0), 3: (before + 2, 0)}
    assert [payload["error_code"] for _, payload in client.events[before:]] == [
        "ASF_NO_SESSION",
        "ASF_JOIN_INVALID_PAYLOAD",
    ]
    client.close()


def test_subscribers_get_acknowledgements_too(server: ServerProcess) -> None:
    """In the namespace of UI updates."""
    with socketio.SimpleClient() as client:
        client.connect(server.url, namespace="/ui_updates", wait_timeout=int(PATIENCE_SECONDS))
        for event in ("probe", "unsubscribe_from_ui_updates"):
            assert client.call(event, {}, timeout=int(PATIENCE_SECONDS)) is None


@pytest.mark.parametrize("polling", [True, False])
def test_after_leaving_is_acknowledged_nothing_of_the_stream_comes(server: ServerProcess, polling: bool) -> None:
    """So the next user of the connection knows what is not for it."""
    server.announce("left", audio_of(24_000_000))  # It does not end before it is left.
    client = WireListener(server.url, polling=polling)
    client.emit("join_stream", {"stream_id": "left"})
    client.receive_until_bytes(50_000)
    client.emit("leave_stream", {}, number=7)
    client.emit("probe", {}, number=8)
    while 8 not in client.acknowledged:
        client.receive()
    assert client.acknowledged[7] == client.acknowledged[8]
    assert client.events[-1][1]["status"] == "left"
    client.close()


def test_beyond_the_end_there_are_news_and_no_audio(start_server: StartServer) -> None:
    """Of growth nothing; stalls, the end and its size."""
    server = start_server({"ASF_STALL_SECONDS": "0.3"})
    path = server.audio_root / "s.mp3"
    path.write_bytes(AUDIO[:100_000])
    server.notify("s", str(path), state="generating").raise_for_status()
    follower = join(server, "s", window=1)
    follower.receive_until_bytes(1)
    follower.emit("seek_stream", {"offset": MAX_OFFSET})
    eventually(lambda: "asf_listeners_blocked 0.0" in server.metrics())
    follower.receive_until_status("stalled")
    with path.open("ab") as file:
        file.write(AUDIO[100_000:])
    server.notify("s", str(path), state="complete").raise_for_status()
    assert follower.receive_until("end_of_stream")["total_bytes"] == len(AUDIO)
    assert len(follower.audio) == 1
    follower.close()
    # Complete audio ends at once.
    late = join(server, "s", offset=MAX_OFFSET)
    assert late.receive_until("end_of_stream")["total_bytes"] == len(AUDIO)
    assert not late.audio
    late.close()


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ("failed", "ASF_GENERATION_FAILED"),
        ("deleted", "ASF_STREAM_NOT_FOUND"),
        ("regenerated", "ASF_EPOCH_CHANGED"),
    ],
)
def test_beyond_the_end_a_failure_is_told(start_server: StartServer, change: str, code: str) -> None:
    """At once: also that the stream is another one, or gone."""
    server = start_server()
    path = server.audio_root / "s.mp3"
    path.write_bytes(AUDIO)
    server.notify("s", str(path), state="generating").raise_for_status()
    follower = join(server, "s", offset=MAX_OFFSET)
    follower.receive_until("start_of_stream")
    if change == "failed":
        server.notify("s", str(path), state="failed").raise_for_status()
    elif change == "deleted":
        requests.delete(f"{server.url}/asf/internal/streams/s", timeout=PATIENCE_SECONDS).raise_for_status()
    else:
        other = server.audio_root / "other.mp3"
        other.write_bytes(AUDIO)
        server.notify("s", str(other), state="generating").raise_for_status()
    assert follower.receive_until("stream_error")["error_code"] == code
    assert not follower.audio
    follower.close()


def test_a_page_can_read_why_its_connection_is_refused(tmp_path: Path) -> None:
    """If it is of an allowed origin."""
    listed = "https://app.example"
    server = ServerProcess(tmp_path, {"ASF_CORS_ALLOWED_ORIGINS": listed, "ASF_DRAIN_SECONDS": "3600"})
    server.announce("s", audio_of(24_000_000))
    listener = join(server, "s")
    listener.receive_until("start_of_stream")
    server.process.terminate()
    listener.receive_until_status("server_draining")
    url = f"{server.url}/socket.io/?EIO=4&transport=polling"
    refused = requests.get(url, headers={"Origin": listed}, timeout=PATIENCE_SECONDS)
    assert (refused.status_code, refused.json()["error_code"]) == (503, "ASF_DRAINING")
    assert refused.headers["Access-Control-Allow-Origin"] == listed
    assert refused.headers["Access-Control-Allow-Credentials"] == "true"
    other = requests.get(url, headers={"Origin": "https://other.example"}, timeout=PATIENCE_SECONDS)
    assert other.status_code == 503
    assert "Access-Control-Allow-Origin" not in other.headers
    listener.close()
    assert server.wait() == 0
