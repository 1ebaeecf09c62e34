"""WebSocket frames that a server sends (RFC 6455, section 5.2). Those of audio are rendered once per batch."""

import struct
from functools import lru_cache

from asf.domain.streaming.audio import AudioBatch

_FINAL_TEXT = 0x81
_FINAL_BINARY = 0x82
_FINAL_CLOSE = 0x88
_FINAL_PING = 0x89
_FINAL_PONG = 0x8A
EMPTY_CLOSE_FRAME = b"\x88\x00"
"""A close without a code or a reason (RFC 6455, section 5.5.1)."""
_MAX_CONTROL_PAYLOAD = 125
_LENGTH_IN_2_BYTES = 126
_LENGTH_IN_8_BYTES = 127
_LARGEST_2_BYTE_LENGTH = 0xFFFF


def frame_header(first_byte: int, length: int) -> bytes:
    """Return the header of an unmasked frame with a payload of `length` bytes."""
    if length < _LENGTH_IN_2_BYTES:
        return bytes((first_byte, length))
    if length <= _LARGEST_2_BYTE_LENGTH:
        return struct.pack("!BBH", first_byte, _LENGTH_IN_2_BYTES, length)
    return struct.pack("!BBQ", first_byte, _LENGTH_IN_8_BYTES, length)


def text_frame(text: str) -> bytes:
    """Return `text` as one complete frame."""
    payload = text.encode()
    return frame_header(_FINAL_TEXT, len(payload)) + payload


shared_text_frame = lru_cache(maxsize=16)(text_frame)
"""Return `text` as one frame, rendered once for the many connections that it is sent on in a row."""


def binary_frame(payload: bytes) -> bytes:
    """Return `payload` as one complete binary frame."""
    return frame_header(_FINAL_BINARY, len(payload)) + payload


def ping_frame(payload: bytes) -> bytes:
    """Return a ping, whose pong will have the same payload (RFC 6455, section 5.5.2)."""
    return frame_header(_FINAL_PING, len(payload)) + payload


def pong_frame(payload: bytes) -> bytes:
    """Return the pong for a ping with this payload (RFC 6455, section 5.5.3)."""
    return frame_header(_FINAL_PONG, len(payload)) + payload


def close_frame(code: int, reason: str) -> bytes:
    """Return the frame that closes a connection (RFC 6455, section 5.5.1); too long a `reason` is truncated."""
    payload = struct.pack("!H", code) + reason.encode()[: _MAX_CONTROL_PAYLOAD - 2]
    return frame_header(_FINAL_CLOSE, len(payload)) + payload


class ChunkFraming:
    """Renders each chunk as one binary message, preceded by the text message `envelope`, the same for all chunks.

    An empty envelope is left out.
    """

    def __init__(self, envelope: str) -> None:
        self._envelope = text_frame(envelope) if envelope else b""

    def overhead(self, length: int) -> bytes:
        """Return the bytes that precede a chunk of `length` bytes: the envelope and the frame's header."""
        return self._envelope + frame_header(_FINAL_BINARY, length)

    def render(self, batch: AudioBatch, start: int, stop: int) -> bytes | memoryview:
        """Return the frames of the batch's bytes from `start` to `stop` (offsets in the audio).

        If both are on chunk boundaries, which is nearly always the case, this is the batch's one rendering, or a
        slice of it.
        """
        frames = batch.derived.get(self)
        if frames is None:
            frames = batch.derived[self] = self._join(batch, batch.offset, batch.end)
        first, last = start - batch.offset, stop - batch.offset
        is_last = last == len(batch.data)
        if first == 0 and is_last:
            return frames
        chunk = batch.chunk_bytes
        if first % chunk or (last % chunk and not is_last):
            return self._join(batch, start, stop)
        stride = len(self.overhead(chunk)) + chunk
        return memoryview(frames)[first // chunk * stride : len(frames) if is_last else last // chunk * stride]

    def split_sent(self, batch: AudioBatch, start: int, stop: int, sent: int) -> tuple[int, int]:
        """Return how far `sent` bytes of the frames from `start` to `stop` reach.

        The first number is the audio bytes of all messages that were at least partly sent, the second the missing
        bytes of the last of them.
        """
        audio = 0
        for chunk in batch.chunks(start, stop):
            if sent <= 0:
                break
            audio += len(chunk)
            sent -= len(self.overhead(len(chunk))) + len(chunk)
        return audio, -min(sent, 0)

    def _join(self, batch: AudioBatch, start: int, stop: int) -> bytes:
        parts: list[bytes] = []
        for chunk in batch.chunks(start, stop):
            parts += (self.overhead(len(chunk)), chunk)
        return b"".join(parts)


framing_for = lru_cache(ChunkFraming)
"""Return the framing of an envelope: one for all its users, so that they share the renderings."""
