"""`asf push`."""

from typing import Any

import click

from asf.client import BackendClient
from asf.entrypoints.cli.options import RETRIES, Json, examples, token_option, url_option
from asf.entrypoints.cli.output import show


@click.command(
    epilog=examples(
        "asf push alice generation_progress '{\"percentage\": 50}'",
        'asf push alice task_completed \'{"stream_id": "talk"}\' --idempotency-key talk-done',
    )
)
@click.argument("client_id")
@click.argument("event")
@click.argument("data", type=Json(), metavar="JSON")
@click.option("--idempotency-key", metavar="KEY", help="An update with the same key is sent only once in 5 minutes.")
@token_option
@url_option
def push(client_id: str, event: str, data: Any, idempotency_key: str | None, token: str | None, url: str) -> None:
    """Send a UI update to the subscribers of CLIENT_ID.

    EVENT is its name, and JSON its data.
    """
    with BackendClient(url, token=token, retries=RETRIES) as backend:
        delivered = backend.send_ui_update(client_id, event, data, idempotency_key)
    if delivered.duplicate:
        show(f"Already sent, as update {delivered.seq} of {client_id}.")
    else:
        show(f"Sent to {delivered.subscribers} subscriber(s) of {client_id}.")
