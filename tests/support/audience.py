"""Many light listeners in one process: sockets and asyncio, no client library."""

import asyncio
import base64
import itertools
import json
import os
import re
import socket
import struct
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, Self
from urllib.parse import quote, urlencode

from tests.support.bounds import PATIENCE_SECONDS
from tests.support.engineio_wire import NAMESPACE, SEPARATOR
from tests.support.processes import eventually

SOCKET_IO = "Socket.IO"
POLLING = "polling"
PLAIN = "plain WebSocket"
HTTP = "HTTP"
TRANSPORTS = (SOCKET_IO, POLLING, PLAIN, HTTP)

RETRY_SECONDS = 0.05
"""Pause before a listener that lost its connection comes back."""

FURTHER_PIECES = 5
"""How many pieces more one must hear to have heard on: more than may have been on the way before."""

LONG = {"ASF_STREAM_SLEEP_INTERVAL": "0.05"}
"""Settings with which audio lasts long: what is tried is whether it is heard on, not how fast."""

LONG_BYTES_PER_SECOND = 81_920
"""What a listener is sent then, in chunks of the default size."""

LONG_AUDIO_BYTES = 100 * LONG_BYTES_PER_SECOND
"""Enough for everything that is done meanwhile, on a machine that is as busy as can be."""

HTTP_PIECE_BYTES = 16 * 1024
HTTP_BUFFER_BYTES = 64 * 1024

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
"""Opcodes of RFC 6455, section 5.2."""

FAILURES = (OSError, EOFError, asyncio.TimeoutError)


class LightListener:
    """One listener of a stream, over one of `TRANSPORTS`. It compares what it hears with `audio` as it comes.

    `offset` is the next byte that it wants; `wrong` counts bytes that were others than they should be, or too many.
    When its connection breaks it comes back at `offset` with its epoch, as long as `returns`, and counts that in
    `breaks`. `heard_at` is when it last heard some audio, by the monotonic clock; `longest_gap` is the longest time
    between two pieces of audio, in seconds; `ended` tells that the end was told, `error` is what it was told instead:
    the payload, or for HTTP the body. Over HTTP, which has no pace of its own, it reads `http_bytes_per_second`.
    `buffer_bytes` bounds what kernel and process keep unread of it (default: the kernel's own bound, and 64 KiB).
    `statuses` are those that it was told. One that is `patient` comes back after errors that are `retryable`, too,
    over HTTP after status 503.
    `pieces` counts the pieces of audio that came. `broken_by` has the reason of each break.
    """

    def __init__(
        self,
        port: int,
        stream_id: str,
        audio: bytes,
        transport: str,
        *,
        returns: bool = True,
        http_bytes_per_second: float = 400_000,
        token: str | None = None,
        wait: bool = False,
        patient: bool = False,
        host: str = "127.0.0.1",
        source: Callable[[], socket.socket] | None = None,
        buffer_bytes: int | None = None,
    ) -> None:
        self.port = port
        self.stream_id = stream_id
        self.audio = audio
        self.transport = transport
        self.returns = returns
        self.offset = 0
        self.wrong = 0
        self.breaks = 0
        self.pieces = 0
        self.broken_by: list[str] = []
        self.longest_gap = 0.0
        self.ended = False
        self.error: dict[str, Any] | None = None
        self.statuses: list[str] = []
        self.epoch: str | None = None
        self.etag: str | None = None
        self.done = threading.Event()
        self._http_bytes_per_second = http_bytes_per_second
        self._patient = patient
        self._host = host
        self._make_socket = source
        self._buffer_bytes = buffer_bytes
        self._options = ({} if token is None else {"token": token}) | ({"wait": True} if wait else {})
        self._cookies: list[str] = []
        self._requests = itertools.count()
        self._leap: int | None = None
        self.heard_at: float | None = None
        self._writer: asyncio.StreamWriter | None = None

    def __repr__(self) -> str:
        told = "ended" if self.ended else self.error or ("gave up" if self.done.is_set() else "listens")
        return f"<{self.transport} at {self.offset} of {len(self.audio)}, broken by {self.broken_by}, {told}>"

    @property
    def lost(self) -> int:
        """Bytes of the audio that are missing, and bytes that were wrong."""
        return len(self.audio) - self.offset + self.wrong

    @property
    def hears(self) -> bool:
        """Whether some audio came."""
        return self.offset > 0

    def reset(self) -> None:
        """Break the connection off at once, with a TCP reset."""
        if self._writer is not None:
            connection = self._writer.get_extra_info("socket")
            with suppress(OSError):
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self._writer.transport.abort()

    def leap(self, left: int) -> None:
        """Go on where so many bytes are left, on a new connection, which is no break. No further back, though."""
        if not self.done.is_set() and self._writer is not None:
            self._leap = len(self.audio) - left
            if self.transport != POLLING:  # Which says goodbye, or its session would linger.
                self._writer.transport.abort()

    async def run(self) -> None:
        """Listen, until the end or an error is told, or the connection breaks and it does not return."""
        listen = {SOCKET_IO: self._socketio, POLLING: self._polling, PLAIN: self._plain, HTTP: self._http}
        try:
            while not self.ended and self.error is None:
                self._take_leap()
                try:
                    await listen[self.transport]()
                    self._forgive()
                except FAILURES as failure:
                    if self._leap is not None:
                        continue
                    self.breaks += 1
                    self.broken_by.append(f"{failure!r} at byte {self.offset}")
                    if not self.returns:
                        break
                    await asyncio.sleep(RETRY_SECONDS)
                finally:
                    if self._writer is not None:
                        self._writer.close()
        finally:
            self.done.set()

    def _take_leap(self) -> None:
        if self._leap is not None:
            self.offset, self._leap = max(self.offset, self._leap), None

    def _forgive(self) -> None:
        """Come back after an error that may be gone the next time, if it is patient."""
        if self._patient and self.error is not None and self.error.get("retryable"):
            self.error = None
            raise EOFError

    # What it hears.

    def _hear(self, data: bytes | memoryview) -> None:
        self.pieces += 1
        now = time.monotonic()
        if self.heard_at is not None:
            self.longest_gap = max(self.longest_gap, now - self.heard_at)
        self.heard_at = now
        expected = self.audio[self.offset : self.offset + len(data)]
        if data != expected:
            self.wrong += len(data) - len(expected)
            self.wrong += sum(one != other for one, other in zip(data, expected, strict=False))
        self.offset += len(expected)

    def _take(self, name: str, payload: Any) -> None:
        match name, payload:
            case "audio_control", {"event": "start_of_stream", "epoch": epoch, "offset": offset}:
                self.epoch = epoch
                self.wrong += abs(offset - self.offset)
            case "audio_control", {"event": "end_of_stream"}:
                self.ended = True
            case "stream_status", {"status": status}:
                self.statuses.append(status)
            case "stream_error" | "error", _:
                self.error = payload

    def _join_fields(self) -> dict[str, Any]:
        return {"offset": self.offset} | ({} if self.epoch is None else {"epoch": self.epoch}) | self._options

    # Socket.IO.

    async def _socketio(self) -> None:
        reader = await self._open_websocket("/socket.io/?EIO=4&transport=websocket")
        async for opcode, data in _frames(reader):
            if opcode == BINARY:
                self._hear(data)
            elif opcode == CLOSE:
                raise EOFError
            elif opcode == TEXT:
                for answer in self._answers_to(bytes(data).decode()):
                    self._send_frame(TEXT, answer.encode())
            if self.ended or self.error is not None:
                return

    async def _polling(self) -> None:
        reader = await self._open()
        path = "/socket.io/?EIO=4&transport=polling"
        self._cookies.clear()
        opening = json.loads((await self._request(reader, "GET", path)).decode()[1:])
        path += f"&sid={opening['sid']}"
        await self._request(reader, "POST", path, f"40{NAMESPACE},")
        while not self.ended and self.error is None:
            answers: list[str] = []
            for packet in (await self._request(reader, "GET", path)).decode().split(SEPARATOR):
                if packet.startswith("b"):
                    self._hear(base64.b64decode(packet[1:]))
                else:
                    answers += self._answers_to(packet)
            if answers:
                await self._request(reader, "POST", path, SEPARATOR.join(answers))
            if self._leap is not None and not self.ended:
                await self._request(reader, "POST", path, "1")
                raise EOFError

    def _answers_to(self, packet: str) -> Iterable[str]:
        """Take an Engine.IO packet, and return the packets to send now."""
        if packet.startswith("451-"):
            return []
        if packet == "2":
            return ["3"]
        if packet == "1":
            raise EOFError
        if packet.startswith("0"):
            return [f"40{NAMESPACE},"]
        if packet.startswith(f"42{NAMESPACE},"):
            name, *payload = json.loads(packet.removeprefix(f"42{NAMESPACE},"))
            self._take(name, payload[0] if payload else None)
            if name == "connection_ack":
                join = ["join_stream", {"stream_id": self.stream_id} | self._join_fields()]
                return [f"42{NAMESPACE},{json.dumps(join)}"]
        return []

    # The stream by its URL.

    @property
    def _path(self) -> str:
        return f"/api/v1/podcasts/stream/{quote(self.stream_id, safe='')}"

    async def _plain(self) -> None:
        reader = await self._open_websocket(f"{self._path}?{urlencode(self._join_fields())}")
        async for opcode, data in _frames(reader):
            if opcode == BINARY:
                self._hear(data)
            elif opcode == PING:
                self._send_frame(PONG, bytes(data))
            elif opcode == CLOSE:
                raise EOFError
            elif opcode == TEXT:
                message = json.loads(bytes(data))
                control = message["event"] in {"start_of_stream", "end_of_stream"}
                self._take("audio_control" if control else message["event"], message)
            if self.ended or self.error is not None:
                return

    async def _http(self) -> None:
        reader = await self._open(HTTP_BUFFER_BYTES)
        headers = f"Range: bytes={self.offset}-\r\n" if self.offset else ""
        if self.offset and self.etag:
            headers += f"If-Range: {self.etag}\r\n"
        if "token" in self._options:
            headers += f"Authorization: Bearer {self._options['token']}\r\n"
        self._write(f"GET {self._path} HTTP/1.1\r\nHost: asf\r\nConnection: close\r\n{headers}\r\n".encode())
        status, fields = await _read_head(reader)
        if status not in {200, 206}:
            if status == 503 and self._patient:
                raise EOFError
            self.error = json.loads(await reader.readexactly(int(fields["content-length"])))
            return
        self.etag = fields.get("etag")
        begins = int(fields["content-range"].split()[1].split("-")[0]) if status == 206 else 0
        self.wrong += abs(begins - self.offset)
        left = int(fields["content-length"])
        while left:
            data = await asyncio.wait_for(reader.read(min(left, HTTP_PIECE_BYTES)), PATIENCE_SECONDS)
            if not data:
                raise EOFError
            self._hear(data)
            left -= len(data)
            await asyncio.sleep(len(data) / self._http_bytes_per_second)
        self.ended = True

    # Connections.

    async def _open(self, buffer_bytes: int | None = None) -> asyncio.StreamReader:
        buffer_bytes = buffer_bytes or self._buffer_bytes
        connection = socket.socket() if self._make_socket is None else self._make_socket()
        if buffer_bytes is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer_bytes)
        connection.setblocking(False)  # noqa: FBT003
        try:
            await asyncio.wait_for(
                asyncio.get_running_loop().sock_connect(connection, (self._host, self.port)), PATIENCE_SECONDS
            )
        except BaseException:
            connection.close()
            raise
        limit = 64 * 1024 if buffer_bytes is None else buffer_bytes
        reader, self._writer = await asyncio.open_connection(sock=connection, limit=limit)
        return reader

    async def _open_websocket(self, path: str) -> asyncio.StreamReader:
        reader = await self._open()
        self._write(
            f"GET {path} HTTP/1.1\r\nHost: asf\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
        )
        status, _ = await _read_head(reader)
        if status != 101:
            raise EOFError
        return reader

    async def _request(self, reader: asyncio.StreamReader, method: str, path: str, body: str = "") -> bytes:
        cookies = f"Cookie: {'; '.join(self._cookies)}\r\n" if self._cookies else ""
        # As all clients do, so that a repeated request can be told from the next one.
        path += f"&t={next(self._requests)}"
        head = f"{method} {path} HTTP/1.1\r\nHost: asf\r\n{cookies}Content-Length: {len(body.encode())}\r\n\r\n"
        self._write(head.encode() + body.encode())
        status, fields = await _read_head(reader)
        answer = await asyncio.wait_for(reader.readexactly(int(fields["content-length"])), PATIENCE_SECONDS)
        if status != 200:
            raise EOFError(f"{method}: {status} {answer[:200]!r}")
        if "set-cookie" in fields:  # A proxy tells which node has the session.
            self._cookies.append(fields["set-cookie"].partition(";")[0])
        return answer

    def _send_frame(self, opcode: int, payload: bytes) -> None:
        mask = os.urandom(4)
        masked = bytes(byte ^ mask[place % 4] for place, byte in enumerate(payload))
        length = len(payload)
        size = bytes((0x80 | length,)) if length < 126 else struct.pack("!BH", 0x80 | 126, length)
        self._write(bytes((0x80 | opcode,)) + size + mask + masked)

    def _write(self, data: bytes) -> None:
        assert self._writer is not None
        self._writer.write(data)


class Audience:
    """Runs listeners, in an event loop of its own, beside the test."""

    def __init__(self) -> None:
        self.listeners: list[LightListener] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._tasks: list[asyncio.Task[None]] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        asyncio.run_coroutine_threadsafe(self._cancel(), self._loop).result(PATIENCE_SECONDS)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def join(self, *listeners: LightListener) -> Sequence[LightListener]:
        """Let listeners begin. Returns them."""
        self.listeners += listeners
        self._loop.call_soon_threadsafe(self._begin, listeners)
        return listeners

    def wait_until(self, condition: Callable[[LightListener], object], seconds: float = PATIENCE_SECONDS) -> None:
        """Wait until the condition holds for every listener that has come. `seconds` are for each one more."""
        _wait_for_each(self.listeners, condition, seconds)

    def wait_for_all(self, seconds: float = PATIENCE_SECONDS) -> None:
        """Wait until all listeners are done. Fails where none of them hears anything more for so many seconds."""
        while left := [listener for listener in self.listeners if not listener.done.is_set()]:
            heard = sum(listener.pieces for listener in self.listeners)

            def goes_on(left: Sequence[LightListener] = left, heard: int = heard) -> bool:
                is_done = all(listener.done.is_set() for listener in left)
                return is_done or sum(listener.pieces for listener in self.listeners) > heard

            try:
                eventually(goes_on, seconds)
            except AssertionError:
                raise AssertionError(f"Silence: {left}") from None

    def hear_on(self, listeners: Sequence[LightListener] = ()) -> None:
        """See that these, or all, hear `FURTHER_PIECES` more from now on: what is being done does not keep them."""
        listeners = listeners or self.listeners
        assert not any(listener.done.is_set() for listener in listeners), "The audio is too short to hear on"
        goals = {listener: listener.pieces + FURTHER_PIECES for listener in listeners}
        _wait_for_each(listeners, lambda listener: listener.pieces >= goals[listener] or listener.ended)

    def leap(self, listeners: Sequence[LightListener] = (), left: int = 50_000) -> None:
        """Let these, or all, go on near the end: long audio has done its service when the harm is over."""
        self._run(*(partial(listener.leap, left) for listener in listeners or self.listeners))

    def reset(self, listeners: Sequence[LightListener]) -> None:
        """Cut the connections of `listeners`, all in one moment."""
        self._run(*(listener.reset for listener in listeners))

    def _run(self, *actions: Callable[[], object]) -> None:
        """Do something in the loop, all in one turn, and wait until it is done."""
        done = threading.Event()

        def act() -> None:
            for action in actions:
                action()
            done.set()

        self._loop.call_soon_threadsafe(act)
        assert done.wait(PATIENCE_SECONDS)

    def _begin(self, listeners: Sequence[LightListener]) -> None:
        self._tasks += [self._loop.create_task(listener.run()) for listener in listeners]

    async def _cancel(self) -> None:
        while left := [task for task in self._tasks if not task.done()]:
            for task in left:  # One whose `wait_for` ends at that moment does not hear of it, and goes on.
                task.cancel()
            await asyncio.wait(left, timeout=0.1)
        outcomes = await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.sleep(0)  # Transports are closed in the next turn of the loop.
        for outcome in outcomes:
            if isinstance(outcome, Exception):
                raise outcome


def _wait_for_each(
    listeners: Sequence[LightListener],
    condition: Callable[[LightListener], object],
    seconds: float = PATIENCE_SECONDS,
) -> None:
    """Wait until the condition holds for all. Fails where for so many seconds it holds for no more than before."""
    count = sum(map(bool, map(condition, listeners)))
    while count < len(listeners):
        before = count

        def is_more(before: int = before) -> int:
            now = sum(map(bool, map(condition, listeners)))
            return now if now > before else 0

        try:
            count = eventually(is_more, seconds)
        except AssertionError:
            left = [listener for listener in listeners if not condition(listener)]
            raise AssertionError(f"Nothing new after {seconds} seconds: {left}") from None


def one_of_each(
    port: int, stream_id: str, audio: bytes, *, each: int = 1, token: str | None = None
) -> list[LightListener]:
    """Return listeners of every transport, at the pace of `LONG`."""
    return [
        LightListener(port, stream_id, audio, transport, http_bytes_per_second=LONG_BYTES_PER_SECOND, token=token)
        for transport in TRANSPORTS
        for _ in range(each)
    ]


def disturbed(listeners: Iterable[LightListener]) -> list[LightListener]:
    """Return those of these listeners that did not hear all on one connection: to be compared with none."""
    return [listener for listener in listeners if not listener.ended or listener.breaks]


def lost_bytes(listeners: Iterable[LightListener]) -> int:
    """Return how many bytes these listeners lack, or have wrong, together."""
    return sum(listener.lost for listener in listeners)


def longest_gap(listeners: Iterable[LightListener]) -> float:
    """Return the longest time in which one of these listeners heard nothing, in seconds."""
    return max(listener.longest_gap for listener in listeners)


async def _read_head(reader: asyncio.StreamReader) -> tuple[int, dict[str, str]]:
    """Return the status, and the header fields by their names in small letters."""
    try:
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), PATIENCE_SECONDS)
    except asyncio.LimitOverrunError as error:
        raise EOFError from error
    lines = head.decode("latin-1").split("\r\n")
    match = re.match(r"HTTP/1\.[01] (\d{3})", lines[0])
    assert match is not None, lines[0]
    fields = (line.split(":", 1) for line in lines[1:] if ":" in line)
    return int(match[1]), {name.strip().lower(): value.strip() for name, value in fields}


async def _frames(reader: asyncio.StreamReader) -> AsyncIterator[tuple[int, memoryview]]:
    """Yield opcode and payload of each frame: from a server they come unmasked, and here never in fragments."""
    buffer = bytearray()
    while True:
        data = await asyncio.wait_for(reader.read(64 * 1024), PATIENCE_SECONDS)
        if not data:
            raise EOFError
        whole = bytes(buffer + data)
        view = memoryview(whole)
        start = 0
        while (head := _frame_head(whole, start)) is not None:
            opcode, begin, end = head
            if end > len(whole):
                break
            yield opcode, view[begin:end]
            start = end
        buffer = bytearray(view[start:])


def _frame_head(data: bytes, start: int) -> tuple[int, int, int] | None:
    """Return opcode, and begin and end of the payload, of the frame at `start`; None where its head is not whole."""
    if len(data) < start + 2:
        return None
    opcode, length = data[start] & 0x0F, data[start + 1] & 0x7F
    begin = start + {126: 4, 127: 10}.get(length, 2)
    if len(data) < begin:
        return None
    if length >= 126:
        length = int.from_bytes(data[start + 2 : begin], "big")
    return opcode, begin, begin + length
