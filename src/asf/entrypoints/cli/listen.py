"""`asf listen`."""

import sys
from contextlib import ExitStack
from typing import IO, NoReturn

import click
from tqdm import tqdm

from asf.client import StreamCues, StreamRejected, StreamStart
from asf.client import listen as listen_to
from asf.entrypoints.cli.options import access_token_option, examples, patience_option, url_option
from asf.entrypoints.cli.output import json_line, printable, show


@click.command(
    epilog=examples(
        "asf listen demo -o out.mp3", "asf listen demo --wait -o - | ffplay -", "asf listen demo --cues > cues.jsonl"
    )
)
@click.argument("stream_id")
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    type=click.Path(dir_okay=False, allow_dash=True),
    help="File to write the audio to; - is standard output.",
)
@click.option(
    "--cues",
    is_flag=True,
    help="Print the stream's cues as JSON, one per line: to standard output, or to standard error with -o -.",
)
@click.option("--wait", is_flag=True, help="Wait if the stream is not announced yet.")
@patience_option("a byte")
@access_token_option
@url_option
def listen(
    stream_id: str,
    output: str | None,
    cues: bool,  # noqa: FBT001
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
        bar: tqdm[NoReturn]
        sink: IO[bytes] | None = None

        def on_start(start: StreamStart) -> None:
            nonlocal bar, sink
            bar = stack.enter_context(
                tqdm(total=start.total_bytes, unit="B", unit_scale=True, desc=printable(stream_id), file=sys.stderr)
            )
            if output is not None:
                sink = stack.enter_context(click.open_file(output, "wb"))

        def write(chunk: bytes) -> None:
            if sink is not None:
                sink.write(chunk)
                sink.flush()  # For a player behind a pipe.
            bar.update(len(chunk))

        def on_cues(received: StreamCues) -> None:
            file = sys.stderr if output == "-" else sys.stdout
            for cue in received.cues:
                bar.write(json_line(cue), file=file)
            file.flush()

        if wait:
            show(f"Listening to {stream_id} as soon as it is announced (Ctrl-C to stop)", err=True)
        try:
            listen_to(
                url,
                stream_id,
                write,
                on_start,
                on_cues=on_cues if cues else None,
                wait=wait,
                token=token,
                patience=patience,
            )
        except StreamRejected as error:
            if error.error_code != "ASF_STREAM_NOT_FOUND" or wait:
                raise
            raise click.ClickException(f"{error}\nTo wait until it is announced, add --wait.") from error
