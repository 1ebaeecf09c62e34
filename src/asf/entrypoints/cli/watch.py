"""`asf watch`."""

import click

from asf.client import Missed, Subscribed
from asf.client import watch as watch_client
from asf.entrypoints.cli.options import access_token_option, examples, url_option
from asf.entrypoints.cli.output import json_line, show


@click.command(epilog=examples("asf watch alice", "asf watch alice --history -n 10"))
@click.argument("client_id")
@click.option("--namespace", default="/ui_updates", show_default=True, help="The server's ASF_UI_UPDATES_NAMESPACE.")
@click.option("-n", "--count", type=click.IntRange(min=1), help="Stop after this many updates.")
@click.option("--history", is_flag=True, help="Start with the updates that the server has kept.")
@access_token_option
@url_option
def watch(
    client_id: str,
    namespace: str,
    count: int | None,
    history: bool,  # noqa: FBT001
    token: str | None,
    url: str,
) -> None:
    """Print the UI updates of CLIENT_ID as lines of JSON.

    Each is printed when it arrives. If the connection is lost, reconnects and prints the updates that were missed.
    """
    seen = 0
    for item in watch_client(url, client_id, namespace, history=history, token=token):
        match item:
            case Subscribed():
                show(f"Watching {client_id} (Ctrl-C to stop)", err=True)
            case Missed():
                show("Missed updates: you were disconnected longer than the server keeps history.", err=True)
            case _:
                line = {"event": item.event_name, "data": item.data, "seq": item.seq}
                show(json_line(line))
                seen += 1
                if seen == count:
                    return
