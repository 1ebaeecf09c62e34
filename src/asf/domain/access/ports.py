"""What access control needs from outside."""

from typing import Protocol

from asf.domain.access.grant import Grant


class TokenVerifier(Protocol):
    """Tells what tokens grant."""

    def verify(self, token: object, timestamp: float) -> Grant:
        """Return what `token`, anything that a client may send as one, grants at `timestamp`.

        `timestamp` is in seconds since the Unix epoch; the grant ends later than that. Raises `Unauthorized` for
        what is no authentic token, and for one that is not valid then; its details do not repeat the token.
        """
        ...
