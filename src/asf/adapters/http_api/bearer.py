"""The bearer token of a request (RFC 6750)."""

from flask import request


def bearer_token() -> str | None:
    """Return the token of the current request's Authorization header; None if there is none."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None
