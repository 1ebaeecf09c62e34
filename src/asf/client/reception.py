"""What a listener has received of a stream, over all its connections, and what it sends. No I/O.

The blocking and the asyncio client connect it to their Socket.IO clients.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from asf.client.errors import AsfClientError, ServerUnreachable, StreamRejected

AUDIO_NAMESPACE = "/api/v1/podcasts/stream"

WINDOW_BYTES = 1 << 20
"""How far the server may be ahead of what was written: enough for 10 MB/s at a round trip of 0.1 s."""

ACK_BYTES = WINDOW_BYTES // 4
"""Bytes after which what was written is acknowledged."""


@dataclass(frozen=True, slots=True)
class StreamStart:
    """Start of a stream, before its first byte. `total_bytes` is None while the size is unknown."""

    stream_id: str
    total_bytes: int | None


@dataclass(frozen=True, slots=True)
class StreamCues:
    """Some cues of the stream, each a JSON object, in the order in which they were posted."""

    epoch: str
    cues: Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class CuesMessage:
    """A message with cues."""

    message: dict[str, Any]

    @property
    def cues(self) -> StreamCues:
        """The cues in it."""
        return StreamCues(self.message["epoch"], self.message["cues"])


Received = bytes | StreamStart | CuesMessage | AsfClientError | None
"""What arrives, in order: chunks, starts, cues, failures, and None for the end. The window bounds the chunks."""


@dataclass(slots=True)
class Reception:
    """Progress of a listener.

    `written` counts the bytes from the stream's byte 0 on, `acknowledged` those that the server knows of on this
    connection, `cues_seq` is the number of the last cue.
    """

    stream_id: str
    wait: bool
    token: str | None
    with_cues: bool = False
    joined: bool = False
    epoch: str | None = None
    written: int = 0
    acknowledged: int = 0
    cues_seq: int = 0

    def request(self) -> dict[str, Any]:
        """Return the payload of `join_stream`."""
        self.acknowledged = self.written
        request: dict[str, Any] = {"stream_id": self.stream_id, "window": WINDOW_BYTES}
        if self.epoch is None:
            request["wait"] = self.wait
        else:
            request |= {"offset": self.written, "epoch": self.epoch}
        if self.with_cues:
            request |= {"cues": True, "cues_since": self.cues_seq}
        if self.token is not None:
            request["token"] = self.token
        return request

    def handlers(self, put: Callable[[Received], object]) -> dict[str, Callable[..., object]]:
        """Return the handlers of a connection's events, which `put` what arrives in its order."""
        return {
            "stream_status": self._on_status,
            "audio_control": lambda message: self._on_control(message, put),
            # The simulation sends text.
            "audio_chunk": lambda chunk: put(chunk.encode() if isinstance(chunk, str) else chunk),
            "stream_cues": lambda message: put(CuesMessage(message)),
            "stream_error": lambda message: put(StreamRejected(message)),
            "error": lambda message: put(StreamRejected(message)),
            "disconnect": lambda *_reason: put(connection_lost()),
        }

    def wrote(self, byte_count: int) -> dict[str, Any] | None:
        """Record that bytes were written. Returns the payload of `audio_ack`, if it is time to send one."""
        self.written += byte_count
        if self.written < self.acknowledged + ACK_BYTES:
            return None
        self.acknowledged = self.written
        return {"received": self.written}

    def may_resume_after(self, error: ServerUnreachable | StreamRejected) -> bool:
        """Return whether another connection may continue."""
        return self.joined and (isinstance(error, ServerUnreachable) or error.retryable)

    def _on_status(self, message: dict[str, Any]) -> None:
        self.joined = self.joined or message["status"] in {"joined", "waiting"}

    def _on_control(self, message: dict[str, Any], put: Callable[[Received], object]) -> None:
        if message["event"] == "end_of_stream":
            put(None)
        elif self.epoch is None:
            self.epoch = message.get("epoch", "")
            put(StreamStart(self.stream_id, message.get("total_bytes")))


def connection_lost() -> ServerUnreachable:
    """Return the error of a connection that has ended."""
    return ServerUnreachable("The connection to ASF was lost.")
