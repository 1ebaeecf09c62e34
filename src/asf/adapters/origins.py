"""Which web origins may connect: the one rule for Socket.IO and plain WebSockets."""

from collections.abc import Callable, Mapping
from typing import Any

DEFAULT_PORTS = {"http": ":80", "https": ":443"}
"""The port that an origin of a scheme leaves out (RFC 6454, section 6.1)."""

OriginRule = Callable[[str | None, Mapping[str, Any]], bool]
"""Returns whether a request may connect, given its `Origin` (None: it has none) and its WSGI environment."""


def origin_rule(is_listed: Callable[[str], bool]) -> OriginRule:
    """Return the rule that admits the origins that `is_listed` accepts, that of the server itself, and none."""
    return lambda origin, environ: origin is None or is_listed(origin) or is_own(origin, environ)


def is_own(origin: str, environ: Mapping[str, Any]) -> bool:
    """Return whether `origin` is that of the request's own `Host`: no page of another site has sent the request.

    Many clients that are no browsers send it by default. The scheme may be either: a proxy that ends TLS passes the
    request on without its scheme.
    """
    scheme, _, authority = origin.lower().partition("://")
    default_port = DEFAULT_PORTS.get(scheme)
    if default_port is None or not authority:
        return False
    host: str = environ.get("HTTP_HOST", "")
    return authority.removesuffix(default_port) == host.lower().removesuffix(default_port)
