"""Errors of the Python clients."""

from collections.abc import Mapping
from typing import Any


class AsfClientError(Exception):
    """Root of the clients' errors. Its text is a sentence for humans."""


class ServerUnreachable(AsfClientError):
    """No ASF server responded, or the connection was lost.

    `temporary` says whether the same request may succeed later, as far as the client can tell.
    """

    def __init__(self, message: str, *, temporary: bool = True) -> None:
        super().__init__(message)
        self.temporary = temporary


class RequestRejected(AsfClientError):
    """ASF responded with an error: `error_code` is stable, `message` and `details` (or None) are for humans.

    `status` is the HTTP status; None if the error did not come over HTTP. `attempt` is the attempt of a retried
    request that got this response, from 1.
    """

    def __init__(self, body: Mapping[str, Any], status: int | None = None, attempt: int = 1) -> None:
        self.error_code = str(body.get("error_code", ""))
        self.message = str(body.get("message", "The request was rejected."))
        self.details: str | None = body.get("details")
        self.status = status
        self.attempt = attempt
        super().__init__(" ".join(filter(None, [self.message, self.details, f"({self.error_code})"])))


class StreamRejected(RequestRejected):
    """The stream was rejected, or failed while it was sent. `retryable` says whether a retry may succeed."""

    def __init__(self, body: Mapping[str, Any]) -> None:
        super().__init__(body)
        self.retryable = bool(body.get("retryable"))


RequestRefused = RequestRejected
StreamRefused = StreamRejected
"""Earlier names of these errors."""
