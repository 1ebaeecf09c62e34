"""What goes out past Socket.IO, written out here, and the connections that it goes to."""

import json
from typing import Any


def compact_json(value: Any) -> str:
    """Return a value as JSON text without white space."""
    return json.dumps(value, separators=(",", ":"))


def event_packet(namespace: str, event: str, *arguments_json: str) -> str:
    """Return the message of an event without attachments: an Engine.IO message (4) with a Socket.IO EVENT (2)."""
    return f"42{namespace},[{','.join((json.dumps(event), *arguments_json))}]"


def connection_of(server: Any, namespace: str, sid: str) -> Any:
    """Return the Engine.IO server's object for a connection of `server`, or None when it is gone."""
    return server.eio.sockets.get(server.manager.eio_sid_from_sid(sid, namespace))
