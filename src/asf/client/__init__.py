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
from asf.client.generated_audio import GeneratedAudio
from asf.client.growing import GrowingAudio
from asf.client.listener import listen
from asf.client.reception import StreamCues, StreamStart
from asf.client.responses import Announced, CuesAdded, Delivered, Demand, State, Stream, UiUpdate
from asf.client.subscription import Missed, Subscribed, Update
from asf.client.uploading import UploadedAudio
from asf.client.watcher import watch

__all__ = [
    "Announced",
    "AsfClientError",
    "BackendClient",
    "CuesAdded",
    "Delivered",
    "Demand",
    "GeneratedAudio",
    "GrowingAudio",
    "Missed",
    "RequestRefused",
    "RequestRejected",
    "ServerUnreachable",
    "State",
    "Stream",
    "StreamCues",
    "StreamRefused",
    "StreamRejected",
    "StreamStart",
    "Subscribed",
    "UiUpdate",
    "Update",
    "UploadedAudio",
    "listen",
    "watch",
]
