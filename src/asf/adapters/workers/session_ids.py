"""Session ids of Engine.IO that say which worker has the session: SLOT-GENERATION-RANDOM."""

import re
from typing import NamedTuple

_PATH = b"/socket.io/"
_REQUEST = re.compile(rb"[A-Z]+ (?:https?://[^/?# ]*)?/socket\.io/\?([^# \r\n]*)")
_SID = re.compile(rb"(?:^|&)sid=([^&]*)")
_OWNER = re.compile(rb"(\d{1,3})-(\d{1,15})-")
_WEBSOCKET = re.compile(rb"(?:^|&)transport=websocket(?:&|$)")


class Owner(NamedTuple):
    """The worker that has a session."""

    slot: int
    generation: int

    def sid(self, random: str) -> str:
        """Return a session id of this worker that ends in a random text."""
        return f"{self.slot}-{self.generation}-{random}"


class SocketIoRequest(NamedTuple):
    """What the first line of a request to Socket.IO says. `owner` is None for an id that no worker has given."""

    sid: bytes
    """Empty for a request that begins a session."""
    owner: Owner | None
    is_websocket: bool


def read_request_line(line: bytes) -> SocketIoRequest | None:
    """Return what a request line says; None unless it is for Socket.IO."""
    request = _REQUEST.match(line) if _PATH in line else None
    if request is None:
        return None
    sid = _SID.search(request[1])
    is_websocket = _WEBSOCKET.search(request[1]) is not None
    if sid is None or not sid[1]:
        return SocketIoRequest(b"", None, is_websocket)
    owner = _OWNER.match(sid[1])
    return SocketIoRequest(sid[1], Owner(int(owner[1]), int(owner[2])) if owner else None, is_websocket)
