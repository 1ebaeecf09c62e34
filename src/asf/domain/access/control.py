"""Who may come in, and for how long."""

from collections.abc import Callable, Hashable

from asf.domain.access.expiry import Expiries
from asf.domain.access.grant import Grant
from asf.domain.access.ports import TokenVerifier
from asf.domain.clock import Clock
from asf.domain.errors import Unauthorized


class AccessControl:
    """Asked by every door, whatever it speaks. What is let in for a time, ends with it.

    Without a `verifier` everybody is let in for ever, and tokens are ignored. `look_again` is called when the time to
    fire `expiries` may have moved ahead.

    How long a token is still valid is looked up once; from then on the time is that of the monotonic clock, which
    nobody sets.
    """

    def __init__(
        self, verifier: TokenVerifier | None, expiries: Expiries, clock: Clock, look_again: Callable[[], object]
    ) -> None:
        self._verifier = verifier
        self._expiries = expiries
        self._clock = clock
        self._look_again = look_again

    def check_stream(self, token: object, stream_id: str) -> float | None:
        """Return until when the bearer of `token` may listen to the stream, in seconds of the clock; None: for ever.

        Raises `Unauthorized`.
        """
        return self._check(token, lambda grant: grant.allows_stream(stream_id), "stream")

    def check_client(self, token: object, client_id: str) -> float | None:
        """Return until when the bearer of `token` may be subscribed to the client, as `check_stream` does."""
        return self._check(token, lambda grant: grant.allows_client(client_id), "client")

    def end_at(self, key: Hashable, until: float | None, end: Callable[[Unauthorized], object]) -> None:
        """Call `end` with the reason at `until`, as a check returned it, in place of an earlier call for `key`."""
        if until is not None:
            self._expiries.put(key, until, lambda: end(Unauthorized("The token has expired.")))
            self._look_again()

    def forget(self, key: Hashable) -> None:
        """Take note that what `key` stands for has ended. An unknown one does no harm."""
        self._expiries.remove(key)

    def _check(self, token: object, allows: Callable[[Grant], bool], kind: str) -> float | None:
        if self._verifier is None:
            return None
        if token is None:
            raise Unauthorized("There is no token.")
        timestamp = self._clock.timestamp()
        grant = self._verifier.verify(token, timestamp)
        if not allows(grant):
            raise Unauthorized(f"The token does not grant this {kind}.")
        return self._clock.now() + grant.expires_at - timestamp
