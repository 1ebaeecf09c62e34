"""Media types of audio, by file name or by first bytes."""

import os

import filetype

CONTENT_TYPES = {
    ".aac": "audio/aac",
    ".aif": "audio/aiff",
    ".aifc": "audio/aiff",
    ".aiff": "audio/aiff",
    ".amr": "audio/amr",
    ".awb": "audio/amr-wb",
    ".caf": "audio/x-caf",
    ".flac": "audio/flac",
    ".m4a": "audio/mp4",
    ".m4b": "audio/mp4",
    ".mka": "audio/matroska",
    ".mp3": "audio/mpeg",
    ".mp4": "audio/mp4",
    ".oga": "audio/ogg",
    ".ogg": "audio/ogg",
    ".opus": "audio/ogg",
    ".wav": "audio/wav",
    ".weba": "audio/webm",
    ".webm": "audio/webm",
}
"""Media types by file name suffix, spelled out: the system's own table differs from machine to machine."""

SUFFIXES = {media_type: suffix for suffix, media_type in CONTENT_TYPES.items()} | {
    "audio/aiff": ".aiff",
    "audio/mp4": ".m4a",
    "audio/ogg": ".ogg",
}
"""The usual suffix of each of these types."""

SNIFFED_TYPES = {
    "audio/x-aiff": "audio/aiff",
    "audio/x-flac": "audio/flac",
    "audio/x-wav": "audio/wav",
    "video/mp4": "audio/mp4",
    "video/webm": "audio/webm",
    "video/x-matroska": "audio/matroska",
}
"""ASF's names for types that the library names differently. The containers may hold video; here they hold audio."""

FIRST_BYTES = ((b"#!AMR\n", "audio/amr"), (b"#!AMR-WB\n", "audio/amr-wb"), (b"caff", "audio/x-caf"))
"""Formats that the library does not know, by the bytes that they start with."""

CHUNK_TYPES = {
    (b"RF64", b"WAVE"): "audio/wav",
    (b"BW64", b"WAVE"): "audio/wav",
    (b"FORM", b"AIFC"): "audio/aiff",
}
"""Formats of chunks that the library does not know, by the first chunk's id and its type, which is at byte 8."""


def media_type_of(name: str, beginning: bytes) -> str | None:
    """Return the media type by `name`, or else by the first bytes (either may be empty); None if unknown."""
    return named_type(name) or (sniffed_type(beginning) if beginning else None)


def named_type(path: str) -> str | None:
    """Return the media type by the suffix of `path`, in any case; None if unknown."""
    return CONTENT_TYPES.get(os.path.splitext(path)[1].lower())  # noqa: PTH122 - at every join


def sniffed_type(beginning: bytes) -> str | None:
    """Return the media type by the first bytes of the audio, of which `SNIFFED_BYTES` are enough; None if unknown.

    Whatever is not audio is unknown: a browser must not display a document that was announced as audio.
    """
    found = _own_type(beginning) or filetype.guess_mime(beginning) or ""
    found = SNIFFED_TYPES.get(found, found)
    return found if found.startswith("audio/") else None


def _own_type(beginning: bytes) -> str | None:
    """Return the type of a format that the library does not know, or of which it knows only some variants."""
    for first_bytes, media_type in FIRST_BYTES:
        if beginning.startswith(first_bytes):
            return media_type
    return CHUNK_TYPES.get((beginning[:4], beginning[8:12])) or _frame_type(beginning)


def _frame_type(beginning: bytes) -> str | None:
    """Return the type by the header of the first frame, of MPEG audio (ISO 11172-3, 2.4.1.3) or ADTS (ISO 13818-7).

    Fields with reserved values are no header. Layer I is left out: its first bytes are those of UTF-16 text, too.
    """
    if len(beginning) < 4 or beginning[0] != 0xFF or beginning[1] & 0xE0 != 0xE0:  # noqa: PLR2004 - the sync word
        return None
    version, layer = beginning[1] >> 3 & 3, beginning[1] >> 1 & 3
    if layer == 0:
        is_adts = beginning[1] & 0xF0 == 0xF0 and beginning[2] >> 2 & 15 < 13  # noqa: PLR2004 - sampling rates
        return "audio/aac" if is_adts else None
    bit_rate, sampling_rate = beginning[2] >> 4, beginning[2] >> 2 & 3
    is_frame = version != 1 and layer != 3 and bit_rate != 15 and sampling_rate != 3  # noqa: PLR2004 - reserved
    return "audio/mpeg" if is_frame else None
