"""Errors of streams and of their announcements."""

from asf.domain.errors.base import AsfError


class CatalogUnavailable(AsfError):
    """The catalog of streams cannot be read or written now."""

    error_code = "ASF_CATALOG_UNAVAILABLE"
    message = "The catalog of streams is not available."
    retryable = True


class NotificationError(AsfError):
    """A backend's announcement of audio is rejected."""


class InvalidStreamId(NotificationError):
    """The stream id violates the rules for identifiers (contract.md, section 2)."""

    error_code = "ASF_NOTIFY_INVALID_STREAM_ID"
    message = "Validation failed: 'stream_id' must be a non-empty string."


class InvalidFilepath(NotificationError):
    """The file path is missing, or does not name anything that ASF may read; `details` says why.

    The message is the same for all of them, as the contract has it (contract.md, section 4).
    """

    error_code = "ASF_NOTIFY_INVALID_FILEPATH"
    message = "Validation failed: 'filepath' must be a non-empty string."


class CatalogFull(NotificationError):
    """The catalog holds `ASF_MAX_STREAMS` streams."""

    error_code = "ASF_CATALOG_FULL"
    message = "The catalog is full."

    @classmethod
    def at(cls, max_streams: int) -> "CatalogFull":
        """Return the error of a catalog that holds `max_streams` streams, with the remedy in `details`."""
        return cls(f"It holds {max_streams} streams. Delete streams that are no longer needed.")


class InvalidField(NotificationError):
    """An optional field of the announcement has an invalid value."""

    error_code = "ASF_NOTIFY_INVALID_FIELD"
    message = "Validation failed: a field has an invalid value."

    def __init__(self, details: str | None = None, field: str | None = None) -> None:
        if field is not None:
            self.message = f"Validation failed: '{field}' is invalid."
        super().__init__(details)
