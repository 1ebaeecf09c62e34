"""What a queue of audio consists of: the entries of a Redis Stream (docs/contract.md, section 2)."""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha1

from asf.domain.identifiers import MAX_OFFSET, MAX_REASON_CHARACTERS
from asf.domain.streams.stream import AudioEnding, StreamState

PREFIX = "asf:1:queue:"
"""What the key of a queue begins with. Its name follows. The number is the version of the format."""

OFFSET = b"offset"
"""Field of every entry: where in the audio its first byte lies, or in the last entry, where the audio ends."""

AUDIO = b"audio"
"""Field of every entry but the last: a piece of the audio."""

END = b"end"
"""Field of the last entry: `complete` or `failed`."""

REASON = b"reason"
"""Field that the last entry may have: why it failed, in UTF-8."""

BEFORE_ALL = b"0-0"
"""An id that is smaller than that of any entry."""

ENDS = {b"complete": StreamState.COMPLETE, b"failed": StreamState.FAILED}


@dataclass(slots=True)
class Piece:
    """One entry: `audio` at `offset`, or `ending`, the end there. `problem` says why it is none of both."""

    entry_id: bytes
    offset: int
    audio: bytes = b""
    ending: AudioEnding | None = None
    problem: str | None = None

    @property
    def mark(self) -> bytes:
        """What a queue that begins with this entry is told by: its id, and a digest of its audio (as `HEADS` has it).

        The id alone may be the same again, as far as Redis is concerned: within a millisecond, or by a clock that was
        set back.
        """
        return self.entry_id + b" " + sha1(self.audio, usedforsecurity=False).hexdigest().encode()


def piece_of(entry_id: bytes, fields: Mapping[bytes, bytes]) -> Piece:
    """Return what an entry says. Fields that are not known are ignored."""
    offset_text, audio, end = fields.get(OFFSET, b""), fields.get(AUDIO), fields.get(END)
    offset = int(offset_text) if offset_text.isdigit() and len(offset_text) <= len(str(MAX_OFFSET)) else -1
    if not 0 <= offset <= MAX_OFFSET:
        return _unreadable(entry_id, "its 'offset' is no number of bytes")
    if end is None:
        return _unreadable(entry_id, "it has no 'audio'") if audio is None else Piece(entry_id, offset, audio)
    if audio is not None:
        return _unreadable(entry_id, "it has both 'audio' and 'end'")
    if end not in ENDS:
        return _unreadable(entry_id, "its 'end' is neither 'complete' nor 'failed'")
    reason = fields.get(REASON)
    text = None if reason is None else reason.decode(errors="replace")[:MAX_REASON_CHARACTERS]
    return Piece(entry_id, offset, ending=AudioEnding(ENDS[end], text))


def _unreadable(entry_id: bytes, problem: str) -> Piece:
    return Piece(entry_id, 0, problem=f"The entry {entry_id.decode()} of the queue cannot be read: {problem}.")
