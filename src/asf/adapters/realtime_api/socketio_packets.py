"""Socket.IO's packets (protocol 5), encoded here: the library would encode them for each recipient."""

import json
from typing import Any


def compact_json(value: Any) -> str:
    """Return a value as JSON text without white space."""
    return json.dumps(value, separators=(",", ":"))


def event_packet(namespace: str, event: str, *arguments_json: str) -> str:
    """Return the packet of an event without attachments: type 2, EVENT."""
    return f"2{namespace},[{','.join((json.dumps(event), *arguments_json))}]"


def binary_event_packet(namespace: str, event: str) -> str:
    """Return the packet that announces an event with one attachment as its only argument: type 5, BINARY_EVENT.

    The attachment follows as a binary message.
    """
    return f'51-{namespace},["{event}",{{"_placeholder":true,"num":0}}]'
