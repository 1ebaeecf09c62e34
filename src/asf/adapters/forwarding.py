"""What a request says about the clients for which proxies forwarded it."""

from collections.abc import Mapping
from typing import Any

SHOWN_CHARACTERS = 100
"""Of the header: a few addresses. The rest would be kept for as long as the connection."""


def forwarded_for(environ: Mapping[str, Any]) -> str | None:
    """Return the `X-Forwarded-For` of a request, shortened, from its WSGI environment; None if there is none.

    For operators to read: any client can send the header, so nothing is decided by it.
    """
    header: str = environ.get("HTTP_X_FORWARDED_FOR", "")
    return header[:SHOWN_CHARACTERS] or None
