"""The bearer token of a request (RFC 6750)."""

from collections.abc import Mapping
from typing import Any

from flask import request


def bearer_token() -> str | None:
    """Return the token of the current request's Authorization header; None if there is none."""
    return bearer_token_of(request.environ)


def bearer_token_of(environ: Mapping[str, Any]) -> str | None:
    """Return the token of the request with this WSGI environment; None if there is none."""
    scheme, _, token = environ.get("HTTP_AUTHORIZATION", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None
