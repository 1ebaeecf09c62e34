"""The heads of ordinary requests, read at once from their bytes.

Ordinary is what the library's own parser and the stricter rules of `http_protocol` would accept, and read in one way
only. Any other head, and any of which something is missing, is left to these.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any
from urllib.parse import unquote

END_OF_HEAD = b"\r\n\r\n"

MAX_HEADERS = 100
"""As many as the library accepts."""

_REQUEST_LINE = re.compile(rb"([A-Z]{1,20}) (/(?!/)[!-~]*) HTTP/1\.1\r\n")
_FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*((?:[!-~](?:[ -~\t]*[!-~])?)?)\r\n")
_LEFT_TO_THE_LIBRARY = {"transfer-encoding", "expect"}
_PARSED_AS_MAIL = re.compile(r"multipart|message", re.IGNORECASE)
"""Beginnings of content types of which the library's parser, one for mail, expects parts behind the head."""

_NOT_HTTP = {"CONTENT_TYPE", "CONTENT_LENGTH"}
"""Headers whose keys in the environment have no prefix (PEP 3333)."""

DEFAULT_CONTENT_TYPE = "text/plain"
"""What the library says of a request that names none."""


class PlainHead:
    """The head of a request. `target` is what was asked for, `fields` the headers in order, as they were sent."""

    __slots__ = ("_first", "fields", "method", "request_line", "target")

    def __init__(self, request_line: str, method: str, target: str, fields: Sequence[tuple[str, str]]) -> None:
        self.request_line = request_line
        self.method = method
        self.target = target
        self.fields = fields
        self._first = {name.lower(): value for name, value in reversed(fields)}

    def get(self, name: str, default: str | None = None) -> str | None:
        """Return the first header of that name, in any case."""
        return self._first.get(name.lower(), default)

    def environ(self) -> dict[str, Any]:
        """Return what the environment of the request (PEP 3333) has of the head, as the library fills it."""
        path, question_mark, query = self.target.partition("?")
        environ: dict[str, Any] = {
            "REQUEST_METHOD": self.method,
            "SCRIPT_NAME": "",
            "RAW_PATH_INFO": path,
            "PATH_INFO": unquote(path, encoding="latin1") if "%" in path else path,
            "CONTENT_TYPE": self._first.get("content-type", DEFAULT_CONTENT_TYPE),
            "headers_raw": tuple(self.fields),
        }
        if question_mark:
            environ["QUERY_STRING"] = query
        length = self._first.get("content-length")
        if length:
            environ["CONTENT_LENGTH"] = length
        for name, value in self.fields:
            key = _key_of(name)
            if key is not None:
                environ[key] = f"{environ[key]},{value}" if key in environ else value
        return environ


def read_plain_head(data: bytes) -> tuple[PlainHead, int] | None:
    """Return the head at the beginning of `data`, and its length; None unless all of it is there and is ordinary."""
    end = data.find(END_OF_HEAD) + len(END_OF_HEAD)
    line = _REQUEST_LINE.match(data)
    if line is None or end < len(END_OF_HEAD):
        return None
    fields: list[tuple[str, str]] = []
    position, last = line.end(), end - len(b"\r\n")
    while position < last:
        field = _FIELD.match(data, position, last)
        if field is None or len(fields) == MAX_HEADERS:
            return None
        fields.append((field[1].decode("ascii"), field[2].decode("ascii")))
        position = field.end()
    if not _is_plain([name.lower() for name, _value in fields], fields):
        return None
    request_line = line[0][:-2].decode("ascii")
    return PlainHead(request_line, line[1].decode("ascii"), line[2].decode("ascii"), fields), end


def _is_plain(names: Sequence[str], fields: Sequence[tuple[str, str]]) -> bool:
    """Return whether no header has a meaning for the parser itself, other than one length of the body, a number.

    `names` are those of the fields in lower case.
    """
    if "content-type" in names and _PARSED_AS_MAIL.match(fields[names.index("content-type")][1]):
        return False
    if "content-length" not in names:
        return _LEFT_TO_THE_LIBRARY.isdisjoint(names)
    length = fields[names.index("content-length")][1]
    return names.count("content-length") == 1 and length.isdigit() and _LEFT_TO_THE_LIBRARY.isdisjoint(names)


@lru_cache(maxsize=512)
def _key_of(name: str) -> str | None:
    """Return the key of a header in the environment; None for one that is not there by its name.

    Names with an underscore could be mistaken for others.
    """
    key = name.replace("-", "_").upper()
    return None if "_" in name or key in _NOT_HTTP else f"HTTP_{key}"
