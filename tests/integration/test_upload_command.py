"""`asf upload`, as somebody types it."""

import fcntl
import os
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import requests

from tests.support.bounds import COMMAND_SECONDS, PATIENCE_SECONDS
from tests.support.command_line import asf
from tests.support.cutting_proxy import CuttingProxy
from tests.support.fixtures import StartServer, audio_of
from tests.support.plain_websocket import PlainListener
from tests.support.processes import ServerProcess, eventually
from tests.support.uploader import offset_of

FAST = {"ASF_STREAM_SLEEP_INTERVAL": "0"}
AUDIO = audio_of(8_000_001)
CLOSED_PORT = 9


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """Return a file of audio."""
    path = tmp_path / "a clip.mp3"
    path.write_bytes(AUDIO)
    return path


def stream_of(server: ServerProcess, stream_id: str) -> dict[str, object]:
    """Return what the catalog says of a stream."""
    stream: dict[str, object] = requests.get(
        f"{server.url}/asf/internal/streams/{stream_id}", timeout=PATIENCE_SECONDS
    ).json()
    return stream


def start(*arguments: str, url: str) -> "subprocess.Popen[str]":
    """Start the command."""
    command = [sys.executable, "-m", "asf", "upload", *arguments, "--url", url]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_a_file_is_uploaded(start_server: StartServer, clip: Path) -> None:
    """Its type is known by its name. No progress is shown where nobody sees it."""
    server = start_server(FAST)
    done = asf("upload", "s", str(clip), "--metadata", '{"title": "T"}', url=server.url)
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"Uploaded s: 8000001 bytes." in done.stdout
    assert b"asf listen s -o out.mp3" in done.stdout
    assert requests.get(server.stream_url("s"), timeout=PATIENCE_SECONDS).content == AUDIO
    stream = stream_of(server, "s")
    assert (stream["state"], stream["content_type"], stream["metadata"]) == ("complete", "audio/mpeg", {"title": "T"})


@pytest.mark.parametrize(
    ("arguments", "beginning", "suffix"),
    [
        ((), b"\xff\xfb\x90\x00", ".mp3"),
        ((), b"RIFF\0\0\0\0WAVEfmt ", ".wav"),
        (("--content-type", "audio/ogg"), b"OggS", ".ogg"),
        ((), b"no audio", ""),
    ],
)
def test_the_command_to_listen_names_the_format(
    server: ServerProcess, arguments: tuple[str, ...], beginning: bytes, suffix: str
) -> None:
    """Of piped audio, too, so that players open what is written."""
    command = [sys.executable, "-m", "asf", "upload", "piped", *arguments, "--url", server.url]
    done = subprocess.run(command, input=beginning, capture_output=True, timeout=COMMAND_SECONDS, check=True)
    assert f" -o out{suffix} --url " in done.stdout.decode()


def test_nothing_is_not_uploaded(server: ServerProcess) -> None:
    """A pipe whose program has failed brings nothing: the command fails, and so has the stream."""
    command = [sys.executable, "-m", "asf", "upload", "nothing", "--url", server.url]
    done = subprocess.run(command, input=b"", capture_output=True, timeout=COMMAND_SECONDS, check=False)
    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr == b"Error: The upload is empty. (ASF_UPLOAD_EMPTY)\n"
    assert stream_of(server, "nothing")["state"] == "failed"


def test_a_terminal_shows_the_progress(server: ServerProcess, clip: Path) -> None:
    """In bytes, with the rate."""
    shown, terminal = os.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    command = [sys.executable, "-m", "asf", "upload", "shown", str(clip), "--url", server.url]
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=terminal, timeout=COMMAND_SECONDS, check=True)
    os.close(terminal)
    text = ""
    with suppress(OSError):  # EIO is the end.
        while piece := os.read(shown, 65536):
            text += piece.decode()
    os.close(shown)
    assert "shown: 100%" in text
    assert "8.00M/8.00M" in text
    assert "B/s" in text


def test_what_is_piped_is_heard_at_once(start_server: StartServer) -> None:
    """Each piece before the next one, however short."""
    server = start_server(FAST)
    listener = PlainListener(server.url, "s", wait="true")
    with start("s", "--content-type", "audio/aac", url=server.url) as uploading:
        assert uploading.stdin is not None
        for heard, piece in enumerate(["a", "bc", "def"]):
            uploading.stdin.write(piece)
            uploading.stdin.flush()
            listener.receive_until_bytes([1, 3, 6][heard])
        output, errors = uploading.communicate(timeout=COMMAND_SECONDS)
    assert (uploading.returncode, errors) == (0, "")
    assert "Uploaded s: 6 bytes." in output
    assert listener.receive_to_the_end() == 1000


def cut_off(server: ServerProcess) -> CuttingProxy:
    """Return a proxy that cuts the connection in the middle of the clip, and reaches no server after that."""

    def cuts() -> Iterator[int]:
        yield 3_000_000
        proxy.target_port = CLOSED_PORT

    proxy: CuttingProxy = CuttingProxy(server.port, cuts(), towards_server=True)
    return proxy


def test_an_interrupted_upload_of_a_file_can_be_resumed(start_server: StartServer, clip: Path) -> None:
    """The command to type is shown; the stream has not failed meanwhile."""
    server = start_server(FAST)
    proxy = cut_off(server)
    with start("s", str(clip), url=proxy.url) as uploading:
        eventually(lambda: proxy.cuts_made)
        uploading.send_signal(signal.SIGINT)
        _, errors = uploading.communicate(timeout=COMMAND_SECONDS)
    assert uploading.returncode == 130
    assert f"To continue: asf upload s '{clip}' --resume --url {proxy.url}\nInterrupted." in errors
    assert 0 < offset_of(server.url, "s") < len(AUDIO)
    assert stream_of(server, "s")["state"] == "generating"
    short = clip.with_name("short.mp3")
    short.write_bytes(b"short")
    refused = asf("upload", "s", str(short), "--resume", url=server.url)
    assert (refused.returncode, b"more than this file: 5" in refused.stderr) == (1, True)
    resumed = asf("upload", "s", str(clip), "--resume", url=server.url)
    assert resumed.returncode == 0, resumed.stderr
    assert requests.get(server.stream_url("s"), timeout=PATIENCE_SECONDS).content == AUDIO
    proxy.close()


def test_an_upload_whose_server_stays_away_can_be_resumed(start_server: StartServer, clip: Path) -> None:
    """After the time that is given."""
    server = start_server(FAST)
    proxy = cut_off(server)
    lost = asf("upload", "s", str(clip), "--patience", "0.5", url=proxy.url)
    assert lost.returncode == 1
    assert b"To continue: asf upload s" in lost.stderr
    assert b"No ASF server responded" in lost.stderr
    assert stream_of(server, "s")["state"] == "generating"
    proxy.close()


@pytest.mark.parametrize(
    ("number", "reason"), [(signal.SIGINT, "KeyboardInterrupt"), (signal.SIGTERM, "Terminated")], ids=["int", "term"]
)
def test_interrupted_standard_input_has_failed(
    start_server: StartServer, number: signal.Signals, reason: str
) -> None:
    """Nobody could continue it."""
    server = start_server(FAST)
    with start("s", "-", url=server.url) as uploading:
        assert uploading.stdin is not None
        uploading.stdin.write("beginning")
        uploading.stdin.flush()
        eventually(lambda: offset_of(server.url, "s") == len("beginning"))
        uploading.send_signal(number)
        _, errors = uploading.communicate(timeout=COMMAND_SECONDS)
    assert (uploading.returncode, errors) == (128 + number, "Interrupted.\n")
    stream = stream_of(server, "s")
    assert (stream["state"], stream["reason"]) == ("failed", reason)


def test_a_named_pipe_is_read_like_standard_input(start_server: StartServer, tmp_path: Path) -> None:
    """It has no size, and no beginning to return to."""
    server = start_server(FAST)
    pipe = tmp_path / "pipe.mp3"
    os.mkfifo(pipe)
    with start("s", str(pipe), url=server.url) as uploading:
        pipe.write_bytes(b"audio")
        _, errors = uploading.communicate(timeout=COMMAND_SECONDS)
    assert (uploading.returncode, errors) == (0, "")
    assert requests.get(server.stream_url("s"), timeout=PATIENCE_SECONDS).content == b"audio"


def test_wrong_usage(server: ServerProcess, clip: Path) -> None:
    """Is said before anything is uploaded."""
    wrong = [
        (["s", "--resume"], 2),
        (["s", "no-such-file"], 2),
        (["s/audio", str(clip)], 1),
        (["t", "--metadata", "1"], 2),
    ]
    for arguments, code in wrong:
        done = asf("upload", *arguments, url=server.url)
        assert (done.returncode, b"Traceback" in done.stderr) == (code, False), done.stderr
    assert asf("upload", "unknown", str(clip), "--resume", url=server.url).returncode == 1
