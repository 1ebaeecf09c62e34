"""The AsyncAPI document of the real-time API, generated from the schemas of its messages."""

from dataclasses import dataclass
from typing import Any, Literal

from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin
from marshmallow import Schema

from asf.adapters import field_docs as docs
from asf.adapters.realtime_api import outbound_schemas, payloads
from asf.adapters.realtime_api.audio_namespace import AUDIO_NAMESPACE
from asf.adapters.realtime_api.commands import COMMANDS
from asf.adapters.realtime_api.listener_emitter import AUDIO_CHUNK, STREAM_CUES

ASYNCAPI_VERSION = "3.0.0"
WS_BINDING_VERSION = "0.1.0"
"""The version of AsyncAPI's WebSockets binding."""
JSON_SCHEMA_OF = "3.1.0"
"""The version of OpenAPI whose schemas are plain JSON Schema, like AsyncAPI's."""

BINARY = "application/octet-stream"
AUDIO: dict[str, Any] = {"type": "string", "format": "binary", "description": "Bytes of the audio, nothing else."}
ANY_JSON: dict[str, Any] = docs.UPDATE_DATA


TAGS = {"to ASF": "Messages that clients send.", "from ASF": "Messages that clients receive."}
"""Descriptions of the tags of operations."""


@dataclass(frozen=True)
class Message:
    """One event: its direction, its name, and its payload: one of one or more schemas."""

    direction: Literal["receive", "send"]
    """As seen from ASF."""
    name: str
    summary: str
    payload: tuple[Schema | type[Schema] | dict[str, Any], ...]

    @property
    def tag(self) -> str:
        """Who sends it: one of `TAGS`."""
        return "from ASF" if self.direction == "send" else "to ASF"


def _messages_of_audio() -> list[Message]:
    return [
        Message(
            "send", "connection_ack", "Acknowledges the connection of a listener.", (outbound_schemas.GreetingSchema,)
        ),
        Message("receive", "join_stream", "Starts a session.", (payloads.JoinStreamSchema,)),
        *(Message("receive", command.socketio_event, command.summary, (command.schema,)) for command in COMMANDS),
        Message("send", "stream_status", "Reports the status of the session.", (outbound_schemas.StatusSchema,)),
        Message(
            "send",
            "audio_control",
            "Marks the start and the end of the audio.",
            (outbound_schemas.StartOfStreamSchema, outbound_schemas.EndOfStreamSchema),
        ),
        Message("send", AUDIO_CHUNK, "Raw audio bytes.", (AUDIO,)),
        Message("send", STREAM_CUES, "Cues, if the join asked for them.", (outbound_schemas.StreamCuesSchema,)),
        Message(
            "send", "stream_error", "Reports the error that ended the session.", (outbound_schemas.StreamErrorSchema,)
        ),
        Message("send", "error", "Reports an error in an event.", (outbound_schemas.ErrorSchema,)),
    ]


def _messages_of_updates() -> list[Message]:
    return [
        Message(
            "send",
            "ui_connection_ack",
            "Acknowledges the connection of a subscriber.",
            (outbound_schemas.GreetingSchema,),
        ),
        Message("receive", "subscribe_to_ui_updates", "Starts a subscription.", (payloads.SubscribeSchema,)),
        Message("receive", "unsubscribe_from_ui_updates", "Ends a subscription.", (payloads.UnsubscribeSchema,)),
        Message("send", "subscribed_ui_updates", "Confirms a subscription.", (outbound_schemas.SubscribedSchema,)),
        Message(
            "send", "ui_error", "Reports an error, or the end of a subscription.", (outbound_schemas.UiErrorSchema,)
        ),
        Message(
            "send",
            "{event_name}",
            "An update, with the name and the data from the backend. If the subscription has `since`, a second "
            "argument holds its position: epoch, seq, timestamp.",
            (ANY_JSON,),
        ),
    ]


def _messages_of_websocket() -> list[Message]:
    return [
        *(Message("receive", command.name, command.summary, (command.schema,)) for command in COMMANDS),
        Message("send", "stream_status", "Reports the status of the session.", (outbound_schemas.StatusSchema,)),
        Message(
            "send",
            "start_of_stream",
            "The start of the audio, which follows as binary messages.",
            (outbound_schemas.StartOfStreamSchema,),
        ),
        Message("send", "audio", "Raw audio bytes, as a binary message.", (AUDIO,)),
        Message("send", "end_of_stream", "The end of the audio.", (outbound_schemas.EndOfStreamSchema,)),
        Message("send", STREAM_CUES, "Cues, if the join asked for them.", (outbound_schemas.StreamCuesSchema,)),
        Message(
            "send", "stream_error", "Reports the error that ended the session.", (outbound_schemas.StreamErrorSchema,)
        ),
        Message("send", "error", "Reports an error in a message.", (outbound_schemas.ErrorSchema,)),
    ]


def asyncapi_document(version: str, ui_updates_namespace: str) -> dict[str, Any]:
    """Return the description of ASF in version `version`. An empty `ui_updates_namespace` omits UI updates."""
    schemas = _Schemas()
    channels = {
        "audio": _Channel(
            AUDIO_NAMESPACE, "Socket.IO namespace of audio. One stream per connection.", _messages_of_audio()
        ),
        "websocket": _Channel(
            f"{AUDIO_NAMESPACE}/{{stream_id}}",
            "The stream by its URL, as a plain WebSocket. The name of a message is in its field `event`; the "
            "parameters of the join are in the query: offset, epoch, window, wait, cues, cues_since, token.",
            _messages_of_websocket(),
            payloads.ListenQuerySchema(exclude=("stream_id",)),
        ),
    }
    if ui_updates_namespace:
        channels["ui_updates"] = _Channel(
            ui_updates_namespace, "Socket.IO namespace of UI updates.", _messages_of_updates()
        )
    return {
        "asyncapi": ASYNCAPI_VERSION,
        "info": {
            "title": "Audio Stream Feeder",
            "version": version,
            "description": "The real-time API of ASF: Socket.IO 5 at /socket.io/, and plain WebSockets.",
        },
        "defaultContentType": "application/json",
        "channels": {name: channel.described(schemas) for name, channel in channels.items()},
        "operations": {
            f"{name}.{message.name.strip('{}')}": {
                "action": message.direction,
                "summary": message.summary,
                "tags": [{"name": message.tag, "description": TAGS[message.tag]}],
                "channel": {"$ref": f"#/channels/{name}"},
                "messages": [{"$ref": f"#/channels/{name}/messages/{message.name.strip('{}')}"}],
            }
            for name, channel in channels.items()
            for message in channel.messages
        },
        "components": {"schemas": schemas.components},
    }


@dataclass(frozen=True)
class _Channel:
    address: str
    description: str
    messages: list[Message]
    query: Schema | None = None
    """Parameters of a WebSocket's URL."""

    def described(self, schemas: "_Schemas") -> dict[str, Any]:
        channel: dict[str, Any] = {
            "address": self.address,
            "description": self.description,
            "messages": {
                message.name.strip("{}"): {
                    "name": message.name,
                    "summary": message.summary,
                    "contentType": BINARY if message.payload == (AUDIO,) else "application/json",
                    "payload": schemas.of(message.payload),
                }
                for message in self.messages
            },
        }
        if "{stream_id}" in self.address:
            described = {"description": "The stream id, percent-encoded.", "examples": [docs.EXAMPLE_STREAM]}
            channel["parameters"] = {"stream_id": described}
        if self.query is not None:
            channel["bindings"] = {
                "ws": {"query": schemas.converted(self.query), "bindingVersion": WS_BINDING_VERSION}
            }
        return channel


class _Schemas:
    """Converts marshmallow schemas to JSON Schema, each once, under the name of its class."""

    def __init__(self) -> None:
        plugin = MarshmallowPlugin(schema_name_resolver=_name_of)
        self._spec = APISpec("", "", JSON_SCHEMA_OF, plugins=[plugin])
        self._converter: Any = plugin.converter

    @property
    def components(self) -> dict[str, Any]:
        """All converted schemas, by their names."""
        components: dict[str, Any] = self._spec.to_dict()["components"]["schemas"]
        return components

    def converted(self, schema: Schema) -> dict[str, Any]:
        """Return the JSON Schema of one that has no name."""
        converted: dict[str, Any] = self._converter.schema2jsonschema(schema)
        return converted

    def of(self, payload: tuple[Schema | type[Schema] | dict[str, Any], ...]) -> dict[str, Any]:
        """Return the JSON Schema of a payload."""
        found = [one if isinstance(one, dict) else self._converter.resolve_nested_schema(one) for one in payload]
        return found[0] if len(found) == 1 else {"oneOf": found}


def _name_of(schema: Any) -> str:
    """Return the name of a schema's component: its class's, without the suffix."""
    kind = schema if isinstance(schema, type) else type(schema)
    return kind.__name__.removesuffix("Schema")
