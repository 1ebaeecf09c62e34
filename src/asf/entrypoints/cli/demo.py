"""`asf demo`."""

import os
import shlex
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import click
from tqdm import tqdm

from asf.adapters.stream_path import STREAM_PATH
from asf.client import BackendClient
from asf.client.demo import CLIP_BYTES_PER_SECOND, WHOLE, Progress, demo_clip, demo_cues, make_demo_podcast
from asf.client.spoken_podcast import SpokenPodcast
from asf.client.voice import (
    HOW_TO_INSTALL,
    MAX_TEXT_CHARACTERS,
    VoiceFailed,
    checked_sentences,
    find_encoding,
    find_voice,
)
from asf.entrypoints.cli.options import RETRIES, elsewhere, examples, token_option, url_option
from asf.entrypoints.cli.output import show
from asf.entrypoints.cli.termination import end_on_sigterm

BITS_PER_KILOBIT = 1000
BITS_PER_BYTE = 8

BAR = "{desc}: {percentage:3.0f} %|{bar}| {elapsed}"


@click.command(
    epilog=examples(
        "asf demo",
        "asf demo --pace 1.5",
        "asf demo --text 'Hello. You can read this while you hear it.'",
        "asf demo talk --clip talk.mp3 --bit-rate 128 --pace 4",
    )
)
@click.argument("stream_id", default="demo")
@click.option("--client", "client_id", default="demo", show_default=True, help="Client that gets the UI updates.")
@click.option(
    "--audio-root",
    type=click.Path(file_okay=False, path_type=Path),
    help="Directory to write to: an audio root of the server.  [default: the first of ASF_AUDIO_ROOTS]",
)
@click.option(
    "--clip",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Audio file to play as the podcast.  [default: a clip of 44 seconds that comes with ASF]",
)
@click.option(
    "--text",
    help="Text to speak instead of a clip, with its words as cues; - reads it from standard input.",
)
@click.option("--voice", help="Voice of eSpeak NG that speaks the text, such as de.  [default: Piper's or en]")
@click.option(
    "--bit-rate",
    type=click.FloatRange(min=1),
    default=CLIP_BYTES_PER_SECOND * BITS_PER_BYTE / BITS_PER_KILOBIT,
    show_default=True,
    help="Bit rate of the clip in kbit/s.",
)
@click.option(
    "--pace",
    type=click.FloatRange(min=0, min_open=True),
    default=1.0,
    show_default=True,
    help="Speed of generation: 1 is real time, 1.5 is one and a half times as fast.",
)
@token_option
@url_option
def demo(  # noqa: PLR0913, PLR0917 - one for each option
    stream_id: str,
    client_id: str,
    audio_root: Path | None,
    clip: Path | None,
    text: str | None,
    voice: str | None,
    bit_rate: float,
    pace: float,
    token: str | None,
    url: str,
) -> None:
    """Generate a demo podcast as STREAM_ID, in real time.

    Does what a voice agent and an orchestrator do, through the HTTP API only: announces the stream, writes its audio
    at about the speed of speech, and sends the client generation_progress and task_completed. The server must run on
    this machine: in this directory, or pass one of its audio roots with --audio-root.

    With --text a voice of this machine speaks: eSpeak NG, or Piper if PIPER_MODEL is the file of its voice. The audio
    is uploaded, so that the server can run anywhere. Without a voice the clip stands in.
    """
    end_on_sigterm()
    if text is not None:
        podcast = _podcast_of(text, voice, pace)
        if podcast is not None:
            _speak(podcast, stream_id, client_id, url, token)
            return
        show(f"No voice is installed: the clip stands in. {HOW_TO_INSTALL}")
    elif voice is not None:
        raise click.UsageError("--voice needs --text.")
    root = (audio_root or _first_audio_root()).absolute()
    source = clip or demo_clip()
    bytes_per_second = bit_rate * BITS_PER_KILOBIT / BITS_PER_BYTE
    seconds = source.stat().st_size / bytes_per_second / pace
    with (
        BackendClient(url, token=token, retries=RETRIES) as backend,
        _Display(stream_id, client_id, url, seconds) as display,
    ):
        path = make_demo_podcast(
            backend,
            source,
            root,
            stream_id,
            client_id,
            pace,
            bytes_per_second=bytes_per_second,
            cues=demo_cues() if clip is None else (),
            on_progress=display.update,
        )
    show(f"The podcast is complete: {path}")


class _Display:
    """Shows the progress of a podcast: with the first one, how to listen. `seconds` is its duration, if known."""

    def __init__(self, stream_id: str, client_id: str, url: str, seconds: float | None) -> None:
        self._invitation = _invitation(stream_id, client_id, url, seconds)
        self._bar: tqdm[Any] | None = None

    def update(self, progress: Progress) -> None:
        """Show it."""
        if self._bar is None:  # The stream is announced: listeners can join.
            show(self._invitation)
            self._bar = tqdm(total=WHOLE, desc=progress.step, file=sys.stderr, bar_format=BAR)
        self._bar.set_description_str(progress.step, refresh=False)
        self._bar.update(progress.percentage - self._bar.n)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.close()


def _podcast_of(text: str, voice_name: str | None, pace: float) -> SpokenPodcast | None:
    """Return what is to be spoken, or None if no voice is installed."""
    if text == "-":
        text = sys.stdin.read(MAX_TEXT_CHARACTERS + 1)
    try:
        sentences = checked_sentences(text)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    voice = find_voice(voice_name)
    return None if voice is None else SpokenPodcast(sentences, voice, find_encoding(), pace)


def _speak(podcast: SpokenPodcast, stream_id: str, client_id: str, url: str, token: str | None) -> None:
    try:
        with (
            BackendClient(url, token=token, retries=RETRIES) as backend,
            _Display(stream_id, client_id, url, None) as display,
        ):
            length = podcast.generate(backend, stream_id, client_id, display.update)
    except VoiceFailed as error:
        raise click.ClickException(str(error)) from error
    show(f"The podcast is complete: {length} bytes, spoken by {podcast.voice.name}.")


def _first_audio_root() -> Path:
    # Imported here: only this default needs a setting of the server.
    from asf import settings  # noqa: PLC0415

    try:
        environment = settings.environment_with_dotenv(os.environ, Path(".env"))
        roots: list[Path] = settings.read_setting(environment, "audio_roots")
    except settings.SettingsError as error:
        raise click.UsageError("\n".join(error.problems)) from error
    return roots[0]


def _invitation(stream_id: str, client_id: str, url: str, seconds: float | None) -> str:
    option = elsewhere(url)
    stream, client = shlex.quote(stream_id), shlex.quote(client_id)
    duration = "" if seconds is None else f" ({seconds:.0f} s)"
    return "\n".join(
        [
            f'Generating stream "{stream_id}"{duration}. Listen while it is being generated:',
            f"  in a browser                   {url}{STREAM_PATH}/{quote(stream_id, safe='')}",
            f"  in another terminal            asf listen {stream} -o -{option} | ffplay -",
            f"Watch its progress:              asf watch {client}{option}",
        ]
    )
