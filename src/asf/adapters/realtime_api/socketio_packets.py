"""Socket.IO's packets (protocol 5), encoded here: the library would encode them for each recipient."""

import json
from collections.abc import Callable
from typing import Any

compact_json: Callable[[Any], str] = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode
"""Return a value as JSON text without white space. One encoder for all: `json.dumps` creates one at each call."""


def connect_packet(namespace: str, sid: str) -> str:
    """Return the packet that lets a client into a namespace: type 0, CONNECT."""
    return f'0{namespace},{{"sid":"{sid}"}}'


def event_packet(namespace: str, event: str, *arguments_json: str) -> str:
    """Return the packet of an event without attachments: type 2, EVENT."""
    return f"2{namespace},[{','.join((compact_json(event), *arguments_json))}]"


def binary_event_packet(namespace: str, event: str) -> str:
    """Return the packet that announces an event with one attachment as its only argument: type 5, BINARY_EVENT.

    The attachment follows as a binary message.
    """
    return f'51-{namespace},["{event}",{{"_placeholder":true,"num":0}}]'
