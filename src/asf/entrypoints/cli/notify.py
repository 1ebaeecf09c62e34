"""`asf notify`."""

import os
import shlex
from pathlib import Path, PurePath
from typing import Any

import click

from asf.adapters.locator_syntax import has_scheme
from asf.client import BackendClient, State
from asf.entrypoints.cli.options import RETRIES, JsonObject, elsewhere, examples, token_option, url_option
from asf.entrypoints.cli.output import show


@click.command(
    epilog=examples(
        'asf notify demo demo/welcome.mp3 --metadata \'{"title": "Welcome"}\'',
        "asf notify talk shared_audio/talk.mp3 --state generating",
        'asf notify talk --state failed --reason "The voice service crashed."',
    )
)
@click.argument("stream_id")
@click.argument("file", required=False)
@click.option(
    "--state",
    type=click.Choice(["generating", "complete", "failed"]),
    default="complete",
    show_default=True,
    help="Whether FILE is still being written.",
)
@click.option("--content-type", metavar="TYPE", help="Media type, such as audio/mpeg.  [default: by FILE's name]")
@click.option("--metadata", type=JsonObject(), help="Metadata for listeners: a JSON object.")
@click.option(
    "--total-bytes",
    type=click.IntRange(min=0),
    metavar="N",
    help="Size of FILE when it is complete: the server waits up to 10 s until it sees that size.",
)
@click.option("--reason", help="Why the stream has failed.")
@token_option
@url_option
def notify(
    stream_id: str,
    file: str | None,
    state: State,
    content_type: str | None,
    metadata: dict[str, Any] | None,
    total_bytes: int | None,
    reason: str | None,
    token: str | None,
    url: str,
) -> None:
    """Announce FILE as the audio of STREAM_ID.

    The server reads the file itself, so it must be below one of its audio roots. FILE is required unless --state is
    failed.
    """
    if file is None and state != "failed":
        raise click.UsageError("FILE is required unless --state is failed.")
    if total_bytes is not None and state != "complete":
        raise click.UsageError("--total-bytes requires --state complete.")
    locator = None if file is None else _locator_of(file)
    with BackendClient(url, token=token, retries=RETRIES) as backend:
        announced = backend.notify_new_audio(stream_id, locator, state, content_type, metadata, reason, total_bytes)
    show(f"Announced {stream_id}: {announced.state}.")
    if locator is not None and state == "complete" and not has_scheme(locator) and not os.path.exists(locator):  # noqa: PTH110
        show(
            f"Note: {locator} does not exist on this machine. Without it on the server, listeners get no audio.",
            err=True,
        )
    if file is not None and state != "failed":
        suffix = PurePath(file).suffix
        show(f"Listen to it: asf listen {shlex.quote(stream_id)} -o out{suffix}{elsewhere(url)}")


def _locator_of(file: str) -> str:
    """Return a plain path as an absolute one; other locators stay as they are."""
    return file if has_scheme(file) else str(Path(file).absolute())
