"""The Python client of backends: against servers that fail, and against the real one."""

import io
import math
from pathlib import Path

import pytest
import requests

from asf.client import (
    Announced,
    BackendClient,
    CuesAdded,
    Delivered,
    RequestRejected,
    ServerUnreachable,
    Stream,
    UiUpdate,
    cue_batches,
)
from asf.client.calls import SIZE_SECONDS, TIMEOUT_SECONDS
from tests.support.bounds import PATIENCE_SECONDS
from tests.support.cutting_proxy import CuttingProxy
from tests.support.fixtures import StartServer, audio_of
from tests.support.plain_websocket import PlainListener
from tests.support.processes import ServerProcess, eventually
from tests.support.scripted_server import ScriptedServer

DELIVERED = {"status": "success", "seq": 3, "epoch": "e", "subscribers": 2, "duplicate": False}
INTERNAL_ERROR = {"error_code": "ASF_INTERNAL_ERROR", "message": "Internal error."}


def keys_of(server: ScriptedServer) -> list[str]:
    """Return the idempotency key of each request."""
    return [request["body"]["idempotency_key"] for request in server.requests]


def test_a_call_is_retried_with_the_same_key() -> None:
    """After a lost connection, a server error, and an error of a proxy."""
    answers = ("drop", (500, INTERNAL_ERROR), (502, "<html>Bad gateway</html>"), (200, DELIVERED))
    with ScriptedServer(*answers) as server, BackendClient(server.url) as backend:
        assert backend.send_ui_update("alice", "e", {"a": 1}) == Delivered(3, "e", 2, duplicate=False)
        assert backend.send_ui_update("alice", "e", {"a": 1}) == Delivered(3, "e", 2, duplicate=False)
    keys = keys_of(server)
    assert len(keys) == 5
    assert len(set(keys[:4])) == 1, "no attempt is another update"
    assert keys[4] != keys[0], "another call is"
    assert len(keys[0]) >= 16
    said = {"client_id": "alice", "event_name": "e", "data": {"a": 1}}
    assert all(said.items() <= request["body"].items() for request in server.requests)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ((500, {"error_code": "ASF_CONFIG_ERROR_UI_NAMESPACE", "message": "No."}), RequestRejected),
        ((400, {"error_code": "ASF_SENDUI_MISSING_DATA", "message": "No."}), RequestRejected),
        ((200, "not JSON"), ServerUnreachable),
        ((200, {"status": "success"}), ServerUnreachable),
        ((404, "<html>Not found</html>"), ServerUnreachable),
    ],
)
def test_permanent_errors_are_not_retried(answer: tuple[int, object], expected: type[Exception]) -> None:
    """Errors of the request or the server's configuration, and responses that are not ASF's."""
    with ScriptedServer(answer) as server, BackendClient(server.url) as backend, pytest.raises(expected):
        backend.send_ui_update("alice", "e", None)
    assert len(server.requests) == 1


def test_retries_end() -> None:
    """With the last error, after the configured number of attempts."""
    with ScriptedServer((500, INTERNAL_ERROR)) as server, BackendClient(server.url, retries=2) as backend:
        with pytest.raises(RequestRejected) as refusal:
            backend.notify_new_audio("s", "/x.mp3")
        assert (refusal.value.error_code, refusal.value.status) == ("ASF_INTERNAL_ERROR", 500)
        assert refusal.value.attempt == 3
    assert len(server.requests) == 3
    dropping = ScriptedServer("drop")
    with dropping as server, BackendClient(server.url, retries=0) as backend, pytest.raises(ServerUnreachable):
        backend.notify_new_audio("s", "/x.mp3")
    assert len(server.requests) == 1
    for address in ("http://127.0.0.1:9", "nonsense", "http://"):
        with (
            BackendClient(address, retries=1) as backend,
            pytest.raises(ServerUnreachable, match="No ASF server responded"),
        ):
            backend.notify_new_audio("s", "/x.mp3")


def test_a_deletion_whose_response_was_lost_has_succeeded() -> None:
    """Not found means deleted by an earlier attempt; at the first attempt it is an error."""
    not_found = (404, {"error_code": "ASF_STREAM_NOT_FOUND", "message": "No."})
    with ScriptedServer("drop", not_found) as server, BackendClient(server.url) as backend:
        backend.delete_stream("a/b c")
        with pytest.raises(RequestRejected):
            backend.delete_stream("a")
    assert server.requests[0]["path"] == "/asf/internal/streams/a%2Fb%20c"


def test_the_token_is_sent_with_every_request(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes precedence over .netrc; without a token nothing is sent."""
    netrc = tmp_path / ".netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password secret\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    with ScriptedServer((200, DELIVERED)) as server, BackendClient(server.url, token="t0k.en") as backend:  # noqa: S106
        backend.send_ui_update("alice", "e", 1)
    assert server.requests[0]["headers"]["Authorization"] == "Bearer t0k.en"
    monkeypatch.delenv("NETRC")
    with ScriptedServer((200, DELIVERED)) as server, BackendClient(server.url) as backend:
        backend.send_ui_update("alice", "e", 1)
    assert "Authorization" not in server.requests[0]["headers"]


def test_invalid_json_is_not_sent(server: ServerProcess) -> None:
    """It is an error of the caller."""
    with BackendClient(server.url) as backend:
        with pytest.raises(ValueError, match="JSON"):
            backend.send_ui_update("alice", "e", math.nan)
        with pytest.raises(TypeError):
            backend.send_ui_update("alice", "e", object())


def test_an_update_whose_response_is_lost_is_sent_once(server: ServerProcess) -> None:
    """The server already has it when the call is retried."""
    proxy = CuttingProxy(server.port, iter([10]))  # The first answer breaks off after 10 bytes.
    with BackendClient(proxy.url) as backend:
        delivered = backend.send_ui_update("once", "e", 1)
    assert proxy.cuts_made == 1
    assert delivered.duplicate
    assert delivered.seq == 1
    with BackendClient(server.url) as backend:
        following = backend.send_ui_update("once", "e", 1)
        assert (following.seq, following.duplicate) == (2, False)
        first = backend.send_ui_update("once", "e", 2, idempotency_key="k")
        again = backend.send_ui_update("once", "e", 2, idempotency_key="k")
        assert (first.seq, first.duplicate) == (3, False)
        assert (again.seq, again.duplicate) == (3, True)
        with pytest.raises(RequestRejected) as refusal:
            backend.send_ui_update("once", "e", 3, idempotency_key="k")
        assert refusal.value.error_code == "ASF_IDEMPOTENCY_CONFLICT"
    proxy.close()


def test_a_batch_has_a_result_for_each(server: ServerProcess) -> None:
    """A rejected update does not affect the others; an empty batch sends no request."""
    updates = [UiUpdate("b", "progress", 1), UiUpdate("b", "connect", 2), UiUpdate("b", "progress", None)]
    with BackendClient(server.url) as backend:
        first, second, third = backend.send_ui_updates(updates)
        assert isinstance(first, Delivered)
        assert isinstance(third, Delivered)
        assert (first.seq, third.seq, first.epoch == third.epoch) == (1, 2, True)
        assert isinstance(second, RequestRejected)
        assert second.error_code == "ASF_SENDUI_INVALID_EVENT_NAME"
        with pytest.raises(RequestRejected):
            backend.send_ui_updates([UiUpdate("b", "e", 1)] * 1001)
    proxy = CuttingProxy(server.port, iter([10]))
    with BackendClient(proxy.url) as backend:
        answers = backend.send_ui_updates([UiUpdate("b2", "progress", number) for number in range(3)])
    assert [answer.duplicate for answer in answers if isinstance(answer, Delivered)] == [True, True, True]
    assert [answer.seq for answer in answers if isinstance(answer, Delivered)] == [1, 2, 3]
    proxy.close()
    with BackendClient("http://127.0.0.1:9") as backend:
        assert backend.send_ui_updates([]) == []


def test_the_catalog(start_server: StartServer) -> None:
    """Announce, list in pages, get, delete."""
    server = start_server()
    with BackendClient(server.url) as backend:
        path = server.audio_root / "x.mp3"
        announced = backend.notify_new_audio("s/0 ü", path, "generating", metadata={"n": 0}, content_type="audio/aac")
        assert announced == Announced("s/0 ü", "generating", announced.epoch)
        for number in range(1, 7):
            backend.notify_new_audio(f"s/{number}", path)
        failed = backend.notify_new_audio("s/0 ü", None, "failed", reason="No voice.")
        assert (failed.state, failed.epoch) == ("failed", announced.epoch)
        streams = list(backend.streams(page_size=3))
        assert sorted(stream.stream_id for stream in streams) == ["s/0 ü", *(f"s/{n}" for n in range(1, 7))]
        stream = backend.stream("s/0 ü")
        assert stream == Stream(
            "s/0 ü", "failed", announced.epoch, str(path), "audio/aac", {"n": 0}, "No voice.", stream.announced_at
        )
        backend.delete_stream("s/0 ü")
        with pytest.raises(RequestRejected) as refusal:
            backend.stream("s/0 ü")
        assert refusal.value.error_code == "ASF_STREAM_NOT_FOUND"
        with pytest.raises(RequestRejected):
            backend.delete_stream("s/0 ü")


def test_audio_is_delivered_while_it_is_written(start_server: StartServer) -> None:
    """Each piece immediately, and the end on exit."""
    server = start_server({"ASF_STREAM_SLEEP_INTERVAL": "0"})
    audio = audio_of(20_000)
    path = server.audio_root / "new" / "s.mp3"
    with BackendClient(server.url) as backend:
        listener = PlainListener(server.url, "s", wait="true")
        with backend.generating("s", path, content_type="audio/aac", metadata={"title": "T"}) as growing:
            assert isinstance(growing, io.BufferedIOBase)
            assert (growing.stream_id, growing.epoch) == ("s", backend.stream("s").epoch)
            assert growing.write(audio[:5000]) == 5000
            listener.receive_until_bytes(5000)
            growing.writelines([bytearray(audio[5000:6000]), memoryview(audio[6000:])])
            growing.flush()
            assert growing.tell() == len(audio)
            listener.receive_until_bytes(len(audio))
            assert backend.stream("s").state == "generating"
        assert growing.closed
        with pytest.raises(ValueError, match="closed"):
            growing.write(b"more")
        assert listener.receive_to_the_end() == 1000
        assert listener.audio == path.read_bytes() == audio
        stream = backend.stream("s")
        assert (stream.state, stream.content_type, stream.metadata) == ("complete", "audio/aac", {"title": "T"})


def test_the_size_is_sent_at_the_end(tmp_path: Path) -> None:
    """Of the file that `generating` has written; otherwise only if it is given."""
    announced = (200, {"message": "m", "stream_id": "s", "state": "complete", "epoch": "e"})
    unknown = (404, {"error_code": "ASF_STREAM_NOT_FOUND", "message": "No."})
    with ScriptedServer(unknown, announced) as server, BackendClient(server.url) as backend:
        with backend.generating("s", tmp_path / "s.mp3") as growing:
            growing.write(b"12345")
            growing.write(b"678")
            assert growing.total_bytes == growing.tell() == 8
        backend.notify_new_audio("s", "/s.mp3", total_bytes=0)
        backend.notify_new_audio("s", "/s.mp3")
    bodies = [request["body"] for request in server.requests if request["method"] == "POST"]
    assert [(body["state"], body.get("total_bytes")) for body in bodies] == [
        ("generating", None),
        ("complete", 8),
        ("complete", 0),
        ("complete", None),
    ]


def test_a_response_may_take_as_long_as_the_server_waits_for_the_size(monkeypatch: pytest.MonkeyPatch) -> None:
    """The client waits for longer than that, beyond its usual timeout."""
    timeouts: list[float] = []

    def request(*_arguments: object, timeout: float, **_options: object) -> object:
        timeouts.append(timeout)
        raise requests.ConnectionError

    monkeypatch.setattr(requests.Session, "request", request)
    with BackendClient("http://127.0.0.1:9", retries=0) as backend:
        for total_bytes in (None, 1):
            with pytest.raises(ServerUnreachable):
                backend.notify_new_audio("s", "/s.mp3", total_bytes=total_bytes)
    assert timeouts == [TIMEOUT_SECONDS, TIMEOUT_SECONDS + SIZE_SECONDS]


def test_an_exception_fails_the_stream(tmp_path: Path) -> None:
    """Listeners get the audio so far, then the reason; the caller gets the exception, reported or not."""
    server = ServerProcess(tmp_path, {"ASF_STREAM_SLEEP_INTERVAL": "0"})
    with BackendClient(server.url, retries=0) as backend:
        listener = PlainListener(server.url, "s", wait="true")

        def fail() -> None:
            with backend.generating("s", server.audio_root / "s.mp3") as growing:
                growing.write(b"beginning")
                listener.receive_until_bytes(9)
                raise RuntimeError("no voice " + "x" * 2000)

        with pytest.raises(RuntimeError, match="no voice"):
            fail()
        assert listener.receive_to_the_end() == 4410
        assert listener.messages[-1]["details"].startswith("RuntimeError: no voice")
        assert backend.stream("s").state == "failed"

        def be_interrupted() -> None:
            with backend.generating("t", server.audio_root / "t.mp3"):
                server.kill()
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt) as interrupt:
            be_interrupted()
        assert "Could not report to ASF" in interrupt.value.__notes__[0]


def test_regenerating_does_not_affect_current_listeners(start_server: StartServer) -> None:
    """A new file of the same name has another epoch, whether the earlier one was ended or not."""
    server = start_server({"ASF_STREAM_SLEEP_INTERVAL": "0.01"})
    path = server.audio_root / "s.mp3"
    first, second = audio_of(1_000_000, seed=1), audio_of(10_000, seed=2)
    with BackendClient(server.url) as backend:
        with backend.generating("s", path) as growing:
            growing.write(first)
        listener = PlainListener(server.url, "s")
        listener.receive_until_bytes(1)
        with backend.generating("s", path) as again:
            again.write(second)
        assert listener.receive_to_the_end() == 1000
        assert listener.audio == first
        assert again.epoch != growing.epoch
        assert requests.get(server.stream_url("s"), timeout=PATIENCE_SECONDS).content == second

        crashed = backend.notify_new_audio("s", path, "generating")
        with backend.generating("s", path) as growing:
            growing.write(first)
        assert growing.epoch != crashed.epoch
    assert [one.name for one in server.audio_root.iterdir()] == ["s.mp3"]


def test_a_rejected_announcement_leaves_the_file_alone(server: ServerProcess, tmp_path: Path) -> None:
    """A file outside the audio roots is kept, and a folder is rejected."""
    precious = tmp_path / "precious.mp3"
    precious.write_bytes(b"precious")
    with BackendClient(server.url) as backend:
        with pytest.raises(RequestRejected), backend.generating("s", precious):
            raise AssertionError
        assert precious.read_bytes() == b"precious"
        assert list(tmp_path.iterdir()) == [precious]
        with pytest.raises(IsADirectoryError), backend.generating("s", server.audio_root):
            raise AssertionError
        assert server.audio_root.is_dir()
        (server.audio_root / "file").write_bytes(b"")
        with pytest.raises(OSError, match="file"), backend.generating("in-a-file", server.audio_root / "file" / "x"):
            raise AssertionError
        eventually(lambda: backend.stream("in-a-file").state == "failed")


def test_the_readme_example(server: ServerProcess) -> None:
    """It works as written there."""
    root = Path(__file__).parents[2]
    code = (root / "README.md").read_text().partition("\n## A backend\n")[2].split("```python\n")[1].split("```")[0]
    clip = root / "demo" / "welcome.mp3"
    lines = code.replace("http://127.0.0.1:5006", server.url).replace("demo/welcome.mp3", str(clip))
    exec(lines, {})  # noqa: S102 - the README's own code
    assert requests.get(server.stream_url("demo"), timeout=PATIENCE_SECONDS).content == clip.read_bytes()
    with BackendClient(server.url) as backend:
        assert backend.stream("demo").state == "complete"
        assert backend.send_ui_update("alice", "next", None).seq == 2


def test_cues_are_added_in_batches_of_one_epoch(server: ServerProcess) -> None:
    """Those with an id replace earlier ones; those without are added once."""
    path = server.announce("cued", audio_of(1000))
    cues = [{"start": number, "text": f"ü{number}"} for number in range(2500)]
    with BackendClient(server.url) as backend:
        assert backend.add_cues("cued", []) is None
        added = backend.add_cues("cued", iter(cues))
        assert added is not None
        assert (added.accepted, added.total) == (2500, 2500)
        again = backend.add_cues("cued", [{"id": "a", "start": 1}, {"id": "b", "start": 2}, {"id": "a", "start": 3}])
        assert again == CuesAdded(3, 2502, added.epoch)
        backend.notify_new_audio("cued", path, "generating")
        with pytest.raises(RequestRejected) as rejection:
            backend.add_cues("cued", cues, added.epoch)
        assert (rejection.value.error_code, rejection.value.attempt) == ("ASF_EPOCH_CHANGED", 1)


def test_cues_whose_response_was_lost_are_added_again_with_the_same_ids(monkeypatch: pytest.MonkeyPatch) -> None:
    """So the server has each once. Further requests are for the epoch of the first one."""
    monkeypatch.setattr(cue_batches, "MAX_CUES", 10)
    answer = {"accepted": 10, "total": 10, "epoch": "e1"}
    cues = [{"start": number} for number in range(15)]
    with ScriptedServer("drop", (200, answer)) as server, BackendClient(server.url) as backend:
        backend.add_cues("s/ü", cues)
    bodies = [request["body"] for request in server.requests]
    assert [len(body["cues"]) for body in bodies] == [10, 10, 5]
    assert [body["epoch"] for body in bodies] == [None, None, "e1"]
    assert bodies[0] == bodies[1]
    assert len({cue["id"] for body in bodies for cue in body["cues"]}) == 15
    assert all(request["path"] == "/asf/internal/streams/s%2F%C3%BC/cues" for request in server.requests)
