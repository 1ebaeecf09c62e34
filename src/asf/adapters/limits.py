"""How much is too much: how often something may happen, and how many of something there may be."""

from collections import Counter
from collections.abc import Callable
from ipaddress import IPv6Address, IPv6Network, ip_address

from asf.domain.errors import AsfError, RateLimited, TooManyConnections

SUBSCRIBER_PREFIX_BITS = 64
"""The part of an IPv6 address that tells one subscriber from another: each has at least such a network (RFC 6177)."""

REJECTION_HEADROOM = 1_000
"""How many more may be there than there are places, to be told so."""


class RateLimit:
    """How often something may happen: `burst` times at once, `per_second` times in the long run.

    The generic cell rate algorithm (ITU-T I.371) with a virtual schedule: all that is kept is one number.
    """

    __slots__ = ("_interval", "_next", "_tolerance")

    def __init__(self, per_second: float, burst: int) -> None:
        self._interval = 1 / per_second
        self._tolerance = (burst - 1) * self._interval
        self._next = 0.0  # When the next one would be due, did they come evenly.

    def take(self, now: float) -> bool:
        """Count one more at `now` (seconds of a monotonic clock) and return True, or False if it is one too many."""
        if self._next - now > self._tolerance:
            return False
        self._next = max(self._next, now) + self._interval
        return True

    def delay(self, now: float) -> float:
        """Count one more at `now`, and return for how many seconds it must wait to be in bounds."""
        delay = self._next - now - self._tolerance
        self._next = max(self._next, now) + self._interval
        return max(0.0, delay)


class ConnectionQuota:
    """How many places are taken, in all and by each address.

    `most` places are for use, and `most_each` of them for one address at the most; 0 is no bound. Beyond that there
    is standing room, for those who are told that there is no place for them. An address for which `is_exempt`
    says so may have all places.
    """

    def __init__(self, most: int, most_each: int, is_exempt: Callable[[str], bool] = lambda _address: False) -> None:
        self._most = most
        self._most_each = most_each
        self._is_exempt = is_exempt
        self._taken = 0
        self._taken_by: Counter[str] = Counter()

    def __len__(self) -> int:
        """Return how many are there."""
        return self._taken

    def refusal(self, address: str) -> AsfError | None:
        """Return why there is no place for one more of `address`: `TooManyConnections` or `RateLimited`, or None."""
        if self._taken >= self._most:
            return TooManyConnections(f"There are {self._taken}.")
        if self._has(address, self._most_each):
            return RateLimited(f"There may be {self._most_each} connections from one address.")
        return None

    def has_rejection_headroom(self, address: str) -> bool:
        """Return whether one more of `address` may come in at all, if only to be told why it may not stay."""
        if self._taken >= self._most + REJECTION_HEADROOM:
            return False
        return not self._has(address, 2 * self._most_each)

    def take(self, address: str) -> None:
        """Count one more of `address`."""
        self._taken += 1
        if self._most_each:
            self._taken_by[_holder(address)] += 1

    def release(self, address: str) -> None:
        """Count one less."""
        self._taken -= 1
        if self._most_each:
            holder = _holder(address)
            self._taken_by[holder] -= 1
            if not self._taken_by[holder]:
                del self._taken_by[holder]

    def _has(self, address: str, most: int) -> bool:
        """Whether an address has so many places, if there is a bound and it holds for that address."""
        return bool(most) and self._taken_by[_holder(address)] >= most and not self._is_exempt(address)


def _holder(address: str) -> str:
    """Return what stands for one subscriber: an IPv4 address, or a network of IPv6."""
    try:
        parsed = ip_address(address)
    except ValueError:  # a socket of another family
        return address
    if not isinstance(parsed, IPv6Address):
        return address
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(IPv6Network((int(parsed), SUBSCRIBER_PREFIX_BITS), strict=False))
