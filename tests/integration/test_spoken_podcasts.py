"""Text that this machine's voice speaks: `asf demo --text`, and the text field of the console."""

import json
import signal
import struct
import subprocess
import sys
from itertools import pairwise
from math import sqrt
from pathlib import Path

import pytest
import requests

from asf.client.voice import EspeakVoice, VoiceFailed
from asf.client.voice.encoding import MP3_KILOBITS
from tests.integration.test_cli_tools import start
from tests.integration.test_upload_clients import program
from tests.support.bounds import COMMAND_SECONDS, PATIENCE_SECONDS
from tests.support.command_line import asf
from tests.support.fixtures import StartServer
from tests.support.plain_websocket import PlainListener
from tests.support.processes import ServerProcess, eventually

FIRST, SECOND = "Hello, and welcome to a sentence of more than two seconds.", "This is the second one."
NO_PROGRAMS = {"PATH": "/nonexistent"}
NO_VOICE = "No voice is installed: the clip stands in. Install a voice: apt-get install espeak-ng"
MP3_DELAY_SECONDS = 0.3
"""How much longer than its samples MP3 is at most: the delay of the encoder, and the rest of its last frames."""


PIPER = """
import sys, wave
sys.stdin.read()
with wave.open(sys.stdout.buffer, "wb") as audio:
    audio.setnchannels(1), audio.setsampwidth(2), audio.setframerate(100_000)
    audio.writeframes(b"12" * 100_000)
"""
"""Stands for Piper: every sentence takes it a second."""


@pytest.fixture
def _espeak() -> None:
    program("espeak-ng", "espeak-ng")


@pytest.mark.usefixtures("_espeak")
def test_words_are_spoken_at_their_times() -> None:
    """In order, without gaps, and each where it is heard: a pause of the voice is not within a word."""
    (sentence,) = EspeakVoice().speak(["Stop; begin: now, go."])
    assert [word.text for word in sentence.words] == ["Stop;", "begin:", "now,", "go."]
    assert sentence.words[0].start == 0
    assert sentence.words[-1].end == sentence.seconds
    samples = struct.unpack(f"<{len(sentence.samples) // 2}h", sentence.samples)

    def loudness(start: float, end: float) -> float:
        part = samples[round(start * sentence.rate) : round(end * sentence.rate)]
        return sqrt(sum(one * one for one in part) / len(part))

    for word, following in pairwise(sentence.words):
        assert word.end == following.start
        assert loudness(following.start, following.end) > 10 * loudness(following.start - 0.03, following.start)


@pytest.mark.usefixtures("_espeak")
def test_a_voice_speaks_sentence_by_sentence() -> None:
    """In its language, and with one process until the end. Unknown ones are rejected with a reason."""
    german, english = (list(EspeakVoice(name).speak(["Wörter.", "Ja."])) for name in ("de", "en"))
    assert [one.text for one in german] == ["Wörter.", "Ja."]
    assert german[0].samples != english[0].samples
    speech = EspeakVoice().speak(["One.", "Two."])
    next(speech)
    speech.close()
    with pytest.raises(VoiceFailed, match="no voice 'nobody'"):
        list(EspeakVoice("nobody").speak(["One."]))


def cues_of(listener: PlainListener) -> list[tuple[str, str]]:
    """Return the kind and the text of the cues that came to a listener."""
    messages = [one for one in listener.messages if one["event"] == "stream_cues"]
    return [(cue["kind"], cue["text"]) for one in messages for cue in one["cues"]]


@pytest.mark.usefixtures("_espeak")
def test_a_text_is_heard_and_read_while_it_is_spoken(server: ServerProcess) -> None:
    """The first sentence, before the second one is spoken. If the voice is interrupted, the stream has failed."""
    listener = PlainListener(server.url, "interrupted", wait="true", cues="1")
    # At this pace, the second sentence would be spoken in minutes.
    speaking = start("demo", "interrupted", "--text", f"{FIRST} {SECOND}", "--pace", "0.001", url=server.url)
    try:
        listener.receive_until_bytes(MP3_KILOBITS * 1000 // 8)
        while ("word", "welcome") not in cues_of(listener):
            listener.receive()
        assert ("sentence", FIRST) in cues_of(listener)
        assert ("sentence", SECOND) not in cues_of(listener)
        speaking.send_signal(signal.SIGINT)
        _, errors = speaking.communicate(timeout=COMMAND_SECONDS)
    finally:
        speaking.kill()
        speaking.communicate(timeout=COMMAND_SECONDS)
    assert (speaking.returncode, b"Traceback" in errors) == (130, False), errors
    assert listener.receive_to_the_end() != 1000
    assert json.loads(asf("streams", "interrupted", "--json", url=server.url).stdout)["state"] == "failed"


@pytest.mark.usefixtures("_espeak")
@pytest.mark.parametrize("encoder", ["ffmpeg", "lame"])
def test_a_text_is_complete(server: ServerProcess, tmp_path: Path, encoder: str) -> None:
    """Its audio can be decoded and is as long as its cues say; its title is its beginning."""
    for name in ("espeak-ng", encoder):
        (tmp_path / name).symlink_to(program(name, name))
    command = ("demo", encoder, "--text", f"{FIRST}\n{SECOND}", "--pace", "100")
    spoken = asf(*command, url=server.url, environment={"PATH": str(tmp_path)})
    assert spoken.returncode == 0, spoken.stderr
    assert b"spoken by eSpeak NG" in spoken.stdout
    stream = requests.get(f"{server.url}/asf/internal/streams/{encoder}", timeout=PATIENCE_SECONDS).json()
    assert (stream["state"], stream["content_type"], stream["metadata"]["title"]) == ("complete", "audio/mpeg", FIRST)
    cues_url = f"{server.url}/api/v1/podcasts/cues/{encoder}"
    cues = requests.get(cues_url, timeout=PATIENCE_SECONDS).json()["cues"]
    first, second = [cue for cue in cues if cue["kind"] == "sentence"]
    words = [cue for cue in cues if cue["kind"] == "word"]
    assert " ".join(cue["text"] for cue in words) == f"{FIRST} {SECOND}"
    assert (first["start"], first["end"]) == (0, second["start"])
    assert [cue["start"] for cue in words if cue["text"] == "This"] == [second["start"]]
    ffmpeg = [program("ffmpeg", "ffmpeg"), "-loglevel", "error", "-i", "-", "-f", "s16le", "-"]
    audio = requests.get(server.stream_url(encoder), timeout=PATIENCE_SECONDS).content
    decoded = subprocess.run(ffmpeg, input=audio, capture_output=True, check=True, timeout=COMMAND_SECONDS)
    assert decoded.stderr == b""
    assert 0 <= len(decoded.stdout) / 2 / 22_050 - second["end"] < MP3_DELAY_SECONDS


@pytest.mark.usefixtures("_espeak")
def test_a_text_is_read_from_standard_input_and_checked(server: ServerProcess) -> None:
    """Wrong usage is exit code 2, and leaves no stream; a voice that does not exist fails it."""
    for text, reason in (("?", b"must have a word"), ("x" * 5001, b"at most 5000 characters")):
        rejected = asf("demo", "wrong", "--text", text, url=server.url)
        assert (rejected.returncode, reason in rejected.stderr) == (2, True)
    rejected = asf("demo", "wrong", "--voice", "de", url=server.url)
    assert (rejected.returncode, b"--voice needs --text" in rejected.stderr) == (2, True)
    assert asf("streams", "wrong", url=server.url).returncode == 1
    nobody = asf("demo", "wrong", "--text", "Hi.", "--voice", "nobody", url=server.url)
    assert (nobody.returncode, b"no voice 'nobody'" in nobody.stderr) == (1, True)
    stream = json.loads(asf("streams", "wrong", "--json", url=server.url).stdout)
    assert (stream["state"], "no voice 'nobody'" in stream["reason"]) == ("failed", True)
    command = [sys.executable, "-m", "asf", "demo", "piped", "--text", "-", "--url", server.url]
    subprocess.run(command, input=b"From a pipe.", capture_output=True, check=True, timeout=COMMAND_SECONDS)
    stream = json.loads(asf("streams", "piped", "--json", url=server.url).stdout)
    assert stream["metadata"]["title"] == "From a pipe."


def test_without_a_voice_the_clip_stands_in(server: ServerProcess) -> None:
    """And it says what to install."""
    root = ("--audio-root", str(server.audio_root))
    command = ("demo", "clip", "--text", "Hi.", "--pace", "1000", *root)
    made = asf(*command, url=server.url, environment=NO_PROGRAMS)
    assert made.returncode == 0, made.stderr
    assert NO_VOICE in made.stdout.decode()
    assert json.loads(asf("streams", "clip", "--json", url=server.url).stdout)["metadata"] == {"title": "welcome"}


@pytest.mark.usefixtures("_espeak")
def test_the_console_speaks(server: ServerProcess) -> None:
    """What is posted to it, as a demo podcast."""
    url = f"{server.url}/console/demo"
    started = requests.post(url, json={"text": f"{FIRST}"}, timeout=PATIENCE_SECONDS)
    assert (started.status_code, set(started.json())) == (202, {"stream_id", "client_id"})
    listener = PlainListener(server.url, started.json()["stream_id"], wait="true", cues="1")
    assert listener.receive_to_the_end() == 1000, listener.messages
    assert ("sentence", FIRST) in cues_of(listener)
    assert ("word", "welcome") in cues_of(listener)


@pytest.mark.parametrize(
    ("body", "details"),
    [
        ({"text": "?"}, "must have a word"),
        ({"text": "x" * 5001}, "at most 5000 characters"),
        ({"text": 1}, "must be a string"),
        ({"words": "Hi."}, "must be a string"),
        ([], "not a JSON object"),
    ],
)
def test_the_console_rejects_what_cannot_be_spoken(server: ServerProcess, body: object, details: str) -> None:
    """With the reason, which the page shows."""
    rejected = requests.post(f"{server.url}/console/demo", json=body, timeout=PATIENCE_SECONDS)
    assert rejected.status_code == 400
    assert details in rejected.json()["details"]


@pytest.mark.one_process("its PATH has no redis-server")
def test_the_console_says_what_to_install(start_server: StartServer) -> None:
    """And plays the clip instead."""
    server = start_server(NO_PROGRAMS)
    started = requests.post(f"{server.url}/console/demo", json={"text": "Hi."}, timeout=PATIENCE_SECONDS).json()
    assert NO_VOICE in started["notice"]
    route = f"{server.url}/asf/internal/streams/{started['stream_id']}"
    stream = eventually(lambda: requests.get(route, timeout=PATIENCE_SECONDS).json().get("metadata"))
    assert stream == {"title": "welcome"}


@pytest.mark.one_process("its PATH has no redis-server")
def test_the_console_speaks_with_piper(start_server: StartServer, tmp_path: Path) -> None:
    """As WAV, if nothing encodes it."""
    piper = tmp_path / "programs" / "piper"
    piper.parent.mkdir()
    piper.write_text(f"#!{sys.executable}\n{PIPER}")
    piper.chmod(0o755)
    server = start_server({"PATH": str(piper.parent), "PIPER_MODEL": "m.onnx"})
    started = requests.post(f"{server.url}/console/demo", json={"text": "One. Two."}, timeout=PATIENCE_SECONDS).json()
    listener = PlainListener(server.url, started["stream_id"], wait="true", cues="1")
    assert listener.receive_to_the_end() == 1000, listener.messages
    assert listener.audio[44:] == b"12" * 100_000 + b"12" * 100_000
    assert [text for kind, text in cues_of(listener) if kind == "word"] == ["One.", "Two."]
    stream = requests.get(f"{server.url}/asf/internal/streams/{started['stream_id']}", timeout=PATIENCE_SECONDS)
    assert stream.json()["metadata"] == {"title": "One.", "artist": "Piper"}
