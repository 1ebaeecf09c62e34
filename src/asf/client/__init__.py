"""Clients of a running ASF, in Python. They know its wire contract and nothing of its code."""

from asf.client.backend import BackendClient
from asf.client.errors import AsfClientError, RequestRefused, ServerUnreachable, StreamRefused
from asf.client.listener import StreamStart, listen
from asf.client.watcher import Missed, Subscribed, Update, watch

__all__ = [
    "AsfClientError",
    "BackendClient",
    "Missed",
    "RequestRefused",
    "ServerUnreachable",
    "StreamRefused",
    "StreamStart",
    "Subscribed",
    "Update",
    "listen",
    "watch",
]
