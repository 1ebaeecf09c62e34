"""Web origins in the form in which browsers send them (RFC 6454, section 6.2; WHATWG URL, "origin")."""

import re
from ipaddress import IPv6Address

import idna

from asf.adapters.origins import DEFAULT_PORTS

OPAQUE_ORIGIN = "null"
"""What browsers send for pages without an origin: files, sandboxed frames, `data:` URLs."""

MAX_PORT = 65535

ORIGIN = re.compile(
    r"(?P<scheme>[a-z][a-z0-9+.-]*)://(?P<host>\[[^\]]+\]|[^:\[\]]*)(?::(?P<port>[0-9]{0,5}))?", re.IGNORECASE
)
NOT_IN_HOSTS = re.compile(r"[\s\x00-\x1f/?#@\\<>^|%*\"`{}]")


def normalize_origin(text: str) -> str:
    """Return the origin as browsers send it: in lower case, IDNs as Punycode, without the default port.

    Origins of apps and extensions, such as `capacitor://localhost`, may have no host; browsers keep its case. Raises
    ValueError.
    """
    if text.lower() == OPAQUE_ORIGIN:
        return OPAQUE_ORIGIN
    found = ORIGIN.fullmatch(text)
    if found is None:
        raise ValueError(text)
    scheme, host, port = found["scheme"].lower(), found["host"], found["port"]
    is_web = scheme in DEFAULT_PORTS
    host = normalize_host(host) if is_web else host and _checked(host)
    if not port or (is_web and int(port) == int(DEFAULT_PORTS[scheme])):
        return f"{scheme}://{host}"
    if int(port) > MAX_PORT:
        raise ValueError(text)
    return f"{scheme}://{host}:{int(port)}"


def normalize_host(host: str) -> str:
    """Return the host as browsers send it in `Host` and `Origin`, without a port. Raises ValueError."""
    if host.startswith("["):
        if not host.endswith("]"):
            raise ValueError(host)
        return f"[{IPv6Address(host[1:-1]).compressed}]"
    host = _checked(host)
    if host.isascii():
        return host.lower()
    try:
        return idna.encode(host, uts46=True).decode()
    except idna.IDNAError as error:
        raise ValueError(host) from error


def _checked(host: str) -> str:
    if not host or NOT_IN_HOSTS.search(host):
        raise ValueError(host)
    return host
