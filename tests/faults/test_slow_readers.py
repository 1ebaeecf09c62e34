"""Listeners that read all the time, but slowly: they are never dropped, and hear everything to its true end."""

import http.client
import json
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from asf.domain.streaming.intake import BYTES_IN_PERIOD
from tests.browser.prerequisites import missing
from tests.support.bounds import PATIENCE_SECONDS
from tests.support.engineio_wire import WireListener
from tests.support.fixtures import StartServer, audio_of
from tests.support.ledger import Ledger
from tests.support.plain_proxies import PlainProxy
from tests.support.plain_websocket import PlainListener
from tests.support.processes import ServerProcess

SLOW_SECONDS = 10.0
"""A third of the default: so who reads three times as fast as those of the long test is as slow. No less, as readers
on a busy machine may stand still for seconds."""

BIT_RATES = (16, 24, 32, 48)
"""In kbit/s, of the long test."""

AUDIO_SECONDS = 420
SHORT_AUDIO_BYTES = 300_000
FAST_START_BYTES = 1_000_000
READ_SECONDS = 600.0
"""A reader is patient: it is the server that may drop it."""

GROWTH_SECONDS = 0.5
GROWTH_SPEED = 1.25
"""How often growing audio grows, and how many times as fast as it is heard."""


@dataclass
class Reader:
    """One listener, which runs in a thread of its own. `heard` is what it has heard, once `ended`; else `failure`."""

    name: str
    listen: Callable[[], bytes]
    expected: bytes
    heard: bytes = b""
    failure: str = ""
    thread: threading.Thread = field(init=False)

    def __post_init__(self) -> None:
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self) -> None:
        try:
            self.heard = self.listen()
        except Exception as error:  # noqa: BLE001 - whatever it is, the test fails with it
            self.failure = f"{type(error).__name__}: {error}"

    @property
    def verdict(self) -> str:
        """What is wrong; nothing if all was heard."""
        if self.failure:
            return f"{self.name}: {self.failure}"
        return "" if self.heard == self.expected else f"{self.name}: {len(self.heard)} of {len(self.expected)}"


class Throttle:
    """Lets so many bytes a second be read, after those of a fast start."""

    def __init__(self, bytes_per_second: float, free_bytes: int = 0) -> None:
        self._rate = bytes_per_second
        self._free = free_bytes
        self._began = 0.0

    def read(self, length: int) -> None:
        """Wait as long as reading so much takes."""
        if self._free > 0:
            self._free -= length
            return
        now = time.monotonic()
        self._began = max(self._began, now) + length / self._rate
        time.sleep(max(0.0, self._began - now))


def read_http(url: str, stream_id: str, throttle: Throttle) -> bytes:
    """Return the body of the stream's URL."""
    address = urlsplit(url)
    host, port = address.hostname or "", address.port
    heard = bytearray()
    with closing(http.client.HTTPConnection(host, port, timeout=READ_SECONDS)) as connection:
        connection.request("GET", f"/api/v1/podcasts/stream/{stream_id}")
        response = connection.getresponse()
        while part := response.read(1000):
            heard += part
            throttle.read(len(part))
    return bytes(heard)


def read_plain(url: str, stream_id: str, throttle: Throttle) -> bytes:
    """Return what a plain WebSocket brings, which must end as it should."""
    with closing(PlainListener(url, stream_id)) as listener:
        listener.socket.settimeout(READ_SECONDS)
        heard = 0
        while listener.close_code is None:
            listener.receive()
            throttle.read(len(listener.audio) - heard)
            heard = len(listener.audio)
    assert listener.close_code == 1000, listener.messages
    assert listener.messages[-1]["event"] == "end_of_stream"
    return bytes(listener.audio)


def read_socketio(url: str, stream_id: str, throttle: Throttle) -> bytes:
    """Return what Socket.IO brings over a WebSocket."""
    with closing(WireListener(url, polling=False)) as listener:
        listener.socket.settimeout(READ_SECONDS)
        listener.emit("join_stream", {"stream_id": stream_id})
        heard = 0
        while not re.search("end_of_stream|stream_error", json.dumps(listener.events)):
            listener.receive()
            throttle.read(len(listener.audio) - heard)
            heard = len(listener.audio)
        return bytes(listener.audio)


class FFmpeg:
    """ffmpeg, which reads as fast as the audio is heard (`-re`) and writes it down as it is."""

    COPY = ("-c", "copy", "-write_xing", "0", "-id3v2_version", "0", "-f", "mp3", "-")

    def __init__(self) -> None:
        path = shutil.which("ffmpeg")
        if path is None:
            missing("ffmpeg", "apt-get install ffmpeg")
        self.path = str(path)

    def make(self, kbit: int, seconds: int) -> bytes:
        """Return a tone as an MP3."""
        tone = ("-f", "lavfi", "-i", f"sine=frequency={200 + kbit}:sample_rate=22050:duration={seconds}")
        coded = ("-ac", "1", "-b:a", f"{kbit}k", "-write_xing", "0", "-id3v2_version", "0", "-f", "mp3", "-")
        return self._run(*tone, *coded)

    def copy(self, audio: bytes) -> bytes:
        """Return what it writes down of the whole audio."""
        return self._run("-i", "pipe:0", *self.COPY, input=audio)

    def read_http(self, url: str, stream_id: str) -> bytes:
        """Return what it writes down of a stream's URL."""
        return self._run("-re", "-i", f"{url}/api/v1/podcasts/stream/{stream_id}", *self.COPY)

    def read_plain(self, url: str, stream_id: str, directory: Path) -> bytes:
        """Return what it writes down of what a plain WebSocket brings, each message when there is room for it."""
        output = directory / f"{time.monotonic_ns()}.mp3"
        with output.open("wb") as file:
            process = subprocess.Popen(
                [self.path, "-nostdin", "-v", "error", "-re", "-i", "pipe:0", *self.COPY],
                stdin=subprocess.PIPE,
                stdout=file,
            )
        assert process.stdin is not None
        listener = PlainListener(url, stream_id)
        listener.socket.settimeout(READ_SECONDS)
        try:
            while listener.close_code is None:
                listener.receive()
                process.stdin.write(listener.audio)
                listener.audio.clear()
            process.stdin.close()
            process.wait()
        finally:
            listener.close()
            process.kill()
            process.wait()
            with suppress(BrokenPipeError):  # of what it did not read any more
                process.stdin.close()
        assert listener.close_code == 1000, listener.messages
        assert listener.messages[-1]["event"] == "end_of_stream"
        return output.read_bytes()

    def _run(self, *arguments: str, input: bytes | None = None) -> bytes:  # noqa: A002 - as in subprocess
        options = [self.path, *(["-nostdin"] if input is None else []), "-v", "error"]
        return subprocess.run([*options, *arguments], input=input, stdout=subprocess.PIPE, check=True).stdout


@pytest.fixture
def grow() -> Iterator[Callable[[ServerProcess, str, bytes, float], None]]:
    """Return a function that announces audio that grows, at so many bytes a second, to its end."""
    threads: list[threading.Thread] = []

    def write(server: ServerProcess, path: Path, audio: bytes, step: int) -> None:
        written = step
        with path.open("ab", buffering=0) as file:
            while written < len(audio):
                time.sleep(GROWTH_SECONDS)  # The rhythm of the growth.
                written += file.write(audio[written : written + step])
        server.notify(path.stem, str(path)).raise_for_status()

    def grow(server: ServerProcess, stream_id: str, audio: bytes, bytes_per_second: float) -> None:
        path = server.audio_root / f"{stream_id}.mp3"
        step = int(bytes_per_second * GROWTH_SECONDS)
        path.write_bytes(audio[:step])
        # Here, as the test goes on with those who ask for it.
        server.notify(stream_id, str(path), state="generating").raise_for_status()
        threads.append(threading.Thread(target=write, args=(server, path, audio, step), daemon=True))
        threads[-1].start()

    yield grow
    for thread in threads:
        thread.join(PATIENCE_SECONDS)


Grow = Callable[[ServerProcess, str, bytes, float], None]


def verdicts(readers: list[Reader]) -> list[str]:
    """Wait for all readers; return what is wrong."""
    for reader in readers:
        reader.thread.join()
    return [reader.verdict for reader in readers if reader.verdict]


def dropped(server: ServerProcess) -> bool:
    """Return whether any listener was dropped as too slow."""
    return server.metric('asf_streams_ended_total{outcome="ASF_LISTENER_TOO_SLOW"}') > 0


@pytest.mark.long
def test_slow_readers_hear_everything(start_server: StartServer, tmp_path: Path, grow: Grow) -> None:
    """At the slowest rate that is promised, and at three times that; from the beginning, and after a fast start."""
    server = start_server({"ASF_SLOW_LISTENER_SECONDS": str(SLOW_SECONDS)})
    proxy = PlainProxy("nginx", tmp_path / "nginx", server.port)
    rate = BYTES_IN_PERIOD / SLOW_SECONDS
    audio = audio_of(SHORT_AUDIO_BYTES)
    long_audio = audio_of(FAST_START_BYTES + SHORT_AUDIO_BYTES)
    server.announce("complete", audio)
    server.announce("long", long_audio)
    grow(server, "growing", audio, GROWTH_SPEED * rate)
    readers: list[Reader] = []

    def start(
        listen: Callable[[str, str, Throttle], bytes], url: str, stream_id: str, speed: float, free: int
    ) -> None:
        throttle = Throttle(speed * rate, free)
        expected = long_audio if stream_id == "long" else audio
        name = f"{listen.__name__} of {stream_id} at {speed * rate:.0f} B/s, {url}"
        readers.append(Reader(name, lambda: listen(url, stream_id, throttle), expected))

    try:
        for stream_id in ("complete", "growing", "long"):
            free = FAST_START_BYTES if stream_id == "long" else 0
            for speed in (1.0, 3.0):
                for url in (server.url, proxy.url):
                    start(read_http, url, stream_id, speed, free)
                for url in (server.url, proxy.websocket_url):
                    start(read_plain, url, stream_id, speed, free)
                    start(read_socketio, url, stream_id, speed, free)
        assert verdicts(readers) == []
    finally:
        proxy.stop()
    assert not dropped(server)


@pytest.mark.soak
def test_ffmpeg_in_real_time(start_server: StartServer, tmp_path: Path, grow: Grow, ledger: Ledger) -> None:
    """Seven minutes of speech, as players of small devices read it."""
    ffmpeg = FFmpeg()
    server = start_server()
    proxy = PlainProxy("nginx", tmp_path / "nginx", server.port)
    readers: list[Reader] = []
    try:
        for kbit in BIT_RATES:
            audio = ffmpeg.make(kbit, AUDIO_SECONDS)
            expected = ffmpeg.copy(audio)
            server.announce(f"complete-{kbit}", audio)
            grow(server, f"growing-{kbit}", audio, GROWTH_SPEED * kbit * 125)
            for stream_id in (f"complete-{kbit}", f"growing-{kbit}"):
                for url in (server.url, proxy.url):
                    http_reader = partial(ffmpeg.read_http, url, stream_id)
                    readers.append(Reader(f"HTTP, {stream_id}, {url}", http_reader, expected))
                for url in (server.url, proxy.websocket_url):
                    plain_reader = partial(ffmpeg.read_plain, url, stream_id, tmp_path)
                    readers.append(Reader(f"plain, {stream_id}, {url}", plain_reader, expected))
            for free in (0, FAST_START_BYTES // 4):
                socketio_reader = partial(read_socketio, server.url, f"complete-{kbit}", Throttle(kbit * 125, free))
                readers.append(Reader(f"Socket.IO, complete-{kbit}, {free} fast", socketio_reader, audio))
        assert verdicts(readers) == []
    finally:
        proxy.stop()
    assert not dropped(server)
    ledger.note(
        "listeners that read at 16 to 48 kbit/s for seven minutes, over HTTP, plain WebSocket and Socket.IO, "
        "directly and through nginx",
        tried=len(readers),
        unit="slow readers",
        must_hold="Nobody is dropped; each hears everything to the true end.",
        lost=0,
        measured=f"{len(readers)} at a time, from complete and growing audio, with the default settings",
    )
