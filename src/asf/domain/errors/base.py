"""The root of all errors, and those of every room."""

from typing import ClassVar


class AsfError(Exception):
    """Root of all errors that ASF answers with.

    `error_code` is stable and unique to the class (a subclass may share its parent's), `message` is the text of the
    contract, and `retryable` says whether the same request may succeed later. `details` is None if there are none.
    """

    error_code: ClassVar[str] = "ASF_INTERNAL_ERROR"
    message: str = "Internal error."
    retryable: ClassVar[bool] = False

    def __init__(self, details: str | None = None) -> None:
        super().__init__(self.message if details is None else f"{self.message} {details}")
        self.details = details


class InternalError(AsfError):
    """An unexpected failure; the server's log has the reason."""

    retryable = True


class Unauthorized(AsfError):
    """The token is missing, invalid or expired, or does not grant the request."""

    error_code = "ASF_UNAUTHORIZED"
    message = "A valid token is required."
