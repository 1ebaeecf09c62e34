"""Networks of the internal API's trusted peers."""

from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network, collapse_addresses

Networks = Sequence[IPv4Network | IPv6Network]

ANYWHERE: Networks = (IPv4Network("0.0.0.0/0"), IPv6Network("::/0"))
LOOPBACK: Networks = (IPv4Network("127.0.0.0/8"), IPv6Network("::1/128"))

WIDEST_PREFIXES = {4: 8, 6: 7}
"""Prefix lengths, by IP version, of the widest networks that belong to one owner: 10.0.0.0/8 (RFC 1918) and fc00::/7
(RFC 4193)."""


def include_strangers(networks: Networks) -> bool:
    """Return whether `networks`, combined, are wider than what can belong to one owner."""
    four = collapse_addresses(network for network in networks if isinstance(network, IPv4Network))
    six = collapse_addresses(network for network in networks if isinstance(network, IPv6Network))
    combined: Networks = [*four, *six]
    return any(network.prefixlen < WIDEST_PREFIXES[network.version] for network in combined)
