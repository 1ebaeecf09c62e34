"""`asf listen`."""

import sys
from contextlib import ExitStack
from typing import IO

import click
from tqdm import tqdm

from asf.client import StreamStart
from asf.client import listen as listen_to
from asf.entrypoints.cli.options import access_token_option, examples, url_option
from asf.entrypoints.cli.output import printable


@click.command(epilog=examples("asf listen demo -o out.mp3", "asf listen demo --wait -o - | ffplay -"))
@click.argument("stream_id")
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    type=click.Path(dir_okay=False, allow_dash=True),
    help="File to write the audio to; - is standard output.",
)
@click.option("--wait", is_flag=True, help="Wait if the stream is not announced yet.")
@click.option(
    "--patience",
    type=click.FloatRange(min=0),
    default=60.0,
    show_default=True,
    help="Seconds without a byte after which to stop reconnecting.",
)
@access_token_option
@url_option
def listen(
    stream_id: str,
    output: str | None,
    wait: bool,  # noqa: FBT001
    patience: float,
    token: str | None,
    url: str,
) -> None:
    """Listen to STREAM_ID until its end.

    Reconnects if the connection is lost, and resumes at the same byte.

    FILE is created when the stream starts. If the stream is not found, an existing FILE is left untouched.
    """
    with ExitStack() as stack:
        bar = stack.enter_context(tqdm(unit="B", unit_scale=True, desc=printable(stream_id), file=sys.stderr))
        sink: IO[bytes] | None = None

        def on_start(start: StreamStart) -> None:
            nonlocal sink
            bar.reset(start.total_bytes)
            if output is not None:
                sink = stack.enter_context(click.open_file(output, "wb"))

        def write(chunk: bytes) -> None:
            if sink is not None:
                sink.write(chunk)
                sink.flush()  # For a player behind a pipe.
            bar.update(len(chunk))

        listen_to(url, stream_id, write, on_start, wait=wait, token=token, patience=patience)
