"""The entries of an audio queue, which is a Redis Stream (docs/contract.md, section 2)."""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha1
from typing import Any

from asf.domain.identifiers import MAX_OFFSET, MAX_REASON_CHARACTERS
from asf.domain.streams.stream import AudioEnding, StreamState

PREFIX = "asf:1:queue:"
"""Prefix of a queue's key; its name follows. The number is the version of the format."""

UPLOAD_NAME_PREFIX = "asf-upload-"
"""Prefix of the names of queues to which this server appends what is uploaded. No announcement may name them."""

OFFSET = b"offset"
"""Field of every entry: the offset of its first byte, or in the last entry, the length of the audio."""

AUDIO = b"audio"
"""Field of every entry but the last: a piece of the audio."""

END = b"end"
"""Field of the last entry: `complete` or `failed`."""

REASON = b"reason"
"""Optional field of the last entry: why generation failed, in UTF-8."""

BEFORE_ALL = b"0-0"
"""An id lower than that of any entry."""

ENDS = {b"complete": StreamState.COMPLETE, b"failed": StreamState.FAILED}


@dataclass(slots=True)
class Piece:
    """One entry: `audio` at `offset`, or the `ending` at that offset. `problem` says why it is neither."""

    entry_id: bytes
    offset: int
    audio: bytes = b""
    ending: AudioEnding | None = None
    problem: str | None = None

    @property
    def mark(self) -> bytes:
        """Identifies the queue that starts with this entry: its id and a digest, as in `scripts/marks.lua`.

        A queue that was deleted and recreated may start with the same id: within a millisecond, or after the clock
        was set back.
        """
        return self.entry_id + b" " + sha1(self.audio, usedforsecurity=False).hexdigest().encode()


def piece_of(entry_id: bytes, fields: Mapping[bytes, bytes]) -> Piece:
    """Parse an entry. Unknown fields are ignored."""
    offset_text, audio, end = fields.get(OFFSET, b""), fields.get(AUDIO), fields.get(END)
    offset = int(offset_text) if offset_text.isdigit() and len(offset_text) <= len(str(MAX_OFFSET)) else -1
    if not 0 <= offset <= MAX_OFFSET:
        return _unreadable(entry_id, "its 'offset' is not a number of bytes")
    if end is None:
        return _unreadable(entry_id, "it has no 'audio'") if audio is None else Piece(entry_id, offset, audio)
    if audio is not None:
        return _unreadable(entry_id, "it has both 'audio' and 'end'")
    if end not in ENDS:
        return _unreadable(entry_id, "its 'end' is neither 'complete' nor 'failed'")
    reason = fields.get(REASON)
    text = None if reason is None else reason.decode(errors="replace")[:MAX_REASON_CHARACTERS]
    return Piece(entry_id, offset, ending=AudioEnding(ENDS[end], text))


def pieces_of(entries: Any) -> list[Piece]:
    """Parse the entries that redis-py returns for a range."""
    return [piece_of(entry_id, fields) for entry_id, fields in entries]


def _unreadable(entry_id: bytes, problem: str) -> Piece:
    return Piece(entry_id, 0, problem=f"The entry {entry_id.decode()} of the queue cannot be read: {problem}.")
