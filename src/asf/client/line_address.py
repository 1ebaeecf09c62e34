"""Where a request with updates by line goes to."""

from dataclasses import dataclass
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

ROUTE = "send_ui_updates"

_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class LineAddress:
    """A server: `host` and `port` to connect to, and what the head of a request names."""

    host: str
    port: int
    is_secure: bool
    authority: str
    target: str


def line_address(base_url: str, token: str | None) -> LineAddress | None:
    """Return the address for a server's base URL; None if only the HTTP library knows how to reach it.

    This is so with a proxy from the environment, with credentials in the URL, and with characters that have to be
    encoded, in the token, too.
    """
    try:
        parts = urlsplit(base_url)
        port = parts.port
    except ValueError:
        return None
    host = parts.hostname
    is_plain = _is_plain(base_url) and _is_plain(token or "") and parts.username is None
    if host is None or parts.scheme not in _PORTS or not is_plain or _has_proxy(parts.scheme, parts.netloc):
        return None
    target = f"{parts.path.rstrip('/')}/asf/internal/{ROUTE}"
    return LineAddress(host, port or _PORTS[parts.scheme], parts.scheme == "https", parts.netloc, target)


def _is_plain(text: str) -> bool:
    return text.isascii() and text.isprintable() and " " not in text


def _has_proxy(scheme: str, netloc: str) -> bool:
    proxies = getproxies()
    return (scheme in proxies or "all" in proxies) and not proxy_bypass(netloc)
