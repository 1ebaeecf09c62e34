"""What a request asks for: preconditions and ranges, in the order of RFC 9110, section 13.2.2.

Pure: method, headers and what is known of the audio in, a decision out. There is no `Last-Modified`, so conditions on
dates are ignored (sections 13.1.3 and 13.1.4), and a date in `If-Range` is never the one of the audio (13.1.5).
"""

from collections.abc import Callable
from dataclasses import dataclass

from werkzeug.http import parse_etags

from asf.adapters.http_api.playback.ranges import parse_range


@dataclass(frozen=True, slots=True)
class Representation:
    """What a stream's URL stands for when it is asked.

    `size` is how many bytes there are. `fingerprint` is equal only for equal bytes; it is None unless the audio is
    complete. `epoch` identifies audio that grows: of two sizes of one epoch, the smaller one is a prefix.
    """

    epoch: str
    size: int
    fingerprint: str | None

    @property
    def is_complete(self) -> bool:
        """Whether there will be no more bytes, and none are missing."""
        return self.fingerprint is not None

    @property
    def etag(self) -> str:
        """The entity tag: weak until the audio is complete, as the same one stands for more and more bytes."""
        return self.epoch_etag if self.fingerprint is None else f'"{self.fingerprint}"'

    @property
    def epoch_etag(self) -> str:
        """The entity tag while the audio is generated."""
        return f'W/"{self.epoch}"'


@dataclass(frozen=True, slots=True)
class Whole:
    """Answer with all audio (200), following its growth."""


@dataclass(frozen=True, slots=True)
class Part:
    """Answer with the bytes from `start` to `stop` (exclusive) (206)."""

    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class NotSatisfiable:
    """The range has no bytes (416)."""


@dataclass(frozen=True, slots=True)
class NotModified:
    """The client has the audio (304)."""


@dataclass(frozen=True, slots=True)
class PreconditionFailed:
    """The client asks for other audio (412)."""


Decision = Whole | Part | NotSatisfiable | NotModified | PreconditionFailed


def asks_for_a_part(header: str | None) -> bool:
    """Return whether a `Range` header asks for a part of growing audio: then it matters how much there is by now."""
    byte_range = None if header is None else parse_range(header)
    return byte_range is not None and not byte_range.is_everything


def decide(method: str, header_of: Callable[[str], str | None], audio: Representation) -> Decision:
    """Return how to answer a GET or HEAD request; `header_of` returns its headers by name, None if absent."""
    if not _is_match(header_of("If-Match"), audio):
        return PreconditionFailed()
    if _has_match(header_of("If-None-Match"), audio):
        return NotModified()
    header = header_of("Range")
    if method != "GET" or header is None or not _range_applies(header_of("If-Range"), audio):
        return Whole()
    byte_range = parse_range(header)
    if byte_range is None or (byte_range.is_everything and not audio.is_complete):
        return Whole()
    found = byte_range.within(audio.size)
    return NotSatisfiable() if found is None else Part(found.start, found.stop)


def _is_match(header: str | None, audio: Representation) -> bool:
    """Evaluate `If-Match`, which compares strongly (section 13.1.1): no weak tag matches."""
    if header is None:
        return True
    tags = parse_etags(header)
    return tags.star_tag or (audio.fingerprint is not None and tags.is_strong(audio.fingerprint))


def _has_match(header: str | None, audio: Representation) -> bool:
    """Evaluate `If-None-Match`, which compares weakly (section 13.1.2): whether the client has the audio."""
    tags = parse_etags(header)
    tag = audio.fingerprint or audio.epoch
    return tags.star_tag or tags.is_strong(tag) or tags.is_weak(tag)


def _range_applies(if_range: str | None, audio: Representation) -> bool:
    """Evaluate `If-Range`: whether the client has bytes of this audio.

    Section 13.1.5 wants a strong tag, as bytes of a weak one may differ. Those of an epoch do not: audio only grows
    within one. So its weak tag counts here, also when the audio has become complete meanwhile; no other one does.
    """
    if if_range is None:
        return True
    tag = if_range.strip()
    return tag == audio.epoch_etag or (audio.is_complete and tag == audio.etag)
