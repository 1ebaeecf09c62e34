"""`asf upload`."""

import shlex
import sys
from collections.abc import Callable
from io import SEEK_END
from pathlib import Path
from typing import IO, Any

import click
from tqdm import tqdm

from asf.adapters.media_types import CONTENT_TYPES, SUFFIXES, sniffed_type
from asf.client import BackendClient, ServerUnreachable, UploadedAudio
from asf.entrypoints.cli.options import (
    RETRIES,
    JsonObject,
    elsewhere,
    examples,
    patience_option,
    token_option,
    url_option,
)
from asf.entrypoints.cli.output import printable, show
from asf.entrypoints.cli.termination import end_on_sigterm

PIECE_BYTES = 64 * 1024
STANDARD_INPUT = "-"


@click.command(
    epilog=examples(
        'asf upload talk talk.mp3 --metadata \'{"title": "Talk"}\'',
        "ffmpeg -i talk.wav -f mp3 - | asf upload talk --content-type audio/mpeg",
        "asf upload talk talk.mp3 --resume",
    )
)
@click.argument("stream_id")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True), default=STANDARD_INPUT)
@click.option("--content-type", metavar="TYPE", help="Media type, such as audio/mpeg.  [default: by FILE's name]")
@click.option("--metadata", type=JsonObject(), help="Metadata for listeners: a JSON object.")
@click.option("--resume", is_flag=True, help="Continue an upload of FILE that was interrupted.")
@patience_option("progress")
@token_option
@url_option
def upload(
    stream_id: str,
    file: str,
    content_type: str | None,
    metadata: dict[str, Any] | None,
    resume: bool,  # noqa: FBT001
    patience: float,
    token: str | None,
    url: str,
) -> None:
    """Upload FILE, or standard input, as the audio of STREAM_ID; listeners receive it meanwhile.

    Reconnects if the connection is lost, and resumes at the same byte. After Ctrl-C or SIGTERM, the upload of a FILE
    can be continued with --resume, until the server gives it up (ASF_STALL_GIVE_UP_SECONDS); that of standard input
    has failed.
    """
    if resume and file == STANDARD_INPUT:
        raise click.UsageError("--resume requires FILE.")
    end_on_sigterm()
    content_type = content_type or CONTENT_TYPES.get(Path(file).suffix.lower())
    with click.open_file(file, "rb") as source, BackendClient(url, token=token, retries=RETRIES) as backend:
        generating = backend.generating(
            stream_id, content_type=content_type, metadata=metadata, resume=resume, patience=patience
        )
        with generating as audio:
            try:
                beginning = _send(source, audio)
            except (KeyboardInterrupt, ServerUnreachable):
                if file != STANDARD_INPUT and source.seekable():
                    audio.leave_open()
                    command = f"asf upload {shlex.quote(stream_id)} {shlex.quote(file)} --resume{elsewhere(url)}"
                    show(f"To continue: {command}", err=True)
                raise
    show(f"Uploaded {stream_id}: {audio.total_bytes} bytes.")
    suffix = Path(file).suffix or SUFFIXES.get(content_type or sniffed_type(beginning) or "", "")
    show(f"Listen to it: asf listen {shlex.quote(stream_id)} -o out{suffix}{elsewhere(url)}")


def _send(source: IO[bytes], audio: UploadedAudio) -> bytes:
    """Write what there is to read, as soon as it can be read, and complete the audio. Shows it on a terminal.

    Returns the first bytes that were written.
    """
    beginning, total_bytes = b"", None
    if source.seekable():
        total_bytes = source.seek(0, SEEK_END)
        if audio.tell() > total_bytes:
            audio.leave_open()
            raise click.ClickException(f"The server has {audio.tell()} bytes, more than this file: {total_bytes}.")
        source.seek(audio.tell())
    read: Callable[[int], bytes] = getattr(source, "read1", source.read)  # Does not wait until the piece is full.
    bar = tqdm(
        total=total_bytes,
        initial=audio.tell(),
        unit="B",
        unit_scale=True,
        desc=printable(audio.stream_id),
        file=sys.stderr,
        disable=None,  # if it is not a terminal
    )
    with bar:
        while piece := read(PIECE_BYTES):
            audio.write(piece)
            beginning = beginning or piece
            bar.update(len(piece))
        audio.finish()
    return beginning
