"""The errors that ASF answers with.

Every error is an `AsfError` with a stable `error_code` and a `message` that clients may compare; both are part
of the wire contract. `details` says what exactly was wrong, for humans. Each adapter maps errors to its protocol
(HTTP status, event, close code) in one table.
"""

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


class RateLimited(AsfError):
    """The client has exceeded a rate limit, or has too many open connections or running demos."""

    error_code = "ASF_RATE_LIMITED"
    message = "Too many requests."
    retryable = True


class Throttled(AsfError):
    """The connection sends messages faster than the rate limit allows. They are read more slowly; none is lost."""

    error_code = "ASF_SLOWED_DOWN"
    message = "Messages arrive too fast; this connection is throttled."


class TooManyConnections(AsfError):
    """The server has reached its connection limit."""

    error_code = "ASF_TOO_MANY_CONNECTIONS"
    message = "The server has reached its connection limit."
    retryable = True


class JoinTimeout(AsfError):
    """The connection joined no stream and subscribed to no client within the join timeout."""

    error_code = "ASF_NOTHING_JOINED"
    message = "Nothing was joined or subscribed to in time; closing the connection."
    retryable = True


class UnknownNamespace(AsfError):
    """The server has no Socket.IO namespace of this name. `details` has those that it has."""

    error_code = "ASF_UNKNOWN_NAMESPACE"
    message = "Unknown Socket.IO namespace."


class StreamError(AsfError):
    """A stream cannot be delivered to a listener."""


class StreamNotFound(StreamError):
    """No stream is announced under this id."""

    error_code = "ASF_STREAM_NOT_FOUND"
    message = "Audio stream ID not found or not yet processed."
    retryable = True


class AudioUnavailable(StreamError):
    """The audio is missing, unreadable, outside the audio roots, or was changed or truncated during the session."""

    error_code = "ASF_AUDIO_UNAVAILABLE"
    message = "Audio file unavailable for this stream."
    retryable = True


class AudioChanged(AudioUnavailable):
    """The audio was changed or replaced after it was opened, so the rest does not continue what was sent."""

    retryable = False


class GenerationFailed(StreamError):
    """The audio's generation failed; what was generated has been sent. `details` has the reason, if known."""

    error_code = "ASF_GENERATION_FAILED"
    message = "The generation of this stream's audio failed."


class StreamStalled(StreamError):
    """The audio has not grown for `ASF_STALL_GIVE_UP_SECONDS`."""

    error_code = "ASF_STREAM_STALLED"
    message = "The audio of this stream has not grown for too long."
    retryable = True


class EpochChanged(StreamError):
    """The listener's offset belongs to another epoch of the audio than the current one, `epoch`."""

    error_code = "ASF_EPOCH_CHANGED"
    message = "The audio for this stream was regenerated."

    def __init__(self, details: str | None = None, epoch: str = "") -> None:
        super().__init__(details)
        self.epoch = epoch


class ListenerTooSlow(StreamError):
    """The listener has read nothing for `ASF_SLOW_LISTENER_SECONDS`, by URL for `ASF_HTTP_PAUSE_SECONDS`."""

    error_code = "ASF_LISTENER_TOO_SLOW"
    message = "The listener took no audio for too long."
    retryable = True


class Draining(StreamError):
    """The server is shutting down; resume at the same offset on another server, or after the restart."""

    error_code = "ASF_DRAINING"
    message = "The server is being shut down."
    retryable = True


class TooManyListeners(StreamError):
    """The server has `ASF_MAX_LISTENERS` listeners."""

    error_code = "ASF_TOO_MANY_LISTENERS"
    message = "The server has reached its listener limit."
    retryable = True


class ListenerError(AsfError):
    """A listener's command cannot be executed now. Its session, if any, continues."""


class NoSession(ListenerError):
    """The listener has not joined a stream, or has joined another one than it names."""

    error_code = "ASF_NO_SESSION"
    message = "No such stream is joined on this connection."


class InvalidAck(ListenerError):
    """The listener acknowledged more bytes than were sent."""

    error_code = "ASF_INVALID_ACK"
    message = "More bytes are acknowledged than were sent."


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
    """The file path does not name anything that ASF may read."""

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
        super().__init__(details)
        if field is not None:
            self.message = f"Validation failed: '{field}' is invalid."


class UiUpdateError(AsfError):
    """A backend's UI update cannot be relayed."""


class InvalidClientId(UiUpdateError):
    """The client id violates the rules for identifiers (contract.md, section 2)."""

    error_code = "ASF_SENDUI_INVALID_CLIENT_ID"
    message = "Validation failed: 'client_id' must be a non-empty string."


class InvalidEventName(UiUpdateError):
    """The event name violates the rules for identifiers (contract.md, section 2)."""

    error_code = "ASF_SENDUI_INVALID_EVENT_NAME"
    message = "Validation failed: 'event_name' must be a non-empty string."


class IdempotencyConflict(UiUpdateError):
    """The idempotency key was already used for another update."""

    error_code = "ASF_IDEMPOTENCY_CONFLICT"
    message = "The idempotency key belongs to another update."


class InvalidIdempotencyKey(UiUpdateError):
    """The idempotency key violates the rules for identifiers (contract.md, section 2)."""

    error_code = "ASF_SENDUI_INVALID_IDEMPOTENCY_KEY"
    message = "Validation failed: 'idempotency_key' is invalid."


class TooManySubscriptions(UiUpdateError):
    """The connection has reached its subscription limit."""

    error_code = "ASF_TOO_MANY_SUBSCRIPTIONS"
    message = "This connection has too many subscriptions."


class NotSubscribed(AsfError):
    """The connection unsubscribes from a client that it is not subscribed to."""

    error_code = "ASF_NOT_SUBSCRIBED"
    message = "This connection is not subscribed to that client."


class UiNamespaceMissing(UiUpdateError):
    """The server has no namespace for UI updates."""

    error_code = "ASF_CONFIG_ERROR_UI_NAMESPACE"
    message = "UI updates namespace is not configured."


class UiEmitFailed(UiUpdateError):
    """The update could not be stored, or could not be delivered to a connected subscriber."""

    error_code = "ASF_SOCKETIO_EMIT_FAILED"
    message = "Failed to emit the UI update."
    retryable = True
