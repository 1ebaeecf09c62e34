"""The examples for backends, as their users run them: heard while the voice still speaks."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from tests.browser.prerequisites import missing
from tests.integration.test_upload_clients import program
from tests.support.bounds import COMMAND_SECONDS, PATIENCE_SECONDS
from tests.support.fixtures import StartServer, audio_of
from tests.support.plain_websocket import PlainListener
from tests.support.processes import ServerProcess, eventually
from tests.support.speech_server import SpeechServer

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
FASTAPI = Path(sys.prefix) / "fastapi"
"""Where tools/install_test_tools.sh installs what the example needs."""

FAST = {"ASF_STREAM_SLEEP_INTERVAL": "0"}
PIECES = [audio_of(length, seed) for seed, length in enumerate((30_000, 20_000, 48_000))]
AUDIO = b"".join(PIECES)

WAV_HEADER_BYTES = 44
PCM_BYTES_PER_SECOND = 48_000
Command = Callable[[str, str], list[str]]
KEY = "sk-of-the-tests"


def environment_of(server: ServerProcess, speech: SpeechServer, *paths: Path) -> dict[str, str]:
    """Return what an example is told, by the names that its documentation has."""
    return os.environ | {
        "ASF_URL": server.url,
        "OPENAI_BASE_URL": speech.url,
        "OPENAI_API_KEY": KEY,
        "PYTHONPATH": os.pathsep.join(map(str, (ROOT / "src", *paths))),
    }


@contextmanager
def running(command: list[str], environment: dict[str, str]) -> Iterator["subprocess.Popen[str]"]:
    """Run a program, for at most as long as the block."""
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def ended(process: "subprocess.Popen[str]") -> tuple[int, str, str]:
    """Wait for the end of a program. Returns its exit code, and what it has printed."""
    output, errors = process.communicate(timeout=COMMAND_SECONDS)
    return process.returncode, output, errors


def node_command(stream_id: str, text: str) -> list[str]:
    """Return the command of the example for Node."""
    return [program("node", "nodejs"), str(EXAMPLES / "node" / "speak.mjs"), stream_id, text]


def python_command(stream_id: str, text: str) -> list[str]:
    """Return the command of the example for Python."""
    return [sys.executable, str(EXAMPLES / "openai-speech" / "speak.py"), stream_id, text]


def hear_piece_by_piece(listener: PlainListener, speech: SpeechServer, heard: int = 0) -> None:
    """Let the voice say each piece when the one before has been heard, `heard` bytes after the beginning."""
    for piece in PIECES:
        speech.release()
        heard += len(piece)
        listener.receive_until_bytes(heard)


def test_python_speaks_with_sentences(start_server: StartServer) -> None:
    """Each sentence is a request, heard as it is spoken, and a cue at the time at which its audio begins."""
    server = start_server(FAST)
    with SpeechServer(PIECES) as speech:
        listener = PlainListener(server.url, "a/b", wait="true", cues="1")
        environment = environment_of(server, speech)
        with running(python_command("a/b", "First one. And, 2.0, the second!"), environment) as process:
            hear_piece_by_piece(listener, speech, WAV_HEADER_BYTES)
            speech.release()
            hear_piece_by_piece(listener, speech, WAV_HEADER_BYTES + len(AUDIO))
            speech.release()
            assert ended(process) == (0, "", "")
        assert listener.receive_to_the_end() == 1000
    assert [one["input"] for one in speech.requests] == ["First one.", "And, 2.0, the second!"]
    assert {one["response_format"] for one in speech.requests} == {"pcm"}
    assert speech.authorizations == [f"Bearer {KEY}"] * 2
    assert listener.audio[:4] + listener.audio[8:12] == b"RIFFWAVE"
    assert listener.audio[WAV_HEADER_BYTES:] == AUDIO + AUDIO
    cues = [cue for one in listener.messages if one["event"] == "stream_cues" for cue in one["cues"]]
    assert [(cue["start"], cue["text"]) for cue in cues] == [
        (0, "First one."),
        (len(AUDIO) / PCM_BYTES_PER_SECOND, "And, 2.0, the second!"),
    ]


def test_node_speaks(start_server: StartServer) -> None:
    """Each piece is heard when the voice has spoken it."""
    server = start_server(FAST)
    with SpeechServer(PIECES) as speech:
        listener = PlainListener(server.url, "a/b", wait="true")
        with running(node_command("a/b", "Hello."), environment_of(server, speech)) as process:
            hear_piece_by_piece(listener, speech)
            speech.release()
            code, output, errors = ended(process)
        assert (code, errors) == (0, "")
        assert json.loads(output) | {"state": "complete", "offset": len(AUDIO)} == json.loads(output)
        assert listener.receive_to_the_end() == 1000
    assert listener.audio == AUDIO
    assert speech.authorizations == [f"Bearer {KEY}"]


@pytest.mark.parametrize("command", [node_command, python_command], ids=["node", "python"])
def test_a_voice_that_breaks_off_fails_the_stream(start_server: StartServer, command: Command) -> None:
    """Listeners hear what there was, and then the reason."""
    server = start_server(FAST)
    with SpeechServer(PIECES, breaks=True) as speech:
        listener = PlainListener(server.url, "s", wait="true")
        with running(command("s", "Hello."), environment_of(server, speech)) as process:
            hear_piece_by_piece(listener, speech)
            speech.release()
            code, _, errors = ended(process)
        assert code == 1
        assert errors
        assert listener.receive_to_the_end() != 1000
    assert bytes(listener.audio).endswith(AUDIO)
    stream = requests.get(f"{server.url}/asf/internal/streams/s", timeout=PATIENCE_SECONDS).json()
    assert stream["state"] == "failed"
    assert stream["reason"]


def test_fastapi_generates_what_a_page_asks_for(start_server: StartServer) -> None:
    """The response is there before the audio, and the text comes with it.

    What is being generated when the application stops has failed.
    """
    if not FASTAPI.is_dir():
        missing("FastAPI", "tools/install_test_tools.sh")
    server = start_server(FAST)
    command = [sys.executable, "-m", "uvicorn", "app:app", "--app-dir", str(EXAMPLES / "fastapi"), "--port", "0"]
    with SpeechServer(PIECES) as speech, running(command, environment_of(server, speech, FASTAPI)) as process:
        url = address_of(process)
        page = requests.get(url, timeout=PATIENCE_SECONDS)
        assert f'src="{server.url}/asf/client/asf-player.js"' in page.text
        assert 'player.setAttribute("cues", "")' in page.text
        rejected = requests.post(f"{url}/episodes", json={"text": ""}, timeout=PATIENCE_SECONDS)
        assert rejected.status_code == 422
        stream_ids = []
        for text in ("First.", "Second."):
            created = requests.post(f"{url}/episodes", json={"text": text}, timeout=PATIENCE_SECONDS)
            assert created.status_code == 202
            stream_ids.append(created.json()["stream_id"])
            if text == "First.":
                listener = PlainListener(server.url, stream_ids[0], wait="true", cues="1")
                hear_piece_by_piece(listener, speech, WAV_HEADER_BYTES)
                speech.release()
                assert listener.receive_to_the_end() == 1000
        assert listener.audio[WAV_HEADER_BYTES:] == AUDIO
        (cue,) = (cue for one in listener.messages if one["event"] == "stream_cues" for cue in one["cues"])
        assert (cue["kind"], cue["start"], cue["text"]) == ("sentence", 0, "First.")
        assert [one["input"] for one in eventually(lambda: speech.requests[1:] and speech.requests)] == [
            "First.",
            "Second.",
        ]
        process.terminate()
        process.communicate(timeout=COMMAND_SECONDS)
    stream = requests.get(f"{server.url}/asf/internal/streams/{stream_ids[1]}", timeout=PATIENCE_SECONDS).json()
    assert stream["state"] == "failed"


def address_of(uvicorn: "subprocess.Popen[str]") -> str:
    """Return the URL at which it runs, which it prints once it does."""
    assert uvicorn.stderr is not None
    printed = ""
    for line in uvicorn.stderr:
        printed += line
        found = re.search(r"running on (http://[0-9.:]+)", line)
        if found:
            return found[1]
    pytest.fail(printed)
