"""The asyncio client of backends: the same calls as the blocking one, by httpx."""

import asyncio
import importlib
import sys
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import pytest

import asf.client.aio
from asf.client import Announced, CuesAdded, Delivered, RequestRejected, ServerUnreachable, Stream, UiUpdate
from asf.client.aio import AsyncBackendClient
from tests.support.fixtures import StartServer, audio_of
from tests.support.plain_websocket import PlainListener
from tests.support.processes import ServerProcess
from tests.support.scripted_server import ScriptedServer

T = TypeVar("T")

DELIVERED = {"status": "success", "seq": 3, "epoch": "e", "subscribers": 2, "duplicate": False}
INTERNAL_ERROR = {"error_code": "ASF_INTERNAL_ERROR", "message": "Internal error."}


def run(work: Callable[[AsyncBackendClient], Awaitable[T]], url: str, **options: Any) -> T:
    """Return the result of `work` with a client."""

    async def with_client() -> T:
        async with AsyncBackendClient(url, **options) as backend:
            return await work(backend)

    return asyncio.run(with_client())


async def send(backend: AsyncBackendClient) -> Delivered:
    """Send an update."""
    return await backend.send_ui_update("alice", "e", {"a": 1})


def test_a_call_is_retried_with_the_same_key() -> None:
    """After a lost connection, a server error, and an error of a proxy."""
    answers = ("drop", (500, INTERNAL_ERROR), (502, "<html>Bad gateway</html>"), (200, DELIVERED))
    with ScriptedServer(*answers) as server:
        assert run(send, server.url) == Delivered(3, "e", 2, duplicate=False)
    assert len(server.requests) == 4
    assert len({request["body"]["idempotency_key"] for request in server.requests}) == 1


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ((500, {"error_code": "ASF_CONFIG_ERROR_UI_NAMESPACE", "message": "No."}), RequestRejected),
        ((400, {"error_code": "ASF_SENDUI_MISSING_DATA", "message": "No."}), RequestRejected),
        ((200, "not JSON"), ServerUnreachable),
        ((404, "<html>Not found</html>"), ServerUnreachable),
    ],
)
def test_permanent_errors_are_not_retried(answer: tuple[int, object], expected: type[Exception]) -> None:
    """Errors of the request or the server's configuration, and responses that are not ASF's."""
    with ScriptedServer(answer) as server, pytest.raises(expected):
        run(send, server.url)
    assert len(server.requests) == 1


def test_retries_end() -> None:
    """With the last error, after the configured number of attempts; at once for an address that cannot be one."""
    with ScriptedServer((500, INTERNAL_ERROR)) as server, pytest.raises(RequestRejected) as refusal:
        run(send, server.url, retries=2)
    assert (refusal.value.status, refusal.value.attempt) == (500, 3)
    for address in ("http://127.0.0.1:9", "nonsense", "http://"):
        with pytest.raises(ServerUnreachable, match="No ASF server responded"):
            run(send, address, retries=1)


def test_a_deletion_whose_response_was_lost_has_succeeded() -> None:
    """Not found means deleted by an earlier attempt; at the first attempt it is an error."""
    not_found = (404, {"error_code": "ASF_STREAM_NOT_FOUND", "message": "No."})
    with ScriptedServer("drop", not_found) as server:
        run(lambda backend: backend.delete_stream("a/b c"), server.url)
        with pytest.raises(RequestRejected):
            run(lambda backend: backend.delete_stream("a"), server.url)
    assert server.requests[0]["path"] == "/asf/internal/streams/a%2Fb%20c"


def test_the_token_is_sent_with_every_request() -> None:
    """Without a token nothing is sent."""
    with ScriptedServer((200, DELIVERED)) as server:
        run(send, server.url, token="t0k.en")  # noqa: S106
        run(send, server.url)
    assert server.requests[0]["headers"]["Authorization"] == "Bearer t0k.en"
    assert "Authorization" not in server.requests[1]["headers"]


def test_the_catalog_and_updates(start_server: StartServer) -> None:
    """Announce, list in pages, get, delete; a batch has a result for each of its updates."""
    server = start_server()
    path = server.audio_root / "x.mp3"

    async def work(backend: AsyncBackendClient) -> None:
        announced = await backend.notify_new_audio("s/0 ü", path, "generating", "audio/aac", {"n": 0})
        assert announced == Announced("s/0 ü", "generating", announced.epoch)
        for number in range(1, 5):
            await backend.notify_new_audio(f"s/{number}", path)
        streams = [stream.stream_id async for stream in backend.streams(page_size=3)]
        assert sorted(streams) == ["s/0 ü", *(f"s/{n}" for n in range(1, 5))]
        stream = await backend.stream("s/0 ü")
        assert stream == Stream(
            "s/0 ü", "generating", announced.epoch, str(path), "audio/aac", {"n": 0}, None, stream.announced_at
        )
        await backend.delete_stream("s/0 ü")
        with pytest.raises(RequestRejected) as refusal:
            await backend.stream("s/0 ü")
        assert refusal.value.error_code == "ASF_STREAM_NOT_FOUND"
        results = await backend.send_ui_updates([UiUpdate("b", "progress", 1), UiUpdate("b", "connect", 2)])
        assert isinstance(results[0], Delivered)
        assert isinstance(results[1], RequestRejected)
        assert await backend.send_ui_updates([]) == []

    run(work, server.url)


def test_cues_are_added_in_batches_for_one_epoch() -> None:
    """Those without an id get one, so that a batch that is retried adds them once."""
    answers = (
        (200, {"accepted": 1000, "total": 1000, "epoch": "e"}),
        "drop",
        (200, {"accepted": 1, "total": 1001, "epoch": "e"}),
    )
    cues = [{"start": number, "text": "word"} for number in range(1001)]
    with ScriptedServer(*answers) as server:
        assert run(lambda backend: backend.add_cues("a/b", cues), server.url) == CuesAdded(1001, 1001, "e")
        assert run(lambda backend: backend.add_cues("a/b", []), server.url) is None
    assert {request["path"] for request in server.requests} == {"/asf/internal/streams/a%2Fb/cues"}
    assert [request["body"]["epoch"] for request in server.requests] == [None, "e", "e"]
    first, lost, retried = (request["body"]["cues"] for request in server.requests)
    assert lost == retried
    assert len({cue["id"] for cue in first + lost}) == 1001


def test_audio_in_a_file_is_delivered_while_it_is_written(start_server: StartServer) -> None:
    """As with the blocking client: an earlier file is replaced, the end announced with its size."""
    server = start_server({"ASF_STREAM_SLEEP_INTERVAL": "0"})
    audio, path = audio_of(20_000), server.audio_root / "new" / "s.mp3"
    path.parent.mkdir()
    path.write_bytes(b"earlier")

    async def work(backend: AsyncBackendClient) -> None:
        listener = PlainListener(server.url, "s", wait="true")
        async with backend.generating("s", path, content_type="audio/aac", metadata={"title": "T"}) as growing:
            assert await growing.write(audio[:5000]) == 5000
            await asyncio.to_thread(listener.receive_until_bytes, 5000)
            await growing.write(audio[5000:])
            assert growing.tell() == growing.total_bytes == len(audio)
        assert await asyncio.to_thread(listener.receive_to_the_end) == 1000
        assert listener.audio == path.read_bytes() == audio
        stream = await backend.stream("s")
        assert (stream.state, stream.content_type, stream.metadata) == ("complete", "audio/aac", {"title": "T"})

    run(work, server.url)
    assert [one.name for one in path.parent.iterdir()] == ["s.mp3"]


def test_an_exception_fails_the_stream_of_a_file(server: ServerProcess) -> None:
    """A file outside the audio roots is rejected, and kept."""

    async def fail(backend: AsyncBackendClient) -> None:
        async with backend.generating("t", server.audio_root / "t.mp3") as growing:
            await growing.write(b"beginning")
            raise RuntimeError("no voice")

    with pytest.raises(RuntimeError, match="no voice"):
        run(fail, server.url)
    stream = run(lambda backend: backend.stream("t"), server.url)
    assert (stream.state, stream.reason) == ("failed", "RuntimeError: no voice")
    precious = server.audio_root.parent / "precious.mp3"
    precious.write_bytes(b"precious")

    async def replace(backend: AsyncBackendClient) -> None:
        async with backend.generating("u", precious):
            raise AssertionError

    with pytest.raises(RequestRejected):
        run(replace, server.url)
    assert precious.read_bytes() == b"precious"


def test_only_an_upload_can_be_resumed() -> None:
    """It is an error of the caller."""

    async def resume(backend: Any) -> None:
        backend.generating("s", "/s.mp3", resume=True)

    with pytest.raises(ValueError, match="upload"):
        run(resume, "http://127.0.0.1:9")


def test_without_httpx_the_import_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """The other clients do not need it."""
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    with pytest.raises(ImportError, match=r"pip install 'audio-stream-feeder\[asyncio\]'"):
        importlib.reload(asf.client.aio)
    sources = [module for name, module in sys.modules.items() if name.startswith("asf.client") and ".aio" not in name]
    assert not any("httpx" in vars(module) for module in sources)
