"""Access control of the internal API, the routes under /asf/internal/ (docs/contract.md, section 6)."""

import hmac
from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address

from flask import request

from asf.adapters.http_api.bearer import bearer_token
from asf.domain.errors import Unauthorized


class InternalGuard:
    """Accepts requests with the bearer token `token`, or from a TCP peer in one of `trusted_networks`.

    With an empty `token`, only trusted peers are accepted. Forwarding headers (X-Forwarded-For, Forwarded) are
    ignored, because any client can send them. `trusts_strangers` is True when the networks are not limited to
    those of backends.
    """

    def __init__(
        self, token: str, trusted_networks: Sequence[IPv4Network | IPv6Network], *, trusts_strangers: bool = False
    ) -> None:
        self._token = token.encode()
        self._trusted_networks = trusted_networks
        self._trusts_strangers = trusts_strangers

    def __call__(self) -> None:
        """Check the current request, before its body is read. Raises `Unauthorized`."""
        if not (self.trusts(request.environ.get("REMOTE_ADDR", "")) or self._has_token()):
            raise Unauthorized(
                "Missing or invalid API token, and this address is not in ASF_INTERNAL_TRUSTED_NETWORKS."
            )

    def trusts(self, peer: str) -> bool:
        """Return whether a TCP peer's address is in a trusted network."""
        try:
            address = ip_address(peer)
        except ValueError:
            return False
        if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped  # How a dual-stack socket reports an IPv4 peer.
        return any(address in network for network in self._trusted_networks)

    def is_backend(self, peer: str) -> bool:
        """Return whether a TCP peer's network identifies it as a backend, or a proxy."""
        return not self._trusts_strangers and self.trusts(peer)

    def _has_token(self) -> bool:
        presented = bearer_token()
        return bool(self._token) and presented is not None and hmac.compare_digest(presented.encode(), self._token)
