"""What can go wrong between a client and ASF."""

from collections.abc import Mapping
from typing import Any


class AsfClientError(Exception):
    """Root of the client's errors. Its text is a sentence for people."""


class ServerUnreachable(AsfClientError):
    """Nothing that speaks ASF's language answered, or the connection was lost.

    `temporary` tells whether the same request may succeed later, as far as the client can know.
    """

    def __init__(self, message: str, *, temporary: bool = True) -> None:
        super().__init__(message)
        self.temporary = temporary


class RequestRefused(AsfClientError):
    """ASF answered with an error: `error_code` is stable, `message` and `details` (or None) are for people.

    `status` is the HTTP status, or None where the answer came another way. `attempt` counts from 1 and tells which
    attempt of a repeated request was answered so.
    """

    def __init__(self, answer: Mapping[str, Any], status: int | None = None, attempt: int = 1) -> None:
        self.error_code = str(answer.get("error_code", ""))
        self.message = str(answer.get("message", "The request was refused."))
        self.details: str | None = answer.get("details")
        self.status = status
        self.attempt = attempt
        super().__init__(" ".join(filter(None, [self.message, self.details, f"({self.error_code})"])))


class StreamRefused(RequestRefused):
    """The listener cannot have the stream, or lost it on the way. `retryable` tells whether trying again may help."""

    def __init__(self, answer: Mapping[str, Any]) -> None:
        super().__init__(answer)
        self.retryable = bool(answer.get("retryable"))
