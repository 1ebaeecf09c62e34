"""`asf demo`."""

import os
import shlex
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import quote

import click
from tqdm import tqdm

from asf.adapters.stream_path import STREAM_PATH
from asf.client import BackendClient
from asf.client.demo import CLIP_BYTES_PER_SECOND, WHOLE, Progress, demo_clip, make_demo_podcast
from asf.entrypoints.cli.options import RETRIES, elsewhere, examples, token_option, url_option
from asf.entrypoints.cli.output import show

BITS_PER_KILOBIT = 1000
BITS_PER_BYTE = 8

BAR = "{desc}: {percentage:3.0f} %|{bar}| {elapsed}"


@click.command(epilog=examples("asf demo", "asf demo talk --clip talk.mp3 --bit-rate 128 --pace 4"))
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
    help="Speed: 1 is real time.",
)
@token_option
@url_option
def demo(
    stream_id: str,
    client_id: str,
    audio_root: Path | None,
    clip: Path | None,
    bit_rate: float,
    pace: float,
    token: str | None,
    url: str,
) -> None:
    """Generate a demo podcast as STREAM_ID, in real time.

    Does what a voice agent and an orchestrator do, through the HTTP API only: announces the stream, writes its audio
    at about the speed of speech, and sends the client generation_progress and task_completed. The server must run on
    this machine: in this directory, or pass one of its audio roots with --audio-root.
    """
    root = (audio_root or _first_audio_root()).absolute()
    source = clip or demo_clip()
    bytes_per_second = bit_rate * BITS_PER_KILOBIT / BITS_PER_BYTE
    seconds = source.stat().st_size / bytes_per_second / pace
    with ExitStack() as stack:
        backend = stack.enter_context(BackendClient(url, token=token, retries=RETRIES))
        bar: tqdm[Any] | None = None

        def on_progress(progress: Progress) -> None:
            nonlocal bar
            if bar is None:  # The stream is announced: listeners can join.
                show(_invitation(stream_id, client_id, url, seconds))
                bar = tqdm(total=WHOLE, file=sys.stderr, bar_format=BAR)
                stack.enter_context(bar)
            bar.set_description(progress.step, refresh=False)
            bar.update(progress.percentage - bar.n)

        path = make_demo_podcast(
            backend,
            source,
            root,
            stream_id,
            client_id,
            pace,
            bytes_per_second=bytes_per_second,
            on_progress=on_progress,
        )
    show(f"The podcast is complete: {path}")


def _first_audio_root() -> Path:
    # Imported here: only this default needs the server's settings.
    from asf import settings  # noqa: PLC0415

    try:
        environment = settings.environment_with_dotenv(os.environ, Path(".env"))
        return settings.read_settings(environment).audio_roots[0]
    except settings.SettingsError as error:
        raise click.UsageError("\n".join(error.problems)) from error


def _invitation(stream_id: str, client_id: str, url: str, seconds: float) -> str:
    option = elsewhere(url)
    stream, client = shlex.quote(stream_id), shlex.quote(client_id)
    return "\n".join(
        [
            f'Generating stream "{stream_id}" ({seconds:.0f} s). Listen while it is being generated:',
            f"  in a browser                   {url}{STREAM_PATH}/{quote(stream_id, safe='')}",
            f"  in another terminal            asf listen {stream} -o -{option} | ffplay -",
            f"Watch its progress:              asf watch {client}{option}",
        ]
    )
