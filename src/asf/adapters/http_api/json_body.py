"""Reads a JSON object from a request body, with a specific error for each way in which it can be invalid."""

from collections.abc import Callable
from typing import Any

from flask import request

from asf.adapters.http_api.errors import PayloadTooLarge
from asf.adapters.json_values import MAX_JSON_DEPTH, is_too_deep, parse_json
from asf.domain.errors import AsfError

MAX_BODY_BYTES = 1024 * 1024
"""Largest request body, in bytes (docs/contract.md, section 2)."""


def read_json_object(malformed: Callable[[str], AsfError], invalid: Callable[[str], AsfError]) -> dict[str, Any]:
    """Return the current request's body, a non-empty JSON object.

    Raises the error that `invalid` returns if the body is missing, not declared as JSON, or not a non-empty object,
    and the one that `malformed` returns if it is not valid JSON (RFC 8259), or nested deeper than `MAX_JSON_DEPTH`.
    Raises `PayloadTooLarge` above `MAX_BODY_BYTES`.
    """
    if (request.content_length or 0) > MAX_BODY_BYTES:
        raise PayloadTooLarge
    body = request.get_data(cache=False)
    if len(body) > MAX_BODY_BYTES:  # of undeclared length
        raise PayloadTooLarge
    if body.strip() and not request.is_json:
        raise invalid("The request does not declare 'Content-Type: application/json'.")
    return parse_json_object(body, malformed, invalid)


def parse_json_object(
    body: bytes, malformed: Callable[[str], AsfError], invalid: Callable[[str], AsfError]
) -> dict[str, Any]:
    """Return the non-empty JSON object that `body` is. Raises errors as `read_json_object`."""
    if not body or body.isspace():
        raise invalid("The request has no body.")
    try:
        payload = parse_json(body.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise malformed(_describe(error)) from error
    # The number of opening brackets bounds the depth, and is fast to count.
    if body.count(b"[") + body.count(b"{") > MAX_JSON_DEPTH and is_too_deep(payload):
        raise malformed(f"The body is nested deeper than {MAX_JSON_DEPTH} levels.")
    if not isinstance(payload, dict):
        raise invalid("The body is not a JSON object.")
    if not payload:
        raise invalid("The JSON object is empty.")
    return payload


def _describe(error: Exception) -> str:
    if isinstance(error, UnicodeDecodeError):
        return f"The body is not UTF-8 (byte {error.start})."
    if isinstance(error, RecursionError):
        return f"The body is nested deeper than {MAX_JSON_DEPTH} levels."
    return str(error)
