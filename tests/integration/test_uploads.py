"""Audio that is uploaded over HTTP and heard meanwhile: a real server, real sockets."""

import json
import threading
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
import requests

from tests.support.bounds import PATIENCE_SECONDS
from tests.support.fixtures import StartServer, audio_of
from tests.support.plain_websocket import PlainListener
from tests.support.processes import ServerProcess, eventually
from tests.support.uploader import Sender, head, offset_of, patch, put, upload_url

AUDIO = audio_of(300_001)
FAST = {"ASF_STREAM_SLEEP_INTERVAL": "0"}


def test_every_piece_is_heard_before_the_next_one_is_sent(start_server: StartServer) -> None:
    """In chunks; the listener was there before the upload."""
    server = start_server(FAST)
    listener = PlainListener(server.url, "s", wait="true")
    with Sender(server.port, "s") as sender:
        for start in range(0, len(AUDIO), 50_000):
            sender.send(AUDIO[start : start + 50_000])
            listener.receive_until_bytes(min(start + 50_000, len(AUDIO)))
        response = sender.end()
        answer = json.loads(response.read())
    assert listener.receive_to_the_end() == 1000
    assert listener.audio == AUDIO
    assert response.status == 201
    assert answer | {"stream_id": "s", "state": "complete", "offset": len(AUDIO)} == answer
    start_of_stream = next(one for one in listener.messages if one["event"] == "start_of_stream")
    assert (start_of_stream["epoch"], start_of_stream["content_type"]) == (answer["epoch"], "audio/mpeg")
    told = head(server.url, "s").headers
    assert (told["Upload-Offset"], told["Upload-Complete"]) == (str(len(AUDIO)), "?1")
    assert told["ETag"] == f'"{answer["epoch"]}"'
    eventually(lambda: not any("/uploads/" in name for name in server.all_open_files()))


def test_an_upload_of_known_length(start_server: StartServer) -> None:
    """Heard from the first byte to the last afterwards, too; a second one has another epoch."""
    server = start_server(FAST)
    first = put(server.url, "s", AUDIO)
    assert first.status_code == 201
    listener = PlainListener(server.url, "s")
    assert listener.receive_to_the_end() == 1000
    assert listener.audio == AUDIO
    second = put(server.url, "s", AUDIO[:10])
    assert second.status_code == 200
    assert second.json()["epoch"] != first.json()["epoch"]


def test_a_broken_upload_is_resumed_at_its_offset(start_server: StartServer) -> None:
    """By PATCH, after HEAD has told how much there is; the listener hears on."""
    server = start_server(FAST)
    with Sender(server.port, "s") as sender:
        sender.send(AUDIO[:100_000])
        listener = PlainListener(server.url, "s", wait="true")
        listener.receive_until_bytes(100_000)
        sender.reset()
    told = head(server.url, "s").headers
    assert (told["Upload-Offset"], told["Upload-Complete"]) == ("100000", "?0")
    wrong = patch(server.url, "s", 99_999, AUDIO[99_999:])
    assert (wrong.status_code, wrong.json()["error_code"]) == (409, "ASF_UPLOAD_OFFSET_MISMATCH")
    assert wrong.headers["Upload-Offset"] == "100000"
    other = patch(server.url, "s", 100_000, AUDIO[100_000:], If_Match='"other"')
    assert (other.status_code, other.json()["error_code"]) == (412, "ASF_PRECONDITION_FAILED")
    part = patch(server.url, "s", 100_000, AUDIO[100_000:200_000], If_Match=told["ETag"], Upload_Complete="?0")
    assert (part.status_code, part.json()["state"], part.json()["offset"]) == (200, "generating", 200_000)
    listener.receive_until_bytes(200_000)
    rest = patch(server.url, "s", 200_000, AUDIO[200_000:])
    assert (rest.status_code, rest.json()["state"], rest.json()["offset"]) == (200, "complete", len(AUDIO))
    assert listener.receive_to_the_end() == 1000
    assert listener.audio == AUDIO
    late = patch(server.url, "s", len(AUDIO), b"more")
    assert (late.status_code, late.json()["error_code"]) == (409, "ASF_UPLOAD_COMPLETE")
    assert late.headers["Upload-Offset"] == str(len(AUDIO))


@pytest.mark.one_process("on another server, and another worker, the offset tells: test_uploads_several_servers.py")
def test_the_newest_request_takes_over(start_server: StartServer) -> None:
    """From one that is still connected, which receives why; one at a wrong offset does not."""
    server = start_server(FAST)
    with Sender(server.port, "s") as old:
        old.send(AUDIO[:1000])
        eventually(lambda: offset_of(server.url, "s") == 1000)
        assert patch(server.url, "s", 10, AUDIO[10:]).status_code == 409
        old.send(AUDIO[1000:2000])
        eventually(lambda: offset_of(server.url, "s") == 2000)
        with Sender(server.port, "s", method="PATCH", headers={"Upload-Offset": "2000"}) as new:
            response = old.response()
            assert (response.status, json.loads(response.read())["error_code"]) == (409, "ASF_UPLOAD_TAKEN_OVER")
            new.send(AUDIO[2000:])
            assert new.end().status == 200
    listener = PlainListener(server.url, "s")
    assert listener.receive_to_the_end() == 1000
    assert listener.audio == AUDIO


@pytest.mark.one_process("on another server, and another worker, the offset tells: test_uploads_several_servers.py")
def test_a_sender_that_sends_on_receives_why_it_is_rejected(start_server: StartServer) -> None:
    """The connection is not reset before: at the head of the request, and in mid-body."""
    server = start_server(FAST)
    with Sender(server.port, "s") as old:
        old.send(AUDIO[:1000])
        eventually(lambda: offset_of(server.url, "s") == 1000)
        with Sender(server.port, "s", method="PATCH", headers={"Upload-Offset": "5"}) as wrong:
            for _ in range(10):
                wrong.send(AUDIO)
            assert wrong.response().status == 409
        with Sender(server.port, "s", method="PATCH", headers={"Upload-Offset": "1000"}):
            eventually(lambda: any("upload started" in line and "offset=1000" in line for line in server.log))
            for _ in range(10):
                old.send(AUDIO)
            response = old.response()
            assert (response.status, response.headers["Connection"]) == (409, "close")
            assert json.loads(response.read())["error_code"] == "ASF_UPLOAD_TAKEN_OVER"


def test_a_connection_over_the_limit_cannot_upload(start_server: StartServer) -> None:
    """It would stay for longer than such a connection may."""
    server = start_server(FAST | {"ASF_MAX_CONNECTIONS_PER_IP": "1"})
    with Sender(server.port, "s") as allowed:
        allowed.send(AUDIO[:1000])
        eventually(lambda: any("upload started" in line for line in server.log))
        refused = put(server.url, "t", AUDIO)
        assert (refused.status_code, refused.json()["error_code"]) == (429, "ASF_RATE_LIMITED")
        assert allowed.end().status == 201


def test_a_new_upload_ends_the_one_that_is_under_way(start_server: StartServer) -> None:
    """Its listeners and its sender receive EPOCH_CHANGED, and its file is deleted."""
    server = start_server(FAST)
    with Sender(server.port, "s") as old:
        old.send(AUDIO[:1000])
        listener = PlainListener(server.url, "s", wait="true")
        listener.receive_until_bytes(1000)
        assert put(server.url, "s", AUDIO).status_code == 200
        response = old.response()
        assert (response.status, json.loads(response.read())["error_code"]) == (409, "ASF_EPOCH_CHANGED")
    assert listener.receive_to_the_end() == 4409
    assert listener.audio == AUDIO[:1000]
    eventually(lambda: len(spool_of(server)) == 1)


def test_deleting_the_stream_deletes_its_audio(start_server: StartServer) -> None:
    """Also under way: the sender receives it."""
    server = start_server(FAST)
    assert put(server.url, "a", AUDIO).status_code == 201
    assert len(spool_of(server)) == 1
    stream_url = f"{server.url}/asf/internal/streams/a"
    assert requests.delete(stream_url, timeout=PATIENCE_SECONDS).status_code == 200
    eventually(lambda: not spool_of(server))
    with Sender(server.port, "a") as sender:
        sender.send(AUDIO[:1000])
        eventually(lambda: offset_of(server.url, "a") == 1000)
        assert requests.delete(stream_url, timeout=PATIENCE_SECONDS).status_code == 200
        response = sender.response()
        assert (response.status, json.loads(response.read())["error_code"]) == (404, "ASF_STREAM_NOT_FOUND")
    eventually(lambda: not spool_of(server))
    assert head(server.url, "a").status_code == 404


def test_a_backend_ends_an_upload_as_failed(start_server: StartServer) -> None:
    """By its announcement: sender and listeners receive the reason, and it cannot be resumed."""
    server = start_server(FAST)
    with Sender(server.port, "s") as sender:
        sender.send(AUDIO[:1000])
        listener = PlainListener(server.url, "s", wait="true")
        listener.receive_until_bytes(1000)
        assert announce(server, stream_id="s", state="failed", reason="Out of voice.").status_code == 200
        response = sender.response()
        assert (response.status, json.loads(response.read())["error_code"]) == (410, "ASF_GENERATION_FAILED")
    assert listener.receive_to_the_end() == 4410
    assert listener.messages[-1]["details"] == "Out of voice."
    assert head(server.url, "s").status_code == 410
    assert patch(server.url, "s", 1000, AUDIO[1000:]).status_code == 410
    assert put(server.url, "s", AUDIO).json()["state"] == "complete"


def test_metadata_is_given_by_an_announcement_without_a_path(start_server: StartServer) -> None:
    """While the audio is uploaded, and later; the state changes only where it is given."""
    server = start_server(FAST)
    unknown = announce(server, stream_id="s", metadata={"title": "One"})
    assert unknown.json()["error_code"] == "ASF_NOTIFY_INVALID_FILEPATH"
    assert put(server.url, "s", AUDIO[:10], Upload_Complete="?0").json()["state"] == "generating"
    first = announce(server, stream_id="s", metadata={"title": "One"}).json()
    assert first["state"] == "generating"
    assert announce(server, stream_id="s", state="complete").json() == first | {"state": "complete"}
    assert announce(server, stream_id="s", content_type="audio/ogg").json()["state"] == "complete"
    again = announce(server, stream_id="s", state="generating")
    assert again.json()["error_code"] == "ASF_NOTIFY_INVALID_FIELD"
    listener = PlainListener(server.url, "s")
    start = listener.receive_until("start_of_stream")
    assert (start["metadata"], start["content_type"]) == ({"title": "One"}, "audio/ogg")
    listener.receive_to_the_end()


def test_metadata_is_given_with_the_upload(start_server: StartServer) -> None:
    """In the query: it is there before the first byte. Without it, the stream's own stays."""
    server = start_server(FAST)
    metadata = {"title": "Über alles & mehr", "tags": [1, None]}
    waiting = PlainListener(server.url, "s", wait="true")
    url = f"{upload_url(server.url, 's')}?{urlencode({'metadata': json.dumps(metadata)})}"
    assert requests.put(url, data=AUDIO, timeout=PATIENCE_SECONDS).status_code == 201
    assert waiting.receive_until("start_of_stream")["metadata"] == metadata
    assert put(server.url, "s", AUDIO).json()["state"] == "complete"
    later = PlainListener(server.url, "s")
    assert later.receive_until("start_of_stream")["metadata"] == metadata
    assert requests.put(f"{upload_url(server.url, 's')}?metadata={{}}", data=AUDIO, timeout=PATIENCE_SECONDS).ok
    stream = requests.get(f"{server.url}/asf/internal/streams/s", timeout=PATIENCE_SECONDS).json()
    assert stream["metadata"] == {}
    for listener in (waiting, later):
        listener.close()


def test_wrong_metadata_is_rejected_before_anything_is_stored(server: ServerProcess) -> None:
    """With the reason; a query that is too long as every such request."""
    url = upload_url(server.url, "s")
    deep = '{"a":' * 65 + "1" + "}" * 65
    for text in ("", "{", "[]", "null", "NaN", '{"a": 1e999}', deep):
        response = requests.put(f"{url}?{urlencode({'metadata': text})}", data=AUDIO, timeout=PATIENCE_SECONDS)
        assert (response.status_code, response.json()["error_code"]) == (400, "ASF_INVALID_QUERY"), text
    long = urlencode({"metadata": json.dumps({"a": "x" * 9000})})
    assert requests.put(f"{url}?{long}", data=b"audio", timeout=PATIENCE_SECONDS).status_code == 414
    assert head(server.url, "s").status_code == 404


@pytest.mark.parametrize(
    ("method", "stream_id", "headers", "status", "error_code"),
    [
        ("PUT", "a/audio", {}, 400, "ASF_NOTIFY_INVALID_STREAM_ID"),
        ("PUT", "a/cues", {}, 400, "ASF_NOTIFY_INVALID_STREAM_ID"),
        ("PATCH", "a/audio", {"Upload-Offset": "0"}, 400, "ASF_NOTIFY_INVALID_STREAM_ID"),
        ("HEAD", "a/audio", {}, 400, ""),
        ("PUT", "x" * 256, {}, 400, "ASF_NOTIFY_INVALID_STREAM_ID"),
        ("PATCH", "unknown", {"Upload-Offset": "0"}, 404, "ASF_STREAM_NOT_FOUND"),
        ("PATCH", "announced", {"Upload-Offset": "0"}, 404, "ASF_UPLOAD_NOT_FOUND"),
        ("HEAD", "announced", {}, 404, ""),
        ("PATCH", "unknown", {}, 400, "ASF_INVALID_HEADER"),
        ("PATCH", "unknown", {"Upload-Offset": "-1"}, 400, "ASF_INVALID_HEADER"),
        ("PATCH", "unknown", {"Upload-Offset": "1" * 40}, 400, "ASF_INVALID_HEADER"),
        ("PUT", "a", {"Upload-Complete": "1"}, 400, "ASF_INVALID_HEADER"),
        ("PUT", "a", {"Upload-Offset": "5"}, 400, "ASF_INVALID_HEADER"),
        ("PUT", "a", {"Content-Range": "bytes 0-9/*"}, 400, "ASF_INVALID_HEADER"),
        ("PUT", "a", {"Content-Type": "multipart/form-data; boundary=x"}, 400, "ASF_BAD_REQUEST"),
        ("PUT", "a", {"Content-Encoding": "gzip"}, 415, "ASF_UNSUPPORTED_MEDIA_TYPE"),
        ("POST", "a", {}, 405, "ASF_METHOD_NOT_ALLOWED"),
    ],
)
def test_bad_requests_are_answered_clearly(
    server: ServerProcess, method: str, stream_id: str, headers: dict[str, str], status: int, error_code: str
) -> None:
    """And change nothing."""
    server.announce("announced", AUDIO[:10])
    answer = requests.request(
        method, upload_url(server.url, stream_id), data=b"audio", headers=headers, timeout=PATIENCE_SECONDS
    )
    assert answer.status_code == status, answer.text
    assert not error_code or answer.json()["error_code"] == error_code
    listed = requests.get(f"{server.url}/asf/internal/streams", timeout=PATIENCE_SECONDS).json()["streams"]
    assert [stream["stream_id"] for stream in listed] == ["announced"]


def test_ids_that_look_like_the_route_are_found_as_before(server: ServerProcess) -> None:
    """Announced by their files: only uploads and cues have routes with such an ending."""
    server.announce("b/audio", AUDIO[:10], "b.mp3")
    url = f"{server.url}/asf/internal/streams/b/audio"
    assert requests.get(url, timeout=PATIENCE_SECONDS).json()["stream_id"] == "b/audio"
    assert put(server.url, "b", AUDIO[:20]).status_code == 201
    assert requests.get(url, timeout=PATIENCE_SECONDS).json()["stream_id"] == "b/audio"
    assert head(server.url, "b").headers["Upload-Offset"] == "20"
    for stream_id in ("b/audio", "b"):
        url = f"{server.url}/asf/internal/streams/{stream_id}"
        assert requests.delete(url, timeout=PATIENCE_SECONDS).status_code == 200


def test_audio_without_bytes_has_failed(start_server: StartServer) -> None:
    """For the sender and for listeners; with `Upload-Complete: ?0` an empty body begins an upload."""
    server = start_server(FAST)
    route = f"{server.url}/asf/internal/streams/s"
    waiting = PlainListener(server.url, "s", wait=1)
    for send in (put, lambda *what: patch(what[0], what[1], 0, what[2])):
        if send is not put:
            assert put(server.url, "s", b"", Upload_Complete="?0").json()["state"] == "generating"
            announced = {"stream_id": "s", "state": "complete"}
            refused = requests.post(
                f"{server.url}/asf/internal/notify_new_audio", json=announced, timeout=PATIENCE_SECONDS
            )
            assert (refused.status_code, refused.json()["error_code"]) == (400, "ASF_NOTIFY_INVALID_FIELD")
        empty = send(server.url, "s", b"")
        assert (empty.status_code, empty.json()["error_code"]) == (400, "ASF_UPLOAD_EMPTY")
        assert empty.headers["Upload-Offset"] == "0"
        stream = requests.get(route, timeout=PATIENCE_SECONDS).json()
        assert (stream["state"], stream["reason"]) == ("failed", "The upload is empty.")
        assert requests.get(server.stream_url("s"), timeout=PATIENCE_SECONDS).status_code == 410
    assert waiting.receive_to_the_end() == 4410
    assert put(server.url, "s", b"", Upload_Complete="?0").json()["state"] == "generating"
    assert patch(server.url, "s", 0, AUDIO).json()["offset"] == len(AUDIO)


def test_what_arrived_before_the_body_broke_is_kept(start_server: StartServer) -> None:
    """Cut in a chunk, in the line before it, after bytes that are no chunk, and short of its length."""
    server = start_server(FAST)
    broken = {
        "chunk": b"a\r\n01234",
        "line": b"5\r\n01234\r\n5",
        "none": b"5\r\n01234\r\nhello\r\n",
        "longer": b"5\r\n0123456\r\n",
    }
    for name, body in broken.items():
        with Sender(server.port, name) as sender:
            sender.send_raw(body)
            sender.half_close()
            response = sender.response()
            assert (response.status, response.headers["Upload-Offset"]) == (400, "5"), name
    with Sender(server.port, "length", length=10) as sender:
        sender.send(b"01234")
        sender.half_close()
        response = sender.response()
        assert (response.status, response.headers["Upload-Offset"]) == (400, "5")
    for name in (*broken, "length"):
        assert head(server.url, name).headers["Upload-Complete"] == "?0"
        assert patch(server.url, name, 5, b"56789").json()["offset"] == 10
        assert requests.get(server.stream_url(name), timeout=PATIENCE_SECONDS).content == b"0123456789"


def test_a_request_behind_the_body_is_not_taken_for_audio(start_server: StartServer) -> None:
    """A client that sends on receives one response, and then the end of the connection."""
    server = start_server(FAST)
    with Sender(server.port, "s", length=5) as sender:
        sender.send(b"01234GET /asf/health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        response = sender.response()
        assert (response.status, json.loads(response.read())["offset"]) == (201, 5)
        assert response.headers["Connection"] == "close"
        assert sender.socket.recv(1) == b""


def test_a_connection_serves_one_upload_after_the_other(start_server: StartServer) -> None:
    """In chunks and by length, kept alive."""
    server = start_server(FAST)
    with requests.Session() as session:
        for number in range(6):
            pieces: Any = iter([AUDIO[:5000], AUDIO[5000:9000]]) if number % 2 else AUDIO[:9000]
            answer = session.put(upload_url(server.url, f"s{number}"), data=pieces, timeout=PATIENCE_SECONDS)
            assert (answer.status_code, answer.json()["offset"]) == (201, 9000)
            assert answer.headers["Connection"] == "keep-alive"


def test_more_than_one_stream_may_have_is_rejected(start_server: StartServer) -> None:
    """At once where the length says it; else when it comes. What was taken stays."""
    server = start_server(FAST | {"ASF_UPLOAD_MAX_BYTES": "1000"})
    too_long = put(server.url, "s", AUDIO[:1001])
    assert (too_long.status_code, too_long.json()["error_code"]) == (413, "ASF_UPLOAD_TOO_LARGE")
    assert head(server.url, "s").status_code == 404
    with Sender(server.port, "s") as sender:
        sender.send(AUDIO[:600])
        eventually(lambda: offset_of(server.url, "s") == 600)
        sender.send(AUDIO[600:1200])
        response = sender.response()
    assert (response.status, response.headers["Upload-Offset"]) == (413, "1000")
    assert patch(server.url, "s", 1000, b"").json()["state"] == "complete"
    assert requests.get(server.stream_url("s"), timeout=PATIENCE_SECONDS).content == AUDIO[:1000]
    assert put(server.url, "t", AUDIO[:1000]).status_code == 201


@pytest.mark.one_process("each worker counts the directory at times: docs/production.md, Uploads")
def test_the_uploads_together_are_bounded(start_server: StartServer) -> None:
    """What was taken stays, and continues when there is space again."""
    server = start_server(FAST | {"ASF_UPLOAD_TOTAL_BYTES": "100000"})
    assert put(server.url, "a", AUDIO[:60_000]).status_code == 201
    full = put(server.url, "b", iter([AUDIO[:1000], AUDIO[1000:100_000]]))
    assert (full.status_code, full.json()["error_code"]) == (507, "ASF_STORAGE_FULL")
    offset = int(full.headers["Upload-Offset"])
    assert 1000 <= offset <= 40_000
    requests.delete(f"{server.url}/asf/internal/streams/a", timeout=PATIENCE_SECONDS)
    eventually(lambda: len(spool_of(server)) == 1)
    rest = patch(server.url, "b", offset, AUDIO[offset:100_000])
    assert (rest.status_code, rest.json()["offset"]) == (200, 100_000)
    assert requests.get(server.stream_url("b"), timeout=PATIENCE_SECONDS).content == AUDIO[:100_000]


def test_an_upload_that_is_not_resumed_is_given_up_once_for_all(start_server: StartServer) -> None:
    """Without a listener; an idle sender that is still connected, too."""
    server = start_server(FAST | {"ASF_STALL_GIVE_UP_SECONDS": "1"})
    with Sender(server.port, "broken") as sender, Sender(server.port, "idle") as idle:
        sender.send(AUDIO[:1000])
        idle.send(AUDIO[:1000])
        eventually(lambda: offset_of(server.url, "broken") == 1000)
        sender.reset()
        response = idle.response()
    assert (response.status, response.headers["Upload-Offset"]) == (504, "1000")
    for stream_id in ("broken", "idle"):
        url = f"{server.url}/asf/internal/streams/{stream_id}"
        eventually(lambda url=url: requests.get(url, timeout=PATIENCE_SECONDS).json()["state"] == "failed")  # type: ignore[misc]
        stream = requests.get(url, timeout=PATIENCE_SECONDS).json()
        assert stream["reason"] == "The audio has not grown for 1 s."
        assert head(server.url, stream_id).status_code == 410


def test_a_sender_of_a_byte_at_a_time_is_not_cut(start_server: StartServer) -> None:
    """It takes longer than a silent one may."""
    server = start_server(FAST | {"ASF_STALL_GIVE_UP_SECONDS": "2.5", "ASF_STALL_SECONDS": "0.5"})
    listener = PlainListener(server.url, "s", wait="true")
    with Sender(server.port, "s") as sender:
        for number in range(12):
            sender.send(AUDIO[number : number + 1])
            listener.receive_until_bytes(number + 1)
            threading.Event().wait(0.25)
        assert sender.end().status == 201
    assert listener.receive_to_the_end() == 1000


def test_uploads_are_counted_and_logged(start_server: StartServer) -> None:
    """Those under way, their bytes, and how they ended."""
    server = start_server(FAST)
    with Sender(server.port, "s") as sender:
        sender.send(AUDIO[:1000])
        eventually(lambda: "asf_uploads 1.0" in server.metrics())
        eventually(lambda: "asf_upload_bytes_total 1000.0" in server.metrics())
        sender.end()
    eventually(lambda: "asf_uploads 0.0" in server.metrics())
    assert 'asf_uploads_ended_total{outcome="complete"} 1.0' in server.metrics()
    eventually(lambda: any("upload ended stream_id=s" in line for line in server.log))
    assert any("upload started stream_id=s" in line for line in server.log)
    assert any("upload ended stream_id=s" in line and "outcome=complete bytes=1000" in line for line in server.log)


def test_a_draining_server_takes_no_uploads_and_breaks_off_those_under_way(start_server: StartServer) -> None:
    """What it has taken is there for the next one."""
    settings = FAST | {"ASF_DRAIN_SECONDS": "20", "ASF_DATABASE": "./var/one.sqlite3"}
    server = start_server(settings)
    with Sender(server.port, "s") as sender:
        sender.send(AUDIO[:1000])
        listener = PlainListener(server.url, "s", wait="true")
        listener.receive_until_bytes(1000)
        server.process.terminate()
        eventually(lambda: put(server.url, "t", AUDIO).status_code == 503)
        assert patch(server.url, "s", 1000, AUDIO[1000:]).json()["error_code"] == "ASF_DRAINING"
        sender.send(AUDIO[1000:2000])
        listener.receive_until_bytes(2000)
        listener.close()
        with pytest.raises(ConnectionResetError):
            sender.response()
    assert server.wait() == 0
    server = start_server(settings)
    assert offset_of(server.url, "s") == 2000
    assert patch(server.url, "s", 2000, AUDIO[2000:]).json()["offset"] == len(AUDIO)


def test_no_announcement_names_uploaded_audio(start_server: StartServer) -> None:
    """Not by its path either, though its directory is below an audio root."""
    server = start_server(FAST | {"ASF_UPLOAD_DIRECTORY": "./audio/uploads"})
    assert put(server.url, "s", AUDIO).status_code == 201
    (path,) = (server.audio_root / "uploads").iterdir()
    shown = requests.get(f"{server.url}/asf/internal/streams/s", timeout=PATIENCE_SECONDS).json()["filepath"]
    assert shown.startswith("upload:")
    for filepath in (str(path), shown):
        refused = server.notify("t", filepath)
        assert (refused.status_code, refused.json()["error_code"]) == (400, "ASF_NOTIFY_INVALID_FILEPATH")


def announce(server: ServerProcess, **fields: object) -> requests.Response:
    """Announce a stream without a path."""
    return requests.post(f"{server.url}/asf/internal/notify_new_audio", json=fields, timeout=PATIENCE_SECONDS)


def spool_of(server: ServerProcess) -> list[Path]:
    """Return the files of uploaded audio of a server that has them beside its database."""
    directory = server.audio_root.parent / "var" / "uploads"
    return sorted(directory.iterdir()) if directory.exists() else []
