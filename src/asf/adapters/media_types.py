"""Media types of audio, by file name or by first bytes."""

import os

import filetype

CONTENT_TYPES = {
    ".aac": "audio/aac",
    ".flac": "audio/flac",
    ".m4a": "audio/mp4",
    ".mp3": "audio/mpeg",
    ".mp4": "audio/mp4",
    ".oga": "audio/ogg",
    ".ogg": "audio/ogg",
    ".opus": "audio/ogg",
    ".wav": "audio/wav",
    ".webm": "audio/webm",
}
"""Media types by file name suffix, spelled out: the system's own table differs from machine to machine."""

SNIFFED_BYTES = 1024
"""How many of the first bytes are read when nothing else gives the media type."""

SNIFFED_TYPES = {
    "audio/x-flac": "audio/flac",
    "audio/x-wav": "audio/wav",
    "video/mp4": "audio/mp4",
    "video/webm": "audio/webm",
}
"""ASF's names for types that the library names differently. The containers may hold video; here they hold audio."""


def media_type_of(name: str, beginning: bytes) -> str | None:
    """Return the media type by `name`, or else by the first bytes (either may be empty); None if unknown."""
    return named_type(name) or (sniffed_type(beginning) if beginning else None)


def named_type(path: str) -> str | None:
    """Return the media type by the suffix of `path`, in any case; None if unknown."""
    return CONTENT_TYPES.get(os.path.splitext(path)[1].lower())  # noqa: PTH122 - at every join


def sniffed_type(beginning: bytes) -> str | None:
    """Return the media type by the first bytes of the audio, of which `SNIFFED_BYTES` are enough; None if unknown."""
    found = filetype.guess_mime(beginning)
    return SNIFFED_TYPES.get(found, found) if found else None
