"""Text as sentences, words with times, and the programs that speak and encode, for which others stand in."""

import os
import stat
import struct
import sys
import wave
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asf.client.voice import (
    MAX_TEXT_CHARACTERS,
    Encoding,
    EspeakVoice,
    PiperVoice,
    SoundEncoder,
    VoiceFailed,
    Word,
    checked_sentences,
    find_encoding,
    find_voice,
    sentences_of,
)
from asf.client.voice.encoding import WAV
from asf.client.voice.espeak_program import words_of
from asf.client.voice.piper import proportional_words
from asf.client.voice.text import MAX_SENTENCE_CHARACTERS

MP3 = "audio/mpeg"


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("One. Two!  Three?", ["One.", "Two!", "Three?"]),
        ('He said "yes." Then (no!) more', ['He said "yes."', "Then (no!)", "more"]),
        ("Version 2.5 costs $1.20", ["Version 2.5 costs $1.20"]),
        ("A title\nand more\n\n", ["A title", "and more"]),
        ("日本。ほか", ["日本。", "ほか"]),
        ("a\x00b\ud800c\x1b[31m", ["a b c [31m"]),
        (" … -- \n\x07", []),
        ("", []),
    ],
)
def test_a_text_has_sentences(text: str, sentences: list[str]) -> None:
    """By punctuation and by lines, without what cannot be spoken."""
    assert sentences_of(text) == sentences


@given(st.text(max_size=1000) | st.text(alphabet=" .ab\n", max_size=1000))
def test_sentences_are_short_and_lose_no_letter(text: str) -> None:
    """Whatever the text: all its letters and digits in order, in sentences that a line can hold."""
    sentences = sentences_of(text)
    assert [one for one in "".join(sentences) if one.isalnum()] == [one for one in text if one.isalnum()]
    assert all(0 < len(one) <= MAX_SENTENCE_CHARACTERS and one.isprintable() for one in sentences)


def test_a_text_that_cannot_be_spoken_is_rejected() -> None:
    """With the reason."""
    assert checked_sentences("x" * MAX_TEXT_CHARACTERS)
    with pytest.raises(ValueError, match=r"at most 5000 characters"):
        checked_sentences("x" * (MAX_TEXT_CHARACTERS + 1))
    with pytest.raises(ValueError, match=r"must have a word"):
        checked_sentences("?!")


@pytest.mark.parametrize(
    ("text", "begun", "words"),
    [
        ("Hi there.", [(0, 0.0), (3, 0.5)], [(0.0, 0.5, "Hi"), (0.5, 2.0, "there.")]),
        # A number is spoken in parts; a dash is not spoken.
        ("1,200 -- ok", [(0, 0.1), (2, 0.4), (9, 1.5)], [(0.1, 1.5, "1,200 --"), (1.5, 2.0, "ok")]),
        ("-- ok", [(3, 0.2)], [(0.0, 0.2, "--"), (0.2, 2.0, "ok")]),
        ("a a a", [(0, 0.0), (2, 0.5), (4, 1.0)], [(0.0, 0.5, "a"), (0.5, 1.0, "a"), (1.0, 2.0, "a")]),
        ("all of it", [], [(0.0, 2.0, "all of it")]),
    ],
)
def test_words_begin_where_the_voice_begins_them(
    text: str, begun: list[tuple[int, float]], words: list[tuple[float, float, str]]
) -> None:
    """Each lasts until the next one; nothing of the text is missing."""
    assert words_of(text, begun, 2.0) == words


def test_words_without_times_share_the_sentence() -> None:
    """In proportion to their lengths."""
    assert proportional_words("abc d", 3.0) == (Word(0.0, 2.0, "abc"), Word(2.0, 3.0, "d"))


def program(folder: Path, name: str, source: str) -> None:
    """Write a program of that name in Python."""
    path = folder / name
    path.write_text(f"#!{sys.executable}\n{source}")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the only directory of the PATH."""
    folder = tmp_path / "programs"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.delenv("PIPER_MODEL", raising=False)
    return folder


PIPER = """
import sys, wave
assert sys.argv[1:] == ["--model", "m.onnx", "--output_file", "-"], sys.argv
text = sys.stdin.read()
assert text == "Hi you.\\n", text
with wave.open(sys.stdout.buffer, "wb") as audio:
    audio.setnchannels(CHANNELS), audio.setsampwidth(2), audio.setframerate(1000)
    audio.writeframes(b"ab" * 1000 * CHANNELS)
"""


def test_piper_speaks(programs: Path) -> None:
    """A sentence is the samples of its WAV; its words share it."""
    program(programs, "piper", PIPER.replace("CHANNELS", "1"))
    (sentence,) = PiperVoice("piper", Path("m.onnx")).speak(["Hi you."])
    assert (sentence.samples, sentence.rate, sentence.seconds) == (b"ab" * 1000, 1000, 1.0)
    assert sentence.words == (Word(0.0, 0.375, "Hi"), Word(0.375, 1.0, "you."))


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        (PIPER.replace("CHANNELS", "2"), "another format"),
        ("import sys\nsys.exit('Unable to find the voice')", "Unable to find the voice"),
        ("", "Piper has failed"),
    ],
    ids=["stereo", "fails", "says nothing"],
)
def test_piper_fails_with_its_reason(programs: Path, source: str, reason: str) -> None:
    """Also if it is not there at all."""
    voice = PiperVoice("piper", Path("m.onnx"))
    with pytest.raises(VoiceFailed, match="No such file"):
        next(voice.speak(["Hi you."]))
    program(programs, "piper", source)
    with pytest.raises(VoiceFailed, match=reason):
        next(voice.speak(["Hi you."]))


def test_the_voice_is_the_best_that_is_installed(programs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Piper needs a model; a voice by name is one of eSpeak NG."""
    assert find_voice() is None
    program(programs, "piper", "")
    assert find_voice() is None
    program(programs, "espeak-ng", "")
    assert isinstance(find_voice(), EspeakVoice)
    monkeypatch.setenv("PIPER_MODEL", "m.onnx")
    assert isinstance(find_voice(), PiperVoice)
    assert isinstance(find_voice("de"), EspeakVoice)


def test_the_encoding_is_the_best_that_is_installed(programs: Path) -> None:
    """MP3, if a program can encode it."""
    assert find_encoding() is WAV
    program(programs, "lame", "")
    assert find_encoding() == Encoding("lame", MP3)
    program(programs, "ffmpeg", "")
    assert find_encoding() == Encoding("ffmpeg", MP3)


def test_wav_needs_no_program() -> None:
    """The samples follow a header that says no size."""
    emitted: list[bytes] = []
    with SoundEncoder(WAV, 22_050, emitted.append) as encoder:
        encoder.write(b"abcd")
    header, samples = emitted
    assert samples == b"abcd"
    riff, size, kind, _, _, form, channels, rate, byte_rate, block, bits, _, data = struct.unpack(
        "<4sI4s4sIHHIIHH4sI", header
    )
    assert (riff, kind, form, channels, rate, byte_rate, block, bits) == (
        *(b"RIFF", b"WAVE", wave.WAVE_FORMAT_PCM, 1, 22_050, 44_100),
        *(2, 16),
    )
    assert size == data == 0xFFFFFFFF


def test_a_program_encodes_while_it_is_written_to(programs: Path) -> None:
    """What it emits arrives before the end; the end is waited for."""
    program(programs, "ffmpeg", "import os\nwhile piece := os.read(0, 100): os.write(1, piece.upper())")
    read, write = os.pipe()
    emitted: list[bytes] = []

    def emit(audio: bytes) -> None:
        emitted.append(audio)
        os.write(write, b"x")

    try:
        with SoundEncoder(Encoding("ffmpeg", MP3), 22_050, emit) as encoder:
            for piece in (b"one", b"two"):
                encoder.write(piece)
                os.read(read, 1)  # It has arrived.
            assert emitted == [b"ONE", b"TWO"]
    finally:
        os.close(read)
        os.close(write)


def keep_writing(encoding: Encoding, error: Exception | None = None) -> None:
    """Write until that fails, or a mebibyte is written."""

    def emit(_audio: bytes) -> None:
        if error is not None:
            raise error

    with SoundEncoder(encoding, 22_050, emit) as encoder:
        for _ in range(1024):
            encoder.write(bytes(1024))


@pytest.mark.parametrize(
    "source",
    ["import sys\nsys.exit(1)", "import sys\nsys.stdin.buffer.read()\nsys.exit(1)"],
    ids=["at once", "at the end"],
)
def test_an_encoder_that_fails_ends_the_podcast(programs: Path, source: str) -> None:
    """Whenever it does, and if it is gone."""
    with pytest.raises(VoiceFailed, match="ffmpeg cannot be run"):
        keep_writing(Encoding("ffmpeg", MP3))
    program(programs, "ffmpeg", source)
    with pytest.raises(VoiceFailed, match="encoder has"):
        keep_writing(Encoding("ffmpeg", MP3))


@pytest.mark.parametrize(
    "source",
    [
        "import os\nwhile piece := os.read(0, 100): os.write(1, piece)",
        "import sys\nsys.stdout.buffer.write(sys.stdin.buffer.read())",
    ],
    ids=["while it is written to", "at the end"],
)
def test_an_upload_that_fails_ends_the_encoder(programs: Path, source: str) -> None:
    """The one who writes gets the upload's error."""
    program(programs, "ffmpeg", source)
    with pytest.raises(ConnectionError, match="upload is gone"):
        keep_writing(Encoding("ffmpeg", MP3), ConnectionError("The upload is gone."))
