"""`asf push`."""

from typing import Any

import click

from asf.client import BackendClient
from asf.entrypoints.cli.options import RETRIES, Json, examples, token_option, url_option


@click.command(
    epilog=examples(
        "asf push alice generation_progress '{\"percentage\": 50}'",
        'asf push alice task_completed \'{"stream_id": "talk"}\' --idempotency-key talk-done',
    )
)
@click.argument("client_id")
@click.argument("event")
@click.argument("data", type=Json(), metavar="JSON")
@click.option("--idempotency-key", metavar="KEY", help="The same update with the same key is sent once in 5 minutes.")
@token_option
@url_option
def push(client_id: str, event: str, data: Any, idempotency_key: str | None, token: str | None, url: str) -> None:
    """Send a UI update, EVENT with JSON as its data, to whoever watches CLIENT_ID."""
    with BackendClient(url, token=token, retries=RETRIES) as backend:
        delivered = backend.send_ui_update(client_id, event, data, idempotency_key)
    if delivered.duplicate:
        click.echo(f"Sent before, as update {delivered.seq} of {client_id}.")
    else:
        click.echo(f"Sent to {delivered.subscribers} subscriber(s) of {client_id}.")
