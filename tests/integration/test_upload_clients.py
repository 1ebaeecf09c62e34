"""Programs that upload audio without knowing ASF: curl, ffmpeg, Node's fetch, Python's requests."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.browser.prerequisites import missing
from tests.support.bounds import COMMAND_SECONDS, PATIENCE_SECONDS
from tests.support.fixtures import StartServer, audio_of
from tests.support.plain_websocket import PlainListener
from tests.support.processes import ServerProcess, eventually
from tests.support.uploader import offset_of, upload_url

AUDIO = audio_of(300_001)
FAST = {"ASF_STREAM_SLEEP_INTERVAL": "0"}

UPLOAD_WITH_FETCH = """
const [url] = process.argv.slice(1)
const response = await fetch(url, {
  method: 'PUT', body: process.stdin, duplex: 'half', headers: { 'Content-Type': 'audio/mpeg' },
})
console.log(await response.text())
"""


def program(name: str, package: str) -> str:
    """Return the path of a program; else the test is skipped, or fails where everything must be there."""
    path = shutil.which(name)
    if path is None:
        missing(name, f"apt-get install {package}")
    assert path is not None
    return path


def heard_while_it_is_piped(server: ServerProcess, command: list[str], stream_id: str) -> dict[str, object]:
    """Feed a program that uploads its standard input, piece by piece as it is heard. Returns what it printed."""
    listener = PlainListener(server.url, stream_id, wait="true")
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        for start in range(0, len(AUDIO), 100_000):
            process.stdin.write(AUDIO[start : start + 100_000])
            process.stdin.flush()
            listener.receive_until_bytes(min(start + 100_000, len(AUDIO)))
        output, _ = process.communicate(timeout=COMMAND_SECONDS)
    assert process.returncode == 0
    assert listener.receive_to_the_end() == 1000
    assert listener.audio == AUDIO
    answer: dict[str, object] = json.loads(output)
    return answer


@pytest.mark.parametrize("expect", [[], ["-H", "Expect:"]], ids=["asks first", "sends at once"])
def test_curl_uploads_its_standard_input(start_server: StartServer, expect: list[str]) -> None:
    """`curl -T -`: in chunks, after 100 Continue or without."""
    server = start_server(FAST)
    # -T . is -T - that does not wait for more input than there is.
    command = [program("curl", "curl"), "-sS", "--fail-with-body", *expect, "-T", ".", upload_url(server.url, "s")]
    answer = heard_while_it_is_piped(server, command, "s")
    assert answer | {"state": "complete", "offset": len(AUDIO)} == answer


def test_curl_uploads_a_file_and_resumes(start_server: StartServer, tmp_path: Path) -> None:
    """`curl -T FILE`, and the rest of one by `--data-binary` with the method and header of a resumed upload."""
    server = start_server(FAST)
    path = tmp_path / "audio.mp3"
    path.write_bytes(AUDIO)
    curl, url = program("curl", "curl"), upload_url(server.url, "s")
    subprocess.run([curl, "-sS", "--fail-with-body", "-T", str(path), url], check=True, stdout=subprocess.DEVNULL)
    assert requests.get(server.stream_url("s"), timeout=PATIENCE_SECONDS).content == AUDIO
    path.write_bytes(AUDIO[:1000])
    part = ["-H", "Upload-Complete: ?0", "-T", str(path), url]
    subprocess.run([curl, "-sS", "--fail-with-body", *part], check=True, stdout=subprocess.DEVNULL)
    path.write_bytes(AUDIO[1000:])
    rest = ["-X", "PATCH", "-H", f"Upload-Offset: {offset_of(server.url, 's')}", "-T", str(path), url]
    subprocess.run([curl, "-sS", "--fail-with-body", *rest], check=True, stdout=subprocess.DEVNULL)
    assert requests.get(server.stream_url("s"), timeout=PATIENCE_SECONDS).content == AUDIO


def test_ffmpeg_uploads_what_it_encodes(start_server: StartServer) -> None:
    """`ffmpeg … -f mp3 -method PUT URL`: known as MP3 by its content, and decodable in the end."""
    server = start_server(FAST)
    ffmpeg = program("ffmpeg", "ffmpeg")
    source = ["-f", "lavfi", "-i", "sine=frequency=440:duration=5"]
    command = [ffmpeg, "-hide_banner", "-loglevel", "error", *source, "-f", "mp3", "-method", "PUT"]
    subprocess.run([*command, upload_url(server.url, "s")], check=True, timeout=COMMAND_SECONDS)
    stream_url = f"{server.url}/asf/internal/streams/s"
    eventually(lambda: requests.get(stream_url, timeout=PATIENCE_SECONDS).json()["state"] == "complete")
    answer = requests.get(server.stream_url("s"), timeout=PATIENCE_SECONDS)
    assert answer.headers["Content-Type"] == "audio/mpeg"
    check = [ffmpeg, "-hide_banner", "-loglevel", "error", "-i", "-", "-f", "null", "-"]
    checked = subprocess.run(check, input=answer.content, check=True, capture_output=True, timeout=COMMAND_SECONDS)
    assert checked.stderr == b""


def test_node_uploads_a_stream_by_fetch(start_server: StartServer) -> None:
    """With `duplex: 'half'`."""
    server = start_server(FAST)
    command = [program("node", "nodejs"), "--input-type=module", "-e", UPLOAD_WITH_FETCH, upload_url(server.url, "s")]
    answer = heard_while_it_is_piped(server, command, "s")
    assert answer | {"state": "complete", "offset": len(AUDIO)} == answer


def test_requests_uploads_a_generator(start_server: StartServer) -> None:
    """Each piece is heard before the next one is asked for."""
    server = start_server(FAST)
    listener = PlainListener(server.url, "s", wait="true")

    def pieces() -> Iterator[bytes]:
        for start in range(0, len(AUDIO), 100_000):
            yield AUDIO[start : start + 100_000]
            listener.receive_until_bytes(min(start + 100_000, len(AUDIO)))

    headers = {"Content-Type": "audio/mpeg"}
    answer = requests.put(upload_url(server.url, "s"), data=pieces(), headers=headers, timeout=PATIENCE_SECONDS)
    assert (answer.status_code, answer.json()["state"]) == (201, "complete")
    assert listener.receive_to_the_end() == 1000
    assert listener.audio == AUDIO
