"""`asf streams`."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime

import click

from asf.client import BackendClient, Stream
from asf.entrypoints.cli.options import RETRIES, examples, token_option, url_option
from asf.entrypoints.cli.output import printable, show

HEADINGS = ("STREAM", "STATE", "TYPE", "ANNOUNCED", "FILE")


@click.command(epilog=examples("asf streams", "asf streams demo --json", "asf streams demo --delete"))
@click.argument("stream_id", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON per stream.")
@click.option("--delete", is_flag=True, help="Remove STREAM_ID from the catalog; its file is kept.")
@token_option
@url_option
def streams(stream_id: str | None, as_json: bool, delete: bool, token: str | None, url: str) -> None:  # noqa: FBT001
    """List the announced streams, or only STREAM_ID."""
    if delete and stream_id is None:
        raise click.UsageError("--delete needs a STREAM_ID.")
    with BackendClient(url, token=token, retries=RETRIES) as backend:
        if delete and stream_id is not None:
            backend.delete_stream(stream_id)
            show(f"Deleted {stream_id}; its file is kept.")
            return
        found: Iterable[Stream] = backend.streams(1000) if stream_id is None else [backend.stream(stream_id)]
        if as_json:
            for stream in found:
                show(json.dumps(asdict(stream)))
            return
        rows = [_row_of(stream) for stream in found]
    if not rows:
        show("No streams yet. To generate one: asf demo", err=True)
        return
    for line in table([HEADINGS, *rows]):
        show(line)


def table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return the rows as lines with aligned columns."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]


def _row_of(stream: Stream) -> tuple[str, ...]:
    announced = datetime.fromtimestamp(stream.announced_at, UTC).astimezone()
    cells = (stream.stream_id, stream.state, stream.content_type or "-", f"{announced:%Y-%m-%d %H:%M:%S}")
    return tuple(map(printable, (*cells, stream.filepath)))
