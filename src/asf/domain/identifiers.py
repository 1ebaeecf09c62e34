"""Rules for identifiers (docs/contract.md, section 2).

Each function returns the problem with a value as a sentence, or None for a valid one.
"""

import re
import unicodedata

MAX_IDENTIFIER_CHARACTERS = 255
"""Longest stream id, client id and event name: fits one path segment of every file system and proxy."""

MAX_IDEMPOTENCY_KEY_CHARACTERS = 128

MAX_REASON_CHARACTERS = 1000
"""Longest reason for a stream's failure."""

MAX_OFFSET = 2**53 - 1
"""Largest offset, in bytes: the largest integer that every JSON reader keeps exact (RFC 8259, section 6)."""

RESERVED_EVENT_NAMES = frozenset(
    {"connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener", "*"}
    | {"ui_connection_ack", "subscribed_ui_updates", "ui_error"}
)
"""Event names that Socket.IO clients or ASF itself use. An update with such a name would not reach its handler, or
would be mistaken for another event."""


DOT_SEGMENTS = frozenset({".", ".."})
"""Ids that no URL can end with: clients and proxies remove such segments, percent-encoded or not (WHATWG URL)."""

RESERVED_SUFFIXES = ("/audio", "/cues")
"""Ends of the routes below a stream's. An id with such an end would be ambiguous in their URLs."""

CONTENT_TYPE = re.compile(r"audio/[\w!#$&^.+-]{1,100}([ \t]*;[\x20-\x7e]{0,200})?", re.ASCII | re.IGNORECASE)
"""A media type of audio in one line, with or without parameters (RFC 9110, section 8.3.1)."""


def stream_id_problem(value: str) -> str | None:
    """Return the problem with `value` as a stream id that is announced or asked for, or None."""
    return "No URL can name it." if value in DOT_SEGMENTS else identifier_problem(value)


def reserved_suffix_problem(value: str) -> str | None:
    """Return the problem with `value` as the id of a stream that audio or cues are sent to, or None.

    Only the end is checked: see `stream_id_problem` for the rest.
    """
    if not value.endswith(RESERVED_SUFFIXES):
        return None
    return f"The id of a stream that audio or cues are sent to must not end in {' or '.join(RESERVED_SUFFIXES)}."


def content_type_problem(value: str) -> str | None:
    """Return the problem with `value` as the media type of audio, or None."""
    return None if CONTENT_TYPE.fullmatch(value) else "It is not an audio media type, such as audio/mpeg."


def client_id_problem(value: str) -> str | None:
    """Return the problem with `value` as a client id, or None."""
    return identifier_problem(value)


def queue_name_problem(value: str) -> str | None:
    """Return the problem with `value` as the name of an audio queue, or None."""
    return identifier_problem(value)


def idempotency_key_problem(value: str) -> str | None:
    """Return the problem with `value` as an idempotency key, or None."""
    if len(value) > MAX_IDEMPOTENCY_KEY_CHARACTERS:
        return f"It has {len(value)} characters; at most {MAX_IDEMPOTENCY_KEY_CHARACTERS} are allowed."
    return identifier_problem(value)


def event_name_problem(value: str) -> str | None:
    """Return the problem with `value` as the event name of a UI update, or None."""
    if value in RESERVED_EVENT_NAMES:
        return f"'{value}' is reserved."
    return identifier_problem(value)


def identifier_problem(value: str) -> str | None:
    """Return the problem with `value` as any identifier, or None."""
    if not value.strip():
        return "It is empty or only white space."
    if len(value) > MAX_IDENTIFIER_CHARACTERS:
        return f"It has {len(value)} characters; at most {MAX_IDENTIFIER_CHARACTERS} are allowed."
    if value.isascii() and value.isprintable():
        return None
    categories = {unicodedata.category(character) for character in value}
    if "Cc" in categories:
        return "It contains control characters."
    if "Cs" in categories:  # Lone surrogates.
        return "It contains characters that cannot be encoded as UTF-8."
    return None
