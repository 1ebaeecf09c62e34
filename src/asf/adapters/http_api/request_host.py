"""The host that a request is addressed to, where that shows whether a foreign page sends it.

With DNS rebinding, a page of a foreign site calls this server under the site's own name, which then resolves to an
address of this server. Such a request comes from a trusted address, and from the page's own origin. A page cannot
change the `Host` header, nor use an address instead of its name.
"""

from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address

from asf.adapters.origins import HOST

LOCALHOST = "localhost"
CACHED_HOSTS = 64
"""Results that are remembered: a server has few names. A client can fill this, with names of the length of a head."""


@lru_cache(CACHED_HOSTS)
def host_name(host: str) -> str:
    """Return the name or address in a `Host` header, in lower case and without the port; empty if there is none."""
    found = HOST.fullmatch(host)
    return found["name"].lower() if found else ""


@lru_cache(CACHED_HOSTS)
def cannot_be_rebound(name: str) -> bool:
    """Return whether a host's name is an address, or `localhost`: nobody else can let it lead here."""
    if name == LOCALHOST:
        return True
    try:
        IPv6Address(name[1:-1]) if name.startswith("[") else IPv4Address(name)
    except ValueError:
        return False
    return True
