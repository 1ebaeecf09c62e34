"""The AsyncAPI document describes the messages that are sent and accepted."""

import re
from typing import Any

import jsonschema_rs
import pytest

from asf.adapters.realtime_api import asyncapi_document
from asf.adapters.realtime_api.asyncapi import ASYNCAPI_VERSION
from asf.adapters.realtime_api.commands import COMMANDS
from asf.adapters.realtime_api.messages import GREETING, error_message, message_of
from asf.adapters.realtime_api.payloads import InvalidPayload
from asf.domain.errors import EpochChanged, StreamStalled
from asf.domain.streaming.events import (
    EndOfStream,
    ListenerEvent,
    SessionStatus,
    StartOfStream,
    StatusChanged,
    StreamFailed,
)
from asf.domain.streams.stream import StreamState
from tests.support.documents import problems_of, properties

DOCUMENT = asyncapi_document("1.2.3", "/ui_updates")


def fits(channel: str, message: str, payload: Any) -> bool:
    """Return whether a payload matches its description."""
    schema = {**DOCUMENT, "$ref": f"#/channels/{channel}/messages/{message}/payload"}
    return bool(jsonschema_rs.validator_for(schema).is_valid(payload))


START = StartOfStream("s", 1.5, 0, None, 4096, "audio/mpeg", "e", StreamState.GENERATING, None)
EVENTS: list[ListenerEvent] = [
    *(StatusChanged("s", status) for status in SessionStatus),
    START,
    StartOfStream("s", 1.5, 7, 9, 4096, "audio/mpeg", "e", StreamState.COMPLETE, {"title": "Tee"}),
    EndOfStream("s", 1.5, 9),
    StreamFailed("s", StreamStalled("For long."), 5),
    StreamFailed("s", EpochChanged(epoch="f"), 0),
]


@pytest.mark.parametrize("event", EVENTS, ids=str)
def test_events_to_listeners_are_described(event: ListenerEvent) -> None:
    """Over Socket.IO, and on the plain WebSocket."""
    name, payload = message_of(event)
    assert fits("audio", name, payload)
    assert fits("websocket", payload.get("event", name), payload)
    assert not fits("audio", name, {key: value for key, value in payload.items() if key != "stream_id"})


def test_errors_and_acknowledgements_are_described() -> None:
    """With and without details."""
    assert fits("audio", "connection_ack", {"message": GREETING})
    for error in (InvalidPayload(), InvalidPayload("offset: It is negative.")):
        assert fits("audio", "error", error_message(error))
        assert fits("ui_updates", "ui_error", error_message(error))


@pytest.mark.parametrize(
    ("channel", "message", "payload", "right"),
    [
        ("audio", "join_stream", {"stream_id": "s"}, True),
        ("audio", "join_stream", {"stream_id": "s", "offset": 5, "epoch": "e", "window": 1, "wait": True}, True),
        ("audio", "join_stream", {"offset": 5}, False),
        ("audio", "join_stream", {"stream_id": "s", "offset": -1}, False),
        ("audio", "join_stream", {"stream_id": "s", "window": 0}, False),
        ("audio", "seek_stream", {"offset": 1}, True),
        ("audio", "seek_stream", {}, False),
        ("audio", "audio_ack", {"received": "1"}, False),
        ("ui_updates", "subscribe_to_ui_updates", {"client_id": "c", "since": {"epoch": "", "seq": 0}}, True),
        ("ui_updates", "subscribe_to_ui_updates", {"client_id": "c", "since": {"epoch": ""}}, False),
    ],
)
def test_payloads_from_clients_are_described(channel: str, message: str, payload: Any, right: bool) -> None:
    """By the schemas that validate it."""
    assert fits(channel, message, payload) is right


def test_every_message_has_an_operation_and_every_command_a_message() -> None:
    """And all references are valid."""
    for name, channel in DOCUMENT["channels"].items():
        for message in channel["messages"]:
            operation = DOCUMENT["operations"][f"{name}.{message}"]
            assert operation["channel"]["$ref"] == f"#/channels/{name}"
            assert operation["action"] in {"send", "receive"}
    assert {command.socketio_event for command in COMMANDS} < set(DOCUMENT["channels"]["audio"]["messages"])
    assert DOCUMENT["asyncapi"] == ASYNCAPI_VERSION
    assert DOCUMENT["info"]["version"] == "1.2.3"


def test_every_field_has_a_description_and_a_valid_example() -> None:
    """In messages of both directions, and in the query of the WebSocket."""
    found = {path: problems_of(DOCUMENT, schema) for path, schema in properties(DOCUMENT)}
    assert len(found) > 60
    assert {path: problems for path, problems in found.items() if problems} == {}


def test_every_operation_has_a_tag_and_a_summary() -> None:
    """And an id that names its channel and its message."""
    for name, operation in DOCUMENT["operations"].items():
        assert re.fullmatch(r"(audio|websocket|ui_updates)\.[a-z_]+", name)
        assert operation["summary"].endswith(".")
        (tag,) = operation["tags"]
        assert tag["name"] == ("to ASF" if operation["action"] == "receive" else "from ASF")
        assert tag["description"]


def test_the_query_of_the_websocket_is_described() -> None:
    """With all parameters that a join has, except for the stream, which is in the path."""
    query = DOCUMENT["channels"]["websocket"]["bindings"]["ws"]["query"]["properties"]
    assert set(query) == {"offset", "epoch", "window", "wait", "cues", "cues_since", "token"}
    assert set(DOCUMENT["channels"]["websocket"]["parameters"]) == {"stream_id"}


def test_without_ui_updates_they_are_not_described() -> None:
    """On a server that has none."""
    assert set(asyncapi_document("1", "")["channels"]) == {"audio", "websocket"}
