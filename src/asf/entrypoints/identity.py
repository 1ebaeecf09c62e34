"""Who this process is among the nodes that share a Redis."""

import os
import secrets
import socket

import asf
from asf.application.node_status import NodeIdentity

TAG_BYTES = 3
"""Random bytes in the name of a node: several may have the same host name."""


def create_identity(worker: int | None = None) -> NodeIdentity:
    """Return who this process is: the name of the host, and a tag that no other node has.

    `worker` is its number among the worker processes of a server; None if it is the only one.
    """
    host, tag = socket.gethostname(), secrets.token_hex(TAG_BYTES)
    return NodeIdentity(f"{host}-{tag}", tag, host, os.getpid(), worker, asf.__version__)
