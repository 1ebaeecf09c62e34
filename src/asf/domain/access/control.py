"""Access control: checks tokens, and ends access when they expire."""

from collections.abc import Callable, Hashable

from asf.domain.access.expiry import Expiries
from asf.domain.access.grant import Grant
from asf.domain.access.ports import TokenVerifier
from asf.domain.clock import Clock
from asf.domain.errors import Unauthorized


class AccessControl:
    """The one access check for all transports. A session or subscription ends when its token expires.

    Without a `verifier` all access is granted without an expiry, and tokens are ignored. `update_wake_up` is called
    when the next expiry may be earlier than before.

    The remaining time of a token is computed once, and then measured by the monotonic clock, which changes of the
    wall clock do not affect.
    """

    def __init__(
        self, verifier: TokenVerifier | None, expiries: Expiries, clock: Clock, update_wake_up: Callable[[], object]
    ) -> None:
        self._verifier = verifier
        self._expiries = expiries
        self._clock = clock
        self._update_wake_up = update_wake_up

    def check_stream(self, token: object, stream_id: str) -> float | None:
        """Return until when the bearer of `token` may listen to the stream, in seconds of the clock; None: forever.

        Raises `Unauthorized`.
        """
        return self._check(token, lambda grant: grant.allows_stream(stream_id), "stream")

    def check_client(self, token: object, client_id: str) -> float | None:
        """Return until when the bearer of `token` may be subscribed to the client, as `check_stream` does."""
        return self._check(token, lambda grant: grant.allows_client(client_id), "client")

    def end_at(self, key: Hashable, until: float | None, end: Callable[[Unauthorized], object]) -> None:
        """Call `end` with the reason at `until`, which a check returned. Replaces an earlier callback for `key`."""
        if until is not None:
            self._expiries.put(key, until, lambda: end(Unauthorized("The token has expired.")))
            self._update_wake_up()

    def forget(self, key: Hashable) -> None:
        """Cancel the callback for `key`, which has ended. An unknown key is ignored."""
        self._expiries.remove(key)

    def _check(self, token: object, allows: Callable[[Grant], bool], kind: str) -> float | None:
        if self._verifier is None:
            return None
        if token is None:
            raise Unauthorized("The token is missing.")
        timestamp = self._clock.timestamp()
        grant = self._verifier.verify(token, timestamp)
        if not allows(grant):
            raise Unauthorized(f"The token does not grant this {kind}.")
        return self._clock.now() + grant.expires_at - timestamp
