"""`asf notify`."""

import shlex
from pathlib import Path, PurePath
from typing import Any

import click

from asf.client import BackendClient, State
from asf.entrypoints.cli.options import RETRIES, JsonObject, elsewhere, examples, token_option, url_option


@click.command(
    epilog=examples(
        'asf notify demo demo/welcome.mp3 --metadata \'{"title": "Welcome"}\'',
        "asf notify talk shared_audio/talk.mp3 --state generating",
        'asf notify talk --state failed --reason "The voice is gone."',
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
@click.option("--content-type", metavar="TYPE", help="Media type, such as audio/mpeg; else FILE's name tells it.")
@click.option("--metadata", type=JsonObject(), help="What listeners are told of the stream: a JSON object.")
@click.option("--reason", help="Why it has failed.")
@token_option
@url_option
def notify(
    stream_id: str,
    file: str | None,
    state: State,
    content_type: str | None,
    metadata: dict[str, Any] | None,
    reason: str | None,
    token: str | None,
    url: str,
) -> None:
    """Announce FILE as the audio of STREAM_ID.

    The server reads the file itself: it must lie below one of its audio roots. FILE may be left out to say that a
    known stream has failed.
    """
    if file is None and state != "failed":
        raise click.UsageError("FILE may be left out with --state failed only.")
    with BackendClient(url, token=token, retries=RETRIES) as backend:
        locator = None if file is None else _locator_of(file)
        announced = backend.notify_new_audio(stream_id, locator, state, content_type, metadata, reason)
    click.echo(f"Announced {stream_id}: {announced.state}.")
    if file is not None and state != "failed":
        suffix = PurePath(file).suffix
        click.echo(f"Listen to it: asf listen {shlex.quote(stream_id)} -o out{suffix}{elsewhere(url)}")


def _locator_of(file: str) -> str:
    """Return a path as it is seen from everywhere on this machine; other locators stay as they are."""
    return file if "://" in file or file.startswith("queue:") else str(Path(file).absolute())
