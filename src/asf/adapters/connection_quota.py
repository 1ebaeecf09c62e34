"""Limits the number of connections, in total and from one address."""

from collections import Counter
from collections.abc import Callable
from ipaddress import IPv6Address, IPv6Network, ip_address

from asf.domain.errors import AsfError, RateLimited, TooManyConnections

SUBSCRIBER_PREFIX_BITS = 64
"""Length of the IPv6 prefix that identifies one internet subscriber: each has at least such a network (RFC 6177)."""

REJECTION_HEADROOM = 1_000
"""Connections accepted beyond the limit so that they can be answered with an error."""

BEGINNINGS_EACH = 500
"""Long-polling sessions that clients of one address may have begun at the same time without having entered a
namespace, which takes a client one round trip: more than browsers behind one proxy begin in that time."""


class ConnectionQuota:
    """Counts connections, in total and by address, against limits.

    `most` is the limit in total, `most_each` the limit of one address (0: unlimited). Up to `REJECTION_HEADROOM`
    connections beyond `most`, and twice `most_each`, are accepted to be answered with an error. An address for which
    `is_exempt` returns True is only subject to the limit in total. `subject` is what is counted, for messages.
    """

    def __init__(
        self,
        most: int,
        most_each: int,
        is_exempt: Callable[[str], bool] = lambda _address: False,
        subject: str = "connections",
    ) -> None:
        self._most = most
        self._most_each = most_each
        self._is_exempt = is_exempt
        self._subject = subject
        self._taken = 0
        self._taken_by: Counter[str] = Counter()

    def __len__(self) -> int:
        """Return the number of connections of this process."""
        return self._taken

    @property
    def total(self) -> int:
        """The number of connections that count towards the limit in total."""
        return self._taken

    def rejection(self, address: str) -> AsfError | None:
        """Return why another connection from `address` is over a limit, or None."""
        total = self.total
        if total >= self._most:
            return TooManyConnections(f"{total} {self._subject} are open.")
        if self._has(address, self._most_each):
            return RateLimited(f"At most {self._most_each} {self._subject} from one address.")
        return None

    def has_rejection_headroom(self, address: str) -> bool:
        """Return whether another connection from `address` is accepted, if only to be answered with an error."""
        if self.total >= self._most + REJECTION_HEADROOM:
            return False
        return not self._has(address, 2 * self._most_each)

    def take(self, address: str) -> None:
        """Count a connection from `address`."""
        self._add(_holder(address) if self._most_each else None, 1)

    def release(self, address: str) -> None:
        """Count the end of a connection from `address`."""
        self._add(_holder(address) if self._most_each else None, -1)

    def _add(self, holder: str | None, change: int) -> None:
        """Count a connection more or less, of an internet subscriber if addresses are limited."""
        self._taken += change
        if holder is not None:
            self._taken_by[holder] += change
            if not self._taken_by[holder]:
                del self._taken_by[holder]

    def _count_of(self, holder: str) -> int:
        """Return the number of connections of an internet subscriber."""
        return self._taken_by[holder]

    def _has(self, address: str, most: int) -> bool:
        """Return whether an address has `most` connections, if that is a limit and applies to the address."""
        return bool(most) and self._count_of(_holder(address)) >= most and not self._is_exempt(address)


def _holder(address: str) -> str:
    """Return the key of an internet subscriber: an IPv4 address, or an IPv6 network."""
    try:
        parsed = ip_address(address)
    except ValueError:  # a socket of another family
        return address
    if not isinstance(parsed, IPv6Address):
        return address
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(IPv6Network((int(parsed), SUBSCRIBER_PREFIX_BITS), strict=False))
