"""Which scanner finds the durations of which media type."""

from collections.abc import Callable, Mapping

from asf.adapters.audio_formats.frames import AdtsScanner, Mp3Scanner
from asf.adapters.audio_formats.marks import FlacScanner, OggScanner, WebmScanner
from asf.adapters.audio_formats.tables import Mp4Scanner, WavScanner
from asf.domain.streaming.ports import DurationScanner

SCANNERS: Mapping[str, Callable[[], DurationScanner]] = {
    "audio/aac": AdtsScanner,
    "audio/aacp": AdtsScanner,
    "audio/flac": FlacScanner,
    "audio/m4a": Mp4Scanner,
    "audio/mp3": Mp3Scanner,
    "audio/mp4": Mp4Scanner,
    "audio/mpeg": Mp3Scanner,
    "audio/ogg": OggScanner,
    "audio/opus": OggScanner,
    "audio/vnd.wave": WavScanner,
    "audio/wav": WavScanner,
    "audio/wave": WavScanner,
    "audio/webm": WebmScanner,
    "audio/x-aac": AdtsScanner,
    "audio/x-flac": FlacScanner,
    "audio/x-m4a": Mp4Scanner,
    "audio/x-wav": WavScanner,
}
"""By media type, without parameters. What a backend announces need not be one of ASF's own names."""


def scanner_of(content_type: str) -> DurationScanner | None:
    """Return a new scanner for audio of that media type, or None if its durations cannot be found."""
    kind = SCANNERS.get(content_type) or SCANNERS.get(content_type.partition(";")[0].strip().lower())
    return None if kind is None else kind()
