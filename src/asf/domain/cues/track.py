"""Stored cues: those of one stream and epoch are a track, in which each has a number."""

from dataclasses import dataclass

MAX_TRACK_BYTES = 64 * 1024 * 1024
"""Largest track, in bytes of its cues, whatever ASF_MAX_CUES is."""


@dataclass(frozen=True, slots=True)
class StoredCue:
    """A cue as it is stored: its number in the track, from 1, and its `json` (see `Cue`)."""

    seq: int
    json: str


@dataclass(frozen=True, slots=True)
class CuePage:
    """Some cues of a track, in `seq` order; `latest` is the highest number in the track, 0 if it is empty."""

    cues: tuple[StoredCue, ...]
    latest: int


@dataclass(frozen=True, eq=False, slots=True, weakref_slot=True)
class CuePiece:
    """Cues of a track that follow each other, for one message to listeners.

    `cues_json` is a JSON array of them, `seq` the number of the last one.
    """

    stream_id: str
    epoch: str
    seq: int
    cues_json: str


@dataclass(frozen=True, slots=True)
class TrackLimits:
    """The limits of one track: how many cues, and how many bytes they have together."""

    max_cues: int
    max_bytes: int = MAX_TRACK_BYTES


@dataclass(frozen=True, slots=True)
class Accepted:
    """The outcome of posting cues: how many were `accepted`, and how many there are in total in the `epoch`."""

    accepted: int
    total: int
    epoch: str
