"""Web origins: which may connect over Socket.IO and plain WebSockets, and whether one is that of a request's host."""

import re
from collections.abc import Callable, Mapping
from typing import Any

DEFAULT_PORTS = {"http": "80", "https": "443"}
"""The port that an origin of a scheme leaves out (RFC 6454, section 6.1)."""

HOST = re.compile(r"(?P<name>\[[^\[\]]*\]|[^:\[\]]+)(?::(?P<port>[0-9]*))?")
"""A `Host` header, and what follows the scheme of an origin."""

OriginRule = Callable[[str | None, Mapping[str, Any]], bool]
"""Returns whether a request may connect, given its `Origin` (None: it has none) and its WSGI environment."""


def origin_rule(is_listed: Callable[[str], bool]) -> OriginRule:
    """Return the rule that admits the origins that `is_listed` accepts, that of the server itself, and none."""
    return lambda origin, environ: origin is None or is_listed(origin) or is_own(origin, environ)


def is_own(origin: str, environ: Mapping[str, Any]) -> bool:
    """Return whether `origin` has the host and port of the request's own `Host`: no page of another site has sent it.

    Many clients that are no browsers send it by default. The scheme may be either: a proxy that ends TLS passes the
    request on without its scheme.
    """
    scheme, _, location = origin.partition("://")
    default = DEFAULT_PORTS.get(scheme.lower())
    if default is None:
        return False
    own = _with_port(environ.get("HTTP_HOST", ""), default)
    return own is not None and _with_port(location, default) == own


def _with_port(host: str, default: str) -> tuple[str, str] | None:
    found = HOST.fullmatch(host)
    return (found["name"].lower(), found["port"] or default) if found else None
