"""Rules for the heads that the library parses, which it does not have."""

from email.message import Message
from typing import Any


def is_ambiguous(headers: Message) -> bool:
    """Return whether two parsers may disagree about a request (RFC 9112, sections 5 and 6).

    Malformed header lines, folded ones, and any doubt about the length of the body.
    """
    lengths = headers.get_all("Content-Length", [])
    codings = headers.get_all("Transfer-Encoding", [])
    return (
        bool(headers.defects)
        or any("\n" in value for value in headers.values())
        or lengths[1:] != []
        or not all(length.isascii() and length.isdigit() for length in lengths)
        or codings[1:] != []
        or bool(lengths and codings)
        or not all(coding.lower() == "chunked" for coding in codings)
    )


class HeadLines:
    """The lines of a head.

    `has_bare_cr`: one contained a CR before its end, where some parsers end the line. `is_cut`: the connection ended
    before the head. The library's parser takes that for the end of the head, and what is left for the request
    (RFC 9112, section 8, forbids it).
    """

    def __init__(self, file: Any) -> None:
        self._file = file
        self.has_bare_cr = False
        self.is_cut = False

    def readline(self, size: int = -1) -> bytes:
        """Return the next line."""
        line: bytes = self._file.readline(size)
        self.has_bare_cr |= b"\r" in line.removesuffix(b"\r\n")
        self.is_cut |= not line.endswith(b"\n")
        return line
