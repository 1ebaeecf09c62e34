"""The Python clients that upload: over connections that break, against the real server, heard meanwhile."""

import asyncio
import random
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import accumulate
from pathlib import Path
from typing import Any

import pytest
import requests

from asf.client import BackendClient, RequestRejected, ServerUnreachable, upload_calls, upload_state
from asf.client.aio import AsyncBackendClient
from asf.client.upload_state import MAX_RETAINED_BYTES
from tests.support.black_hole import BlackHole
from tests.support.bounds import PATIENCE_SECONDS
from tests.support.cutting_proxy import PIECE_BYTES, CuttingProxy
from tests.support.fixtures import StartServer, audio_of
from tests.support.mortal_server import MortalServer
from tests.support.plain_websocket import PlainListener
from tests.support.processes import ServerProcess, eventually
from tests.support.uploader import Sender, offset_of, put

FAST = {"ASF_STREAM_SLEEP_INTERVAL": "0"}
AUDIO = audio_of(700_001)


def pieces_of(audio: bytes, seed: int, longest: int = 40_000) -> list[bytes]:
    """Divide audio into pieces of different lengths."""
    source, pieces, start = random.Random(seed), [], 0
    while start < len(audio):
        length = source.randint(1, longest)
        pieces.append(audio[start : start + length])
        start += length
    return pieces


@contextmanager
def unreliable(server: ServerProcess, seed: int, *, towards_server: bool = True) -> Iterator[CuttingProxy]:
    """Yield a proxy that cuts a connection every few kilobytes."""
    source = random.Random(seed)
    lengths = iter(lambda: source.choice([0, 1, 700, 20_000, 90_000, 200_000]), None)
    proxy = CuttingProxy(server.port, accumulate(lengths, initial=1000), towards_server=towards_server)
    try:
        yield proxy
    finally:
        proxy.close()


class BlockingProgram:
    """A program that uploads by `BackendClient`, with the methods of the other one to be called from a test."""

    def __init__(self, url: str, stream_id: str, **options: Any) -> None:
        self._backend = BackendClient(url, retries=2)
        self._block = self._backend.generating(stream_id, **options)
        self.audio: Any = self._block.__enter__()

    def write(self, audio: bytes) -> int:
        """Write a piece."""
        return int(self.audio.write(audio))

    def leave(self, error: BaseException | None = None) -> None:
        """Leave the block, by the error if there is one, which the caller gets."""
        try:
            if error is None:
                self._block.__exit__(None, None, None)
            else:
                assert not self._block.__exit__(type(error), error, None)
                raise error
        finally:
            self._backend.close()


class TaskProgram:
    """The same by `AsyncBackendClient`, on an event loop in a thread."""

    def __init__(self, url: str, stream_id: str, **options: Any) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._backend = self._wait(self._client(url))
        self._block = self._backend.generating(stream_id, **options)
        try:
            self.audio: Any = self._wait(self._block.__aenter__())
        except BaseException:
            self._stop()
            raise

    def write(self, audio: bytes) -> int:
        """Write a piece."""
        return int(self._wait(self.audio.write(audio)))

    def leave(self, error: BaseException | None = None) -> None:
        """Leave the block, by the error if there is one, which the caller gets."""
        try:
            if error is None:
                self._wait(self._block.__aexit__(None, None, None))
            else:
                assert not self._wait(self._block.__aexit__(type(error), error, None))
                raise error
        finally:
            self._stop()

    def _stop(self) -> None:
        self._wait(self._backend.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _wait(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENCE_SECONDS)

    @staticmethod
    async def _client(url: str) -> AsyncBackendClient:
        return AsyncBackendClient(url, retries=2)


Program = type[BlockingProgram] | type[TaskProgram]
both = pytest.mark.parametrize("program", [BlockingProgram, TaskProgram], ids=["blocking", "asyncio"])


@both
def test_each_piece_is_heard_before_the_next_one_is_written(start_server: StartServer, program: Program) -> None:
    """With what was announced of the stream; then it is complete."""
    server = start_server(FAST)
    listener = PlainListener(server.url, "s", wait="true")
    uploading = program(server.url, "s", content_type="audio/aac", metadata={"title": "T"})
    assert listener.receive_until("start_of_stream")["metadata"] == {"title": "T"}
    for start in range(0, len(AUDIO), 100_000):
        piece = AUDIO[start : start + 100_000]
        assert uploading.write(piece) == len(piece)
        listener.receive_until_bytes(start + len(piece))
    assert uploading.audio.tell() == uploading.audio.total_bytes == len(AUDIO)
    uploading.leave()
    assert listener.receive_to_the_end() == 1000
    assert listener.audio == AUDIO
    with pytest.raises(ValueError, match="closed"):
        uploading.audio.write(b"more") if program is BlockingProgram else asyncio.run(uploading.audio.write(b"more"))
    with BackendClient(server.url) as backend:
        stream = backend.stream("s")
    assert (stream.state, stream.content_type, stream.metadata) == ("complete", "audio/aac", {"title": "T"})
    assert (uploading.audio.stream_id, uploading.audio.epoch) == ("s", stream.epoch)


@both
def test_long_metadata_is_announced(start_server: StartServer, program: Program) -> None:
    """What servers and proxies do not accept in a query comes right after it."""
    server = start_server(FAST)
    metadata = {"title": "Ü" * 2700}
    uploading = program(server.url, "s", content_type="audio/aac", metadata=metadata)
    uploading.write(AUDIO[:1000])
    uploading.leave()
    with BackendClient(server.url) as backend:
        stream = backend.stream("s")
    assert (stream.state, stream.metadata) == ("complete", metadata)


@both
@pytest.mark.parametrize("seed", [1, 2])
def test_connections_that_break_anywhere_lose_nothing(start_server: StartServer, program: Program, seed: int) -> None:
    """The listener receives every byte once, in order; the stream keeps its epoch."""
    server = start_server(FAST)
    listener = PlainListener(server.url, "s", wait="true")
    with unreliable(server, seed) as proxy:
        uploading = program(proxy.url, "s", content_type="audio/aac")
        for piece in pieces_of(AUDIO, seed):
            uploading.write(piece)
        uploading.leave()
    assert proxy.cuts_made > 3
    assert listener.receive_to_the_end() == 1000
    assert listener.audio == AUDIO
    (start,) = [one for one in listener.messages if one["event"] == "start_of_stream"]
    assert (start["epoch"], start["content_type"]) == (uploading.audio.epoch, "audio/aac")


@both
def test_responses_that_are_lost_are_asked_for_again(start_server: StartServer, program: Program) -> None:
    """That to the end, too: it is complete, although nobody has said so."""
    server = start_server(FAST)
    with unreliable(server, 3, towards_server=False) as proxy:
        uploading = program(proxy.url, "s")
        uploading.write(AUDIO[:100_000])
        proxy.cut()
        uploading.write(AUDIO[100_000:])
        uploading.leave()
    assert requests.get(server.stream_url("s"), timeout=PATIENCE_SECONDS).content == AUDIO


@both
def test_a_server_that_is_killed_continues_where_it_was(tmp_path: Path, program: Program) -> None:
    """At another time and in another process, with the same database."""
    with MortalServer(tmp_path, FAST) as mortal:
        uploading = program(mortal.process.url, "s")
        uploading.write(AUDIO[:100_000])
        eventually(lambda: offset_of(mortal.process.url, "s") == 100_000)
        mortal.kill_and_restart()
        for piece in pieces_of(AUDIO[100_000:], 1):
            uploading.write(piece)
        uploading.leave()
        assert requests.get(mortal.process.stream_url("s"), timeout=PATIENCE_SECONDS).content == AUDIO


@both
def test_a_connection_that_goes_silent_is_replaced(
    start_server: StartServer, monkeypatch: pytest.MonkeyPatch, program: Program
) -> None:
    """Although neither side hears of its end, and nothing more is written."""
    for name in ("CHECK_SECONDS", "QUICK_CHECK_SECONDS", "STUCK_SECONDS"):
        monkeypatch.setattr(upload_state, name, 0.2)
    monkeypatch.setattr(upload_calls, "ASK_SECONDS", 1.0)
    server = start_server(FAST)
    proxy = BlackHole(server.port)
    listener = PlainListener(server.url, "s", wait="true")
    uploading = program(proxy.url, "s", content_type="audio/aac")
    uploading.write(AUDIO[:1000])
    listener.receive_until_bytes(1000)
    eventually(lambda: uploading.audio.acknowledged == 1000)
    proxy.silence()
    uploading.write(AUDIO[1000:2000])
    listener.receive_until_bytes(2000)
    uploading.write(AUDIO[2000:])
    uploading.leave()
    assert listener.receive_to_the_end() == 1000
    assert listener.audio == AUDIO
    proxy.close()


@both
def test_a_silent_upload_that_is_announced_again_continues(start_server: StartServer, program: Program) -> None:
    """The server has ended its request for the silence, and not the stream."""
    server = start_server(FAST | {"ASF_STALL_GIVE_UP_SECONDS": "3"})  # It is announced far more often.
    uploading = program(server.url, "s")
    uploading.write(AUDIO[:100_000])
    with BackendClient(server.url) as backend:

        def is_request_ended() -> bool:
            assert backend.notify_new_audio("s", None, "generating").epoch == uploading.audio.epoch
            return any("upload ended" in line and "ASF_STREAM_STALLED" in line for line in server.log)

        eventually(is_request_ended)
        uploading.write(AUDIO[100_000:])
        uploading.leave()
        assert backend.stream("s").state == "complete"
    assert requests.get(server.stream_url("s"), timeout=PATIENCE_SECONDS).content == AUDIO


class HeadlessProxy(CuttingProxy):
    """Cuts connections with a HEAD."""

    def _send_on(self, source: socket.socket, target: socket.socket) -> None:
        while (piece := source.recv(PIECE_BYTES)) and not piece.startswith(b"HEAD "):
            target.sendall(piece)


@both
def test_a_server_that_only_receives_is_given_up(
    start_server: StartServer, monkeypatch: pytest.MonkeyPatch, program: Program
) -> None:
    """It takes what is sent, and answers no question: so nobody says that what was sent can be forgotten."""
    monkeypatch.setattr(upload_state, "UNANSWERED_SECONDS", 0.1)
    server = start_server(FAST)
    proxy = HeadlessProxy(server.port, iter([]))
    uploading = program(proxy.url, "s", patience=0.1)
    uploading.write(AUDIO[:1000])
    with pytest.raises(ServerUnreachable):
        uploading.write(audio_of(3 * MAX_RETAINED_BYTES))
    uploading.audio.leave_open()
    with pytest.raises(ServerUnreachable):
        uploading.leave()


@both
def test_an_exception_fails_the_stream(start_server: StartServer, program: Program) -> None:
    """Listeners receive what was written, then the reason; the caller gets the exception."""
    server = start_server(FAST)
    listener = PlainListener(server.url, "s", wait="true")
    uploading = program(server.url, "s")
    uploading.write(AUDIO)
    with pytest.raises(RuntimeError, match="no voice"):
        uploading.leave(RuntimeError("no voice"))
    assert listener.receive_to_the_end() == 4410
    assert listener.audio == AUDIO
    assert listener.messages[-1]["details"] == "RuntimeError: no voice"


def test_a_task_that_is_cancelled_fails_its_stream(start_server: StartServer) -> None:
    """As by the end of a request that it served. A second cancellation does not keep that from being announced."""
    server = start_server(FAST)

    async def generate(backend: AsyncBackendClient, is_written: asyncio.Event) -> None:
        async with backend.generating("s") as audio:
            await audio.write(AUDIO)
            is_written.set()
            await asyncio.Event().wait()

    async def run() -> str:
        async with AsyncBackendClient(server.url) as backend:
            is_written = asyncio.Event()
            task = asyncio.create_task(generate(backend, is_written))
            await is_written.wait()
            task.cancel()
            await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        async with AsyncBackendClient(server.url) as backend:
            return str((await backend.stream("s")).reason)

    assert asyncio.run(run()) == "CancelledError"
    assert offset_of(server.url, "s") == len(AUDIO)


@both
def test_an_upload_that_was_left_open_is_resumed(start_server: StartServer, program: Program) -> None:
    """By another program, where the first one has come to, under the same epoch."""
    server = start_server(FAST)
    listener = PlainListener(server.url, "s", wait="true")
    first = program(server.url, "s")
    first.write(AUDIO[:300_000])
    first.audio.leave_open()
    first.leave()
    second = program(server.url, "s", resume=True)
    assert second.audio.tell() == 300_000
    assert second.audio.epoch == first.audio.epoch
    second.write(AUDIO[300_000:])
    second.leave()
    assert listener.receive_to_the_end() == 1000
    assert listener.audio == AUDIO
    with pytest.raises(RequestRejected) as rejection:
        program(server.url, "s", resume=True)
    assert rejection.value.error_code == "ASF_UPLOAD_COMPLETE"
    with pytest.raises(RequestRejected) as rejection:
        program(server.url, "unknown", resume=True)
    assert rejection.value.error_code == "ASF_STREAM_NOT_FOUND"


@both
def test_an_upload_that_another_program_has_taken_over_ends(start_server: StartServer, program: Program) -> None:
    """With the reason. The stream has not failed: the other program continues it."""
    server = start_server(FAST)
    uploading = program(server.url, "s")
    uploading.write(AUDIO[:1000])
    eventually(lambda: offset_of(server.url, "s") == 1000)
    with Sender(server.port, "s", method="PATCH", headers={"Upload-Offset": "1000"}) as other:
        other.send(AUDIO[1000:100_000])
        eventually(lambda: offset_of(server.url, "s") == 100_000)
        uploading.write(AUDIO[1000:2000])
        with pytest.raises(RequestRejected) as rejection:
            uploading.leave()
        assert rejection.value.error_code == "ASF_UPLOAD_TAKEN_OVER"
        other.send(AUDIO[100_000:])
        assert other.end().status == 200
    assert requests.get(server.stream_url("s"), timeout=PATIENCE_SECONDS).content == AUDIO


@both
def test_an_upload_that_another_one_has_replaced_ends(start_server: StartServer, program: Program) -> None:
    """And what is written raises that at last."""
    server = start_server(FAST)
    uploading = program(server.url, "s")
    uploading.write(AUDIO[:1000])
    eventually(lambda: offset_of(server.url, "s") == 1000)
    put(server.url, "s", b"other")

    def is_rejected() -> bool:
        try:
            uploading.write(b"x")
        except RequestRejected as error:
            assert error.error_code in {"ASF_EPOCH_CHANGED", "ASF_PRECONDITION_FAILED"}  # noqa: PT017 - the condition
            return True
        return False

    eventually(is_rejected)
    with pytest.raises(RequestRejected):
        uploading.leave()
    assert requests.get(server.stream_url("s"), timeout=PATIENCE_SECONDS).content == b"other"


@both
def test_an_upload_that_is_too_large_fails(start_server: StartServer, program: Program) -> None:
    """With the server's code, wherever the limit is met."""
    server = start_server(FAST | {"ASF_UPLOAD_MAX_BYTES": "100000"})
    uploading = program(server.url, "s")
    uploading.write(AUDIO)
    with pytest.raises(RequestRejected) as rejection:
        uploading.leave()
    assert rejection.value.error_code == "ASF_UPLOAD_TOO_LARGE"
    with BackendClient(server.url) as backend:
        assert backend.stream("s").state == "failed"


@both
def test_an_upload_that_cannot_start(start_server: StartServer, program: Program) -> None:
    """It raises why, before anything is generated."""
    server = start_server(FAST)
    with pytest.raises(RequestRejected) as rejection:
        program(server.url, "s/audio")
    assert rejection.value.error_code == "ASF_NOTIFY_INVALID_STREAM_ID"
    with pytest.raises(ServerUnreachable):
        program("http://127.0.0.1:9", "s")


@both
def test_a_server_that_does_not_come_back_is_given_up(tmp_path: Path, program: Program) -> None:
    """After the time that the caller allows. The exception says that the failure could not be reported."""
    server = ServerProcess(tmp_path, FAST)
    uploading = program(server.url, "s", patience=0.2)
    uploading.write(b"beginning")
    server.kill()
    with pytest.raises(ServerUnreachable) as lost:
        uploading.leave()
    assert "Could not report to ASF" in lost.value.__notes__[0]


@both
def test_no_more_is_kept_than_is_allowed(start_server: StartServer, program: Program) -> None:
    """Of audio that is written faster than it is acknowledged. None of it is lost."""
    server = start_server(FAST)
    audio = audio_of(3 * MAX_RETAINED_BYTES)
    uploading = program(server.url, "s")
    for start in range(0, len(audio), 500_000):
        uploading.write(audio[start : start + 500_000])
        assert uploading.audio.total_bytes - uploading.audio.acknowledged <= MAX_RETAINED_BYTES
    uploading.leave()
    assert requests.get(server.stream_url("s"), timeout=PATIENCE_SECONDS).content == audio
