"""`asf status`."""

from collections.abc import Iterator
from itertools import islice
from typing import Any

import click

from asf.client.operations import OperatorClient
from asf.entrypoints.cli.options import RETRIES, examples, token_option, url_option
from asf.entrypoints.cli.output import json_line, printable, show
from asf.entrypoints.cli.quantities import age_of, bytes_text, duration_text, milliseconds_text
from asf.entrypoints.cli.streams import table

Json = dict[str, Any]

MAX_STREAMS = 20
"""Streams that are shown without --json. Those with the most listeners come first."""

NODE_HEADINGS = (
    "NODE",
    "STATE",
    "VERSION",
    "UP",
    "LISTENERS",
    "BLOCKED",
    "SUBSCRIBERS",
    "UPLOADS",
    "CONNECTIONS",
    "LONGEST TURN",
    "REDIS",
    "MEMORY",
)
SESSION_HEADINGS = ("SESSION", "NODE", "TRANSPORT", "ADDRESS", "SINCE", "BYTES", "STATE", "WAITS FOR")
STREAM_HEADINGS = ("LISTENERS", "BLOCKED", "TRANSPORTS", "STREAM")
"""An id can be longer than a line: as the last column it does not widen the others."""


@click.command(
    epilog=examples(
        "asf status",
        "asf status --stream demo",
        "asf status --client alice --json",
        "asf status --disconnect http-3fa9c1-17.18",
    )
)
@click.option("--stream", "stream_id", metavar="ID", help="List who listens to a stream, and who uploads it.")
@click.option("--client", "client_id", metavar="ID", help="List who subscribes to the UI updates of a client.")
@click.option("--address", metavar="IP", help="List the sessions of an address.")
@click.option("--disconnect", "session_id", metavar="SESSION", help="Disconnect a session.")
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON per node or session.")
@token_option
@url_option
def status(
    stream_id: str | None,
    client_id: str | None,
    address: str | None,
    session_id: str | None,
    as_json: bool,  # noqa: FBT001
    token: str | None,
    url: str,
) -> None:
    """Show the nodes, who listens to what, and why joins are rejected.

    One node answers for all that share its Redis. LONGEST TURN is how long its event loop was blocked at most in the
    last five minutes: all its clients wait meanwhile.
    """
    wanted = {"stream_id": stream_id, "client_id": client_id, "address": address}
    if session_id is not None and any(wanted.values()):
        raise click.UsageError("--disconnect takes no other selection.")
    with OperatorClient(url, token=token, retries=RETRIES) as operator:
        if session_id is not None:
            ended = operator.disconnect(session_id)
            show(f"Disconnected {ended['kind']} {session_id} on {ended['node']}.")
        elif any(wanted.values()):
            _show_sessions(operator.sessions(**wanted), as_json=as_json)
        else:
            _show_nodes(operator, as_json=as_json)


def _show_sessions(pages: Iterator[Json], *, as_json: bool) -> None:
    rows: list[tuple[str, ...]] = []
    page: Json = {}
    for page in pages:
        for session in page["sessions"]:
            if as_json:
                show(json_line(session))
            else:
                rows.append(_session_row(session))
    if rows:
        _show_table([SESSION_HEADINGS, *rows])
    elif not as_json:
        show("Nobody.", err=True)
    _show_gaps(page)


def _show_nodes(operator: OperatorClient, *, as_json: bool) -> None:
    body = operator.nodes()
    if as_json:
        for node in body["nodes"]:
            show(json_line(node))
        _show_gaps(body)
        return
    _show_table([NODE_HEADINGS, *map(_node_row, body["nodes"])])
    _show_shared_limits(body["nodes"])
    for node in body["nodes"]:
        for problem in node["problems"]:
            show(f"{node['node']}: {problem}", err=True)
    _show_gaps(body)
    _show_rejections(body)
    _show_streams(operator.listened_streams())


def _show_shared_limits(nodes: list[Json]) -> None:
    limits = sorted({node["max_listeners"] for node in nodes if node["worker"] is not None})
    if limits:
        show(f"The workers of a server share its limit: {' or '.join(map(str, limits))} listeners together.")


def _show_rejections(body: Json) -> None:
    totals: dict[str, int] = {}
    latest: dict[str, float] = {}
    for node in body["nodes"]:
        for code, count in node["joins_rejected"].items():
            totals[code] = totals.get(code, 0) + count
        for code, seconds in node["latest_rejections"].items():
            latest[code] = min(seconds, latest.get(code, seconds))
    if totals:
        show("\nRejected joins since the start of each node:")
        codes = sorted(totals, key=lambda code: (-totals[code], code))
        _show_table([_rejection_row(code, totals[code], latest[code], body["explanations"]) for code in codes])
        show("The logs of the nodes have the stream and the address of each: search them for `join rejected`.")


def _rejection_row(code: str, count: int, latest: float, explanations: dict[str, str]) -> tuple[str, ...]:
    return str(count), code, f"latest {duration_text(latest)} ago", explanations.get(code, "")


def _show_streams(pages: Iterator[Json]) -> None:
    streams = [stream for page in pages for stream in page["streams"]]
    if not streams:
        show("\nNobody listens.")
        return
    show("")
    streams.sort(key=lambda stream: (-stream["listeners"], stream["stream_id"]))
    _show_table([STREAM_HEADINGS, *map(_stream_row, islice(streams, MAX_STREAMS))])
    if len(streams) > MAX_STREAMS:
        show(f"and {len(streams) - MAX_STREAMS} more")


def _show_gaps(body: Json) -> None:
    """Say which nodes are missing in what was shown."""
    for silent in body.get("not_answering", ()):
        seen = duration_text(silent["last_seen_seconds"])
        show(f"{silent['node']} does not answer. Its latest heartbeat was {seen} ago.", err=True)
    if body.get("problem"):
        show(f"Other nodes could not be asked: {body['problem']}", err=True)


def _show_table(rows: list[tuple[str, ...]]) -> None:
    for line in table([tuple(map(printable, row)) for row in rows]):
        show(line)


def _node_row(node: Json) -> tuple[str, ...]:
    redis = node["redis"]
    connection = "-" if redis is None else "lost"
    if redis is not None and redis["connected"]:
        connection = milliseconds_text(redis["latency_seconds"])
    longest = node["longest_turn_seconds"]
    name, listeners = node["node"], f"{node['listeners']}/{node['max_listeners']}"
    if node["worker"] is not None:  # The limit is not its own.
        name, listeners = f"{name} (worker {node['worker']})", str(node["listeners"])
    return (
        name,
        node["state"],
        node["version"],
        duration_text(node["uptime_seconds"]),
        listeners,
        str(node["listeners_blocked"]),
        str(node["subscribers"]),
        str(node["uploads"]),
        str(node["connections"]),
        "-" if longest is None else milliseconds_text(longest),
        connection,
        bytes_text(node["memory_bytes"]),
    )


def _session_row(session: Json) -> tuple[str, ...]:
    address = session["address"] or "-"
    if session["forwarded_for"]:
        address += f" (for {session['forwarded_for']})"
    waits = session["waits_for"] or "-"
    if session["silent_seconds"] is not None:
        waits += f" ({duration_text(session['silent_seconds'])})"
    return (
        session["id"],
        session["node"],
        session["transport"] or "-",
        address,
        f"{age_of(session['since'])} ago",
        "-" if session["bytes"] is None else bytes_text(session["bytes"]),
        session["state"] if session["kind"] != "upload" else "upload",
        waits,
    )


def _stream_row(stream: Json) -> tuple[str, ...]:
    transports = ", ".join(f"{count} {name}" for name, count in sorted(stream["transports"].items()))
    return str(stream["listeners"]), str(stream["blocked"]), transports, stream["stream_id"]
