"""The lock of the internal API: who may use the routes under /asf/internal/ (docs/contract.md, section 6)."""

import hmac
from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address

from flask import request

from asf.adapters.http_api.bearer import bearer_token
from asf.domain.errors import Unauthorized


class InternalGuard:
    """Lets a request pass that brings `token`, or whose TCP peer is in one of `trusted_networks`.

    An empty `token` is none: then nothing that a request says opens the door. What proxies say of the peer
    (X-Forwarded-For, Forwarded) is never looked at, as anyone can write it.
    """

    def __init__(self, token: str, trusted_networks: Sequence[IPv4Network | IPv6Network]) -> None:
        self._token = token.encode()
        self._trusted_networks = trusted_networks

    def __call__(self) -> None:
        """Let the current request pass, before its body is read. Raises `Unauthorized`."""
        if not (self.trusts(request.environ.get("REMOTE_ADDR", "")) or self._brings_the_token()):
            raise Unauthorized("The internal API wants its bearer token, or a peer in a trusted network.")

    def trusts(self, peer: str) -> bool:
        """Return whether a TCP peer's address is in a trusted network."""
        try:
            address = ip_address(peer)
        except ValueError:
            return False
        if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped  # How a socket for both families sees a peer of IPv4.
        return any(address in network for network in self._trusted_networks)

    def _brings_the_token(self) -> bool:
        presented = bearer_token()
        return bool(self._token) and presented is not None and hmac.compare_digest(presented.encode(), self._token)
