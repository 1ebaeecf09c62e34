"""Who sends the current request."""

from flask import request

from asf.adapters.forwarding import forwarded_for
from asf.domain.peer import Peer, Transport


def current_peer() -> Peer:
    """Return the client of the current request."""
    return Peer(Transport.HTTP, request.environ.get("REMOTE_ADDR", ""), forwarded_for(request.environ))
