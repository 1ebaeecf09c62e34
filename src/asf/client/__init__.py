"""Python clients of a running ASF server. They depend on its wire contract only, not on its code."""

from asf.client.backend import BackendClient
from asf.client.errors import (
    AsfClientError,
    RequestRefused,
    RequestRejected,
    ServerUnreachable,
    StreamRefused,
    StreamRejected,
)
from asf.client.growing import GrowingAudio
from asf.client.listener import StreamStart, listen
from asf.client.responses import Announced, Delivered, State, Stream, UiUpdate
from asf.client.watcher import Missed, Subscribed, Update, watch

__all__ = [
    "Announced",
    "AsfClientError",
    "BackendClient",
    "Delivered",
    "GrowingAudio",
    "Missed",
    "RequestRefused",
    "RequestRejected",
    "ServerUnreachable",
    "State",
    "Stream",
    "StreamRefused",
    "StreamRejected",
    "StreamStart",
    "Subscribed",
    "UiUpdate",
    "Update",
    "listen",
    "watch",
]
