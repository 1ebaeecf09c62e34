"""The audio by its URL while it is generated: real servers, raw requests, and the programs that people use."""

import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest
import requests

from tests.support.bounds import COMMAND_SECONDS, PATIENCE_SECONDS, STREAM_SECONDS
from tests.support.fixtures import StartServer, audio_of
from tests.support.plain_websocket import PlainListener
from tests.support.processes import ServerProcess, eventually
from tests.support.vanishing import vanish

AUDIO = audio_of(300_001)
NUMBERS = count(1)
FAST = {"ASF_STREAM_SLEEP_INTERVAL": "0"}


class Generation:
    """A stream that is being generated, of which `AUDIO` is there."""

    def __init__(self, server: ServerProcess, stream_id: str, audio: bytes = AUDIO, name: str | None = None) -> None:
        self.server = server
        self.path = server.audio_root / (name or f"{stream_id}.mp3")
        self.path.write_bytes(audio)
        self.stream_id = stream_id
        self.url = server.stream_url(stream_id)
        self.epoch = self.notify("generating").json()["epoch"]

    def notify(self, state: str) -> requests.Response:
        answer = self.server.notify(self.stream_id, str(self.path), state=state)
        answer.raise_for_status()
        return answer

    def grow(self, audio: bytes) -> None:
        with self.path.open("ab") as file:
            file.write(audio)

    def get(self, **headers: str) -> requests.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return requests.get(self.url, headers=named, timeout=PATIENCE_SECONDS)


@pytest.fixture
def growing(server: ServerProcess) -> Iterator[Generation]:
    """Return a stream that is being generated until the test ends."""
    generation = Generation(server, f"growing-{next(NUMBERS)}")
    yield generation
    generation.notify("complete")


@pytest.mark.parametrize(
    ("header", "part"),
    [
        ("bytes=0-1", slice(2)),
        ("bytes=5000-", slice(5000, None)),
        ("bytes=-500", slice(-500, None)),
        ("bytes=100-99999999", slice(100, None)),
        ("bytes=300000-", slice(300_000, None)),
    ],
)
def test_ranges_of_what_exists(growing: Generation, header: str, part: slice) -> None:
    """As players probe and seek. The total is unknown, and nothing may be kept; as it grows, there is more."""
    for size in (len(AUDIO), len(AUDIO) + 4):
        answer = growing.get(Range=header)
        existing = (AUDIO + b"more")[:size]
        first, stop, _ = part.indices(size)
        assert (answer.status_code, answer.content) == (206, existing[part])
        assert answer.headers["Content-Range"] == f"bytes {first}-{stop - 1}/*"
        assert answer.headers["Content-Length"] == str(stop - first)
        assert answer.headers["ETag"] == f'W/"{growing.epoch}"'
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["Accept-Ranges"] == "bytes"
        if size == len(AUDIO):
            growing.grow(b"more")


def test_what_cannot_be_answered_with_bytes(growing: Generation) -> None:
    """Beyond what exists, or of other audio than the client has; a HEAD request gets the headers alone."""
    beyond = growing.get(Range=f"bytes={len(AUDIO)}-")
    assert (beyond.status_code, beyond.headers["Content-Range"]) == (416, f"bytes */{len(AUDIO)}")
    assert beyond.headers["Cache-Control"] == "no-store"
    for condition in ('"x"', f'W/"{growing.epoch}"'):
        failed = growing.get(Range="bytes=0-1", If_Match=condition)
        assert (failed.status_code, failed.json()["error_code"]) == (412, "ASF_PRECONDITION_FAILED")
    assert growing.get(If_None_Match=f'W/"{growing.epoch}"').status_code == 304
    same = growing.get(Range="bytes=5-9", If_Range=f'W/"{growing.epoch}"', If_Match="*")
    assert (same.status_code, same.content) == (206, AUDIO[5:10])
    head = requests.head(growing.url, timeout=PATIENCE_SECONDS)
    assert (head.status_code, head.headers["Accept-Ranges"]) == (200, "bytes")
    assert "Content-Length" not in head.headers
    assert head.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("headers", [{}, {"Range": "bytes=0-"}, {"Range": "bytes=7-", "If-Range": '"x"'}])
def test_the_whole_is_followed_to_its_end(server: ServerProcess, headers: dict[str, str]) -> None:
    """Without a range, with the one that asks for everything, and where the client has other audio."""
    generation = Generation(server, f"followed-{len(headers)}")
    with requests.get(generation.url, headers=headers, stream=True, timeout=PATIENCE_SECONDS) as answer:
        assert answer.status_code == 200
        assert "Content-Length" not in answer.headers
        received = b"".join(answer.raw.read(1000, decode_content=False) for _ in range(100))
        generation.grow(b"more")
        generation.notify("complete")
        received += answer.raw.read()
    assert received == AUDIO + b"more"


def fail(generation: Generation) -> None:
    """End it as failed."""
    generation.notify("failed")


def delete(generation: Generation) -> None:
    """Delete the stream."""
    url = f"{generation.server.url}/asf/internal/streams/{generation.stream_id}"
    assert requests.delete(url, timeout=PATIENCE_SECONDS).status_code == 200


def wait(generation: Generation) -> None:
    """Write nothing until it is given up."""
    assert generation.epoch


@pytest.mark.parametrize(
    ("end", "status", "error_code"),
    [
        (fail, 410, "ASF_GENERATION_FAILED"),
        (delete, 404, "ASF_STREAM_NOT_FOUND"),
        (wait, 504, "ASF_STREAM_STALLED"),
    ],
)
def test_errors_before_the_first_byte_are_json(
    start_server: StartServer, end: Callable[[Generation], None], status: int, error_code: str
) -> None:
    """A client that waits for audio of which nothing is ever written."""
    server = start_server(FAST | {"ASF_STALL_GIVE_UP_SECONDS": "1" if end is wait else "60"})
    generation = Generation(server, "s", b"")
    answers: list[requests.Response] = []
    waiting = threading.Thread(target=lambda: answers.append(generation.get()), daemon=True)
    waiting.start()
    eventually(lambda: "asf_joins_total 1.0" in server.metrics())
    end(generation)
    waiting.join(PATIENCE_SECONDS)
    assert [(answer.status_code, answer.json()["error_code"]) for answer in answers] == [(status, error_code)]
    assert answers[0].headers["Cache-Control"] == "no-store"
    assert f'asf_streams_ended_total{{outcome="{error_code}"}} 1.0' in server.metrics()


def test_a_client_that_waits_follows_regenerated_audio(start_server: StartServer) -> None:
    """Nothing of the former audio was sent, so the answer is that of the new one, with its tag."""
    server = start_server(FAST)
    generation = Generation(server, "s", b"")
    answers: list[requests.Response] = []
    waiting = threading.Thread(target=lambda: answers.append(generation.get()), daemon=True)
    waiting.start()
    eventually(lambda: "asf_joins_total 1.0" in server.metrics())
    server.announce("s", AUDIO, "other.mp3")
    waiting.join(PATIENCE_SECONDS)
    assert [(answer.status_code, answer.content) for answer in answers] == [(200, AUDIO)]


def test_short_ranges_need_no_place(start_server: StartServer) -> None:
    """A player probes and reads indexes beside its fetch. What was sent in full counts as complete."""
    server = start_server(FAST | {"ASF_MAX_LISTENERS": "1"})
    audio = audio_of(5_000_000)
    server.announce("s", audio)
    url = server.stream_url("s")
    with requests.get(url, stream=True, timeout=PATIENCE_SECONDS) as fetch:
        assert fetch.raw.read(1000) == audio[:1000]
        for number in range(30):
            header = {"Range": f"bytes={number * 100_000}-{number * 100_000 + 999}"}
            probe = requests.get(url, headers=header, timeout=PATIENCE_SECONDS)
            assert (probe.status_code, len(probe.content)) == (206, 1000)
        long = requests.get(url, headers={"Range": "bytes=0-"}, timeout=PATIENCE_SECONDS)
        assert (long.status_code, long.json()["error_code"]) == (503, "ASF_TOO_MANY_LISTENERS")
        metrics = server.metrics()
        assert "asf_listeners 1.0" in metrics
        assert "asf_joins_total 1.0" in metrics
        assert fetch.raw.read() == audio[1000:]
    for _ in range(2):
        eventually(lambda: "asf_listeners 0.0" in server.metrics())
        answer = requests.get(url, headers={"Range": "bytes=100000-4999999"}, timeout=PATIENCE_SECONDS)
        assert answer.content == audio[100_000:]
    eventually(lambda: 'asf_streams_ended_total{outcome="complete"} 3.0' in server.metrics())
    assert server.metric('asf_streams_ended_total{outcome="left"}') == 0
    sent = len(audio) + 30_000 + 2 * (len(audio) - 100_000)
    line = next(line for line in server.metrics().splitlines() if line.startswith("asf_audio_bytes_sent_total "))
    assert float(line.split()[1]) == sent


def test_a_player_may_pause(start_server: StartServer) -> None:
    """For longer than other listeners may read nothing; then it receives the rest."""
    server = start_server(FAST | {"ASF_SLOW_LISTENER_SECONDS": "0.3", "ASF_HTTP_PAUSE_SECONDS": "3600"})
    audio = audio_of(30_000_000)
    generation = Generation(server, "s", audio)
    with requests.get(generation.url, stream=True, timeout=PATIENCE_SECONDS) as player:
        received = player.raw.read(100_000, decode_content=False)
        eventually(lambda: "asf_listeners_blocked 1.0" in server.metrics())
        stalled = PlainListener(server.url, "s")
        slow = 'asf_streams_ended_total{outcome="ASF_LISTENER_TOO_SLOW"} 1.0'
        eventually(lambda: slow in server.metrics())
        stalled.socket.close()
        generation.notify("complete")
        received += player.raw.read(decode_content=False)
    assert slow in server.metrics()
    assert len(received) == len(audio)
    assert received == audio


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not tell")
def test_a_player_that_vanishes_while_it_pauses_is_missed(start_server: StartServer) -> None:
    """Long before its pause would be over: its machine does not answer whether it has room. It closes nothing."""
    server = start_server(FAST | {"ASF_SLOW_LISTENER_SECONDS": "0.5", "ASF_HTTP_PAUSE_SECONDS": "3600"})
    server.announce("s", audio_of(30_000_000))
    with socket.create_connection(("127.0.0.1", server.port)) as player:
        player.sendall(b"GET /api/v1/podcasts/stream/s HTTP/1.1\r\nHost: localhost\r\n\r\n")
        eventually(lambda: "asf_listeners_blocked 1.0" in server.metrics())
        vanish(player)
        eventually(lambda: "asf_listeners 0.0" in server.metrics())
        assert 'asf_streams_ended_total{outcome="ASF_LISTENER_TOO_SLOW"} 1.0' in server.metrics()


@pytest.mark.parametrize("origins", ["*", "https://app.example"])
def test_isolated_pages_may_embed_the_audio(start_server: StartServer, origins: str) -> None:
    """Those of the allowed origins, which show in `Origin` or `Referer`; errors can be read as well."""
    server = start_server({"ASF_CORS_ALLOWED_ORIGINS": origins})
    server.announce("s", b"audio")
    ours, others = "https://app.example", "https://other.example"
    headers_of_pages = [
        {"Origin": ours},
        {"Referer": f"{ours}/page?a=b"},
        {"Origin": others},
        {"Referer": others},
        {},
    ]
    policies = [
        requests.get(server.stream_url(stream), headers=headers, timeout=PATIENCE_SECONDS).headers[
            "Cross-Origin-Resource-Policy"
        ]
        for stream in ("s", "unknown")
        for headers in headers_of_pages
    ]
    expected = ["cross-origin"] * 5 if origins == "*" else ["cross-origin"] * 2 + ["same-site"] * 3
    assert policies == expected * 2


def run(*command: str | Path) -> subprocess.CompletedProcess[bytes]:
    """Run a program, or skip the test if it is missing."""
    if shutil.which(str(command[0])) is None:
        pytest.skip(f"{command[0]} is not installed")
    return subprocess.run(command, capture_output=True, timeout=COMMAND_SECONDS, check=False)


@pytest.mark.parametrize(
    "command", [("curl", "-sS", "-C", "-", "-o"), ("wget", "-q", "-c", "-O")], ids=lambda command: str(command[0])
)
def test_a_download_is_resumed(growing: Generation, tmp_path: Path, command: tuple[str, ...]) -> None:
    """What is missing is fetched, and again what has been written since; nothing twice."""
    file = tmp_path / "file"
    file.write_bytes(AUDIO[:100_000])
    for audio in (AUDIO, AUDIO + b"more"):
        result = run(*command, file, growing.url)
        assert result.returncode == 0, result.stderr
        assert file.read_bytes() == audio
        if audio is AUDIO:
            growing.grow(b"more")


def test_curl_fetches_ranges(growing: Generation) -> None:
    """The first bytes, the last ones, and some in between."""
    for header, part in (("0-1", slice(2)), ("-500", slice(-500, None)), ("5000-5009", slice(5000, 5010))):
        assert run("curl", "-sS", "-r", header, growing.url).stdout == AUDIO[part]


FORMATS = {
    "mp3": ["-b:a", "128k"],
    "wav": [],
    "flac": [],
    "ogg": ["-c:a", "libopus"],
    "webm": ["-c:a", "libopus"],
    "m4a": ["-movflags", "frag_keyframe+empty_moov"],
}

CLIP_SECONDS = 20


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Return a clip in each format."""
    found = {}
    for suffix, options in FORMATS.items():
        path = tmp_path_factory.mktemp("clips") / f"clip.{suffix}"
        source = ("-f", "lavfi", "-i", f"sine=440:duration={CLIP_SECONDS}")
        result = run("ffmpeg", "-v", "error", *source, *options, path)
        assert result.returncode == 0, result.stderr
        found[suffix] = path.read_bytes()
    return found


@pytest.mark.parametrize("suffix", FORMATS)
def test_ffmpeg_plays_what_grows_and_seeks_in_what_is_complete(
    server: ServerProcess, clips: dict[str, bytes], suffix: str
) -> None:
    """All of it, though half is there when it begins; and from the middle when all is there."""
    clip = clips[suffix]
    generation = Generation(server, f"ffmpeg-{suffix}", clip[: len(clip) // 2], f"ffmpeg.{suffix}")
    decoded: list[subprocess.CompletedProcess[bytes]] = []
    to_raw = ("-f", "s16le", "-ac", "1", "-ar", "8000", "-")
    decode = ("ffmpeg", "-v", "error", "-i", generation.url, *to_raw)
    decoding = threading.Thread(target=lambda: decoded.append(run(*decode)), daemon=True)
    decoding.start()
    eventually(lambda: "asf_listeners 1.0" in server.metrics())
    generation.grow(clip[len(clip) // 2 :])
    generation.notify("complete")
    decoding.join(STREAM_SECONDS)
    assert [result.returncode for result in decoded] == [0], decoded
    assert abs(len(decoded[0].stdout) / 16_000 - CLIP_SECONDS) < 0.2
    seek = run("ffmpeg", "-v", "error", "-ss", str(CLIP_SECONDS // 2), "-i", generation.url, *to_raw)
    assert abs(len(seek.stdout) / 16_000 - CLIP_SECONDS / 2) < 0.5
    eventually(lambda: "asf_listeners 0.0" in server.metrics())


def test_a_player_seeks(server: ServerProcess, clips: dict[str, bytes]) -> None:
    """It starts near the end, in audio that is complete."""
    server.announce("mpv", clips["flac"], "mpv.flac")
    options = ("--no-config", "--ao=null", "--untimed", "--no-video", "--msg-level=all=warn")
    result = run("mpv", *options, f"--start={CLIP_SECONDS - 1}", server.stream_url("mpv"))
    assert (result.returncode, result.stdout) == (0, b""), result
    eventually(lambda: "asf_listeners 0.0" in server.metrics())
