"""Access control of the internal API, the routes under /asf/internal/ (docs/contract.md, section 6)."""

import hmac
from collections.abc import Collection, Sequence
from enum import Enum, auto
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Any

from flask import request

from asf.adapters.http_api.bearer import bearer_token_of
from asf.adapters.http_api.request_host import cannot_be_rebound, host_name
from asf.adapters.origins import is_own
from asf.domain.errors import Unauthorized

FORWARDING_HEADERS = {
    "HTTP_X_FORWARDED_FOR": "X-Forwarded-For",
    "HTTP_X_FORWARDED_HOST": "X-Forwarded-Host",
    "HTTP_X_FORWARDED_PROTO": "X-Forwarded-Proto",
    "HTTP_X_FORWARDED_PORT": "X-Forwarded-Port",
    "HTTP_FORWARDED": "Forwarded",
    "HTTP_X_REAL_IP": "X-Real-IP",
    "HTTP_VIA": "Via",
}
"""Headers that proxies add, by their names in WSGI."""

CACHED_PEERS = 1024
"""Addresses whose trust is remembered."""

SHOWN_CHARACTERS = 100
"""Of a client's header in an error."""

UNTRUSTED_PEER = "Missing or invalid API token, and this address is not in ASF_INTERNAL_TRUSTED_NETWORKS."


class Trust(Enum):
    """Whether a peer's address is sufficient."""

    NONE = auto()
    UNLESS_PROXY = auto()
    """On this machine: without forwarding headers."""
    FULL = auto()


class InternalGuard:
    """Accepts requests with the bearer token `token`, or from a TCP peer in one of `trusted_networks`.

    With an empty `token`, only trusted peers are accepted. Forwarding headers (X-Forwarded-For, Forwarded) never
    grant access, because any client can send them; those of a loopback peer show that it is a proxy, which is not
    trusted.

    Foreign pages in a trusted peer's browser are not accepted: without the token, the `Host` of a request must be an
    address, `localhost` or in `allowed_hosts`, and its `Origin`, if any, that of the `Host`. `trusts_strangers` is
    True when the networks are not limited to those of backends.
    """

    def __init__(
        self,
        token: str,
        trusted_networks: Sequence[IPv4Network | IPv6Network],
        allowed_hosts: Collection[str] = (),
        *,
        trusts_strangers: bool = False,
    ) -> None:
        self._token = token.encode()
        self._trusted_networks = trusted_networks
        self._allowed_hosts = frozenset(allowed_hosts)
        self._trusts_strangers = trusts_strangers
        # Parsing an address takes longer than all other checks.
        self._trust_in = lru_cache(CACHED_PEERS)(self._examine_peer)

    def __call__(self) -> None:
        """Check the current request, before its body is read. Raises `Unauthorized`."""
        self.check(request.environ)

    def check(self, environ: dict[str, Any]) -> None:
        """Check the request with this WSGI environment, before its body is read. Raises `Unauthorized`."""
        if self._has_token(environ):
            return
        trust = self._trust_in(environ.get("REMOTE_ADDR", ""))
        if trust is Trust.NONE:
            raise Unauthorized(UNTRUSTED_PEER)
        if trust is Trust.UNLESS_PROXY:
            _check_forwarding(environ)
        self._check_host(environ)

    def permits(self) -> bool:
        """Return whether the current request is accepted."""
        try:
            self()
        except Unauthorized:
            return False
        return True

    def trusts(self, peer: str) -> bool:
        """Return whether a TCP peer's address is in a trusted network."""
        return self._trust_in(peer) is not Trust.NONE

    def is_backend(self, peer: str) -> bool:
        """Return whether a TCP peer's network identifies it as a backend, or a proxy."""
        return not self._trusts_strangers and self.trusts(peer)

    def _examine_peer(self, peer: str) -> Trust:
        address = _address_of(peer)
        if address is None or not any(address in network for network in self._trusted_networks):
            return Trust.NONE
        return Trust.UNLESS_PROXY if address.is_loopback else Trust.FULL

    def _check_host(self, environ: dict[str, Any]) -> None:
        host = environ.get("HTTP_HOST", "")
        name = host_name(host)
        if not (cannot_be_rebound(name) or name in self._allowed_hosts):
            shown = host[:SHOWN_CHARACTERS]
            raise Unauthorized(f"Missing or invalid API token, and the host {shown!r} is not in ASF_ALLOWED_HOSTS.")
        origin = environ.get("HTTP_ORIGIN")
        if origin is not None and not is_own(origin, environ):
            raise Unauthorized("Missing or invalid API token, and the request is from a page of another origin.")

    def _has_token(self, environ: dict[str, Any]) -> bool:
        presented = bearer_token_of(environ)
        return bool(self._token) and presented is not None and hmac.compare_digest(presented.encode(), self._token)


def _check_forwarding(environ: dict[str, Any]) -> None:
    header = next((header for name, header in FORWARDING_HEADERS.items() if name in environ), None)
    if header is not None:
        raise Unauthorized(f"Missing or invalid API token, and a proxy on this machine forwarded it ({header}).")


def _address_of(peer: str) -> IPv4Address | IPv6Address | None:
    """Return the address of a TCP peer; None if it is none."""
    try:
        address = ip_address(peer)
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped  # How a dual-stack socket reports an IPv4 peer.
    return address
