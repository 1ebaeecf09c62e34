"""What access control needs from outside."""

from typing import Protocol

from asf.domain.access.grant import Grant


class TokenVerifier(Protocol):
    """Verifies tokens."""

    def verify(self, token: object, timestamp: float) -> Grant:
        """Return what `token` grants at `timestamp`, in seconds since the Unix epoch. The grant expires after that.

        `token` is any value that a client may send. Raises `Unauthorized` when it is not an authentic token, or is
        not valid at that time. The details do not repeat the token.
        """
        ...
