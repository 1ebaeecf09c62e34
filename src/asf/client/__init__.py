"""Clients of a running ASF, in Python. They know its wire contract and nothing of its code."""

from asf.client.backend import BackendClient
from asf.client.errors import AsfClientError, RequestRefused, ServerUnreachable, StreamRefused
from asf.client.listener import StreamStart, listen
from asf.client.watcher import Update, watch

__all__ = [
    "AsfClientError",
    "BackendClient",
    "RequestRefused",
    "ServerUnreachable",
    "StreamRefused",
    "StreamStart",
    "Update",
    "listen",
    "watch",
]
