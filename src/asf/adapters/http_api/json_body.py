"""Reading a JSON object from a request, with an answer for every way in which it can be wrong."""

from collections.abc import Callable
from typing import Any

from flask import request

from asf.adapters.http_api.errors import PayloadTooLarge
from asf.adapters.json_values import parse_json
from asf.domain.errors import AsfError

MAX_BODY_BYTES = 1024 * 1024
"""Largest request body, in bytes (docs/contract.md, section 1)."""

MAX_JSON_DEPTH = 64
"""Deepest nesting of arrays and objects in a body: what every JSON reader and writer on the way copes with."""


def read_json_object(malformed: Callable[[str], AsfError], invalid: Callable[[str], AsfError]) -> dict[str, Any]:
    """Return the current request's body, a non-empty JSON object.

    Raises the error that `invalid` makes when there is no body, it is not declared as JSON, or it is no non-empty
    object, and the one that `malformed` makes when it is declared as JSON but is not JSON (RFC 8259), or nested
    deeper than `MAX_JSON_DEPTH`. Raises `PayloadTooLarge` above `MAX_BODY_BYTES`.
    """
    if (request.content_length or 0) > MAX_BODY_BYTES:
        raise PayloadTooLarge
    body = request.get_data(cache=False)
    if len(body) > MAX_BODY_BYTES:  # one of undeclared length
        raise PayloadTooLarge
    if not body.strip():
        raise invalid("The request has no body.")
    if not request.is_json:
        raise invalid("The request does not declare 'Content-Type: application/json'.")
    try:
        payload = parse_json(body.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise malformed(_describe(error)) from error
    # Nothing can be nested deeper than there are opening brackets, which are quickly counted.
    if body.count(b"[") + body.count(b"{") > MAX_JSON_DEPTH and _is_deeper(payload, MAX_JSON_DEPTH):
        raise malformed(f"It is nested deeper than {MAX_JSON_DEPTH} levels.")
    if not isinstance(payload, dict):
        raise invalid("The body is not a JSON object.")
    if not payload:
        raise invalid("The JSON object is empty.")
    return payload


def _describe(error: Exception) -> str:
    if isinstance(error, UnicodeDecodeError):
        return f"The body is not UTF-8 (byte {error.start})."
    if isinstance(error, RecursionError):
        return f"It is nested deeper than {MAX_JSON_DEPTH} levels."
    return str(error)


def _is_deeper(value: Any, depth: int) -> bool:
    if isinstance(value, dict):
        value = value.values()
    elif not isinstance(value, list):
        return False
    return depth == 0 or any(_is_deeper(item, depth - 1) for item in value)
