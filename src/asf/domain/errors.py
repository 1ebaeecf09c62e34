"""The errors that ASF answers with.

Every error is an `AsfError` with a stable `error_code` and a `message` that clients may compare; both are part
of the wire contract. `details` tells a person what exactly was wrong. How an error is carried (an HTTP status, an
event, a close code) is decided by the adapters, each in one table.
"""

from typing import ClassVar


class AsfError(Exception):
    """Root of all errors that ASF answers with.

    `error_code` is stable and unique to the class (a special case of another may share it), `message` is the text of
    the contract, and `retryable` tells a client whether the same request may succeed later. `details` may be None.
    """

    error_code: ClassVar[str] = "ASF_INTERNAL_ERROR"
    message: str = "Internal error."
    retryable: ClassVar[bool] = False

    def __init__(self, details: str | None = None) -> None:
        super().__init__(self.message if details is None else f"{self.message} {details}")
        self.details = details


class InternalError(AsfError):
    """Something failed that no other error describes; the log has the reason."""

    retryable = True


class Unauthorized(AsfError):
    """There is no token, or it is not valid (any more), or it does not grant what was asked for."""

    error_code = "ASF_UNAUTHORIZED"
    message = "A valid token is required."


class RateLimited(AsfError):
    """There was, or is, more of this than one client may have."""

    error_code = "ASF_RATE_LIMITED"
    message = "Too many requests."
    retryable = True


class Throttled(AsfError):
    """Messages come faster than one connection may send them. None is lost, but they are read more slowly."""

    error_code = "ASF_SLOWED_DOWN"
    message = "Messages come too fast; they are read more slowly."


class TooManyConnections(AsfError):
    """The server has as many connections as it may have."""

    error_code = "ASF_TOO_MANY_CONNECTIONS"
    message = "The server has no place for another connection."
    retryable = True


class JoinTimeout(AsfError):
    """A connection has joined no stream, and subscribed to no client, in the time that there is for that."""

    error_code = "ASF_NOTHING_JOINED"
    message = "Nothing was joined or subscribed to in time; the connection ends."
    retryable = True


class StreamError(AsfError):
    """A listener cannot have the stream that it asked for."""


class StreamNotFound(StreamError):
    """No stream of that id has been announced."""

    error_code = "ASF_STREAM_NOT_FOUND"
    message = "Audio stream ID not found or not yet processed."
    retryable = True


class AudioUnavailable(StreamError):
    """The stream is known, but its audio cannot be read: missing, unreadable, or shorter than announced."""

    error_code = "ASF_AUDIO_UNAVAILABLE"
    message = "Audio file unavailable for this stream."
    retryable = True


class AudioChanged(AudioUnavailable):
    """The audio is not, or may not be, the one that was announced any more: what was sent does not belong to it."""

    retryable = False


class GenerationFailed(StreamError):
    """The making of the audio ended early; what there is has been sent. `details` says why, where that is known."""

    error_code = "ASF_GENERATION_FAILED"
    message = "The generation of this stream's audio failed."


class StreamStalled(StreamError):
    """The audio has not grown for longer than the server waits (`ASF_STALL_GIVE_UP_SECONDS`)."""

    error_code = "ASF_STREAM_STALLED"
    message = "The audio of this stream has not grown for too long."
    retryable = True


class EpochChanged(StreamError):
    """The listener's offset belongs to another making of the audio than the current one, `epoch`."""

    error_code = "ASF_EPOCH_CHANGED"
    message = "The audio of this stream was made anew."

    def __init__(self, details: str | None = None, epoch: str = "") -> None:
        super().__init__(details)
        self.epoch = epoch


class ListenerTooSlow(StreamError):
    """The listener took no byte for longer than the server waits (`ASF_SLOW_LISTENER_SECONDS`)."""

    error_code = "ASF_LISTENER_TOO_SLOW"
    message = "The listener took no audio for too long."
    retryable = True


class Draining(StreamError):
    """The server is being shut down; another one, or the next one, goes on from the same offset."""

    error_code = "ASF_DRAINING"
    message = "The server is being shut down."
    retryable = True


class TooManyListeners(StreamError):
    """The server has as many listeners as it may have (`ASF_MAX_LISTENERS`)."""

    error_code = "ASF_TOO_MANY_LISTENERS"
    message = "The server has no place for another listener."
    retryable = True


class ListenerError(AsfError):
    """A listener asked for something that its session cannot give now. The session goes on, where there is one."""


class NoSession(ListenerError):
    """The listener has joined no stream, or another one than it names."""

    error_code = "ASF_NO_SESSION"
    message = "No such stream is joined on this connection."


class InvalidAck(ListenerError):
    """More was acknowledged than was sent."""

    error_code = "ASF_INVALID_ACK"
    message = "More bytes are acknowledged than were sent."


class CatalogUnavailable(AsfError):
    """The catalog of streams cannot be read or written now."""

    error_code = "ASF_CATALOG_UNAVAILABLE"
    message = "The catalog of streams is not available."
    retryable = True


class NotificationError(AsfError):
    """A backend announced audio in a way that cannot be accepted."""


class InvalidStreamId(NotificationError):
    """The stream id breaks the rules of `asf.domain.identifiers.stream_id_problem`."""

    error_code = "ASF_NOTIFY_INVALID_STREAM_ID"
    message = "Validation failed: 'stream_id' must be a non-empty string."


class InvalidFilepath(NotificationError):
    """The file path names nothing that ASF may read."""

    error_code = "ASF_NOTIFY_INVALID_FILEPATH"
    message = "Validation failed: 'filepath' must be a non-empty string."


class CatalogFull(NotificationError):
    """The catalog holds as many streams as it may hold (`ASF_MAX_STREAMS`)."""

    error_code = "ASF_CATALOG_FULL"
    message = "The catalog has no place for another stream."

    @classmethod
    def at(cls, max_streams: int) -> "CatalogFull":
        """Return the error of a catalog that holds so many streams, with what can be done about it."""
        return cls(f"It holds {max_streams}; streams that nobody needs any more can be deleted.")


class InvalidField(NotificationError):
    """A field of the announcement that may be left out has a value that it cannot have."""

    error_code = "ASF_NOTIFY_INVALID_FIELD"
    message = "Validation failed: a field has an invalid value."

    def __init__(self, details: str | None = None, field: str | None = None) -> None:
        super().__init__(details)
        if field is not None:
            self.message = f"Validation failed: '{field}' is invalid."


class UiUpdateError(AsfError):
    """A backend's UI update cannot be relayed."""


class InvalidClientId(UiUpdateError):
    """The client id breaks the rules of `asf.domain.identifiers.client_id_problem`."""

    error_code = "ASF_SENDUI_INVALID_CLIENT_ID"
    message = "Validation failed: 'client_id' must be a non-empty string."


class InvalidEventName(UiUpdateError):
    """The event name breaks the rules of `asf.domain.identifiers.event_name_problem`."""

    error_code = "ASF_SENDUI_INVALID_EVENT_NAME"
    message = "Validation failed: 'event_name' must be a non-empty string."


class IdempotencyConflict(UiUpdateError):
    """The idempotency key was used for another update before."""

    error_code = "ASF_IDEMPOTENCY_CONFLICT"
    message = "The idempotency key belongs to another update."


class InvalidIdempotencyKey(UiUpdateError):
    """The idempotency key breaks the rules of `asf.domain.identifiers.idempotency_key_problem`."""

    error_code = "ASF_SENDUI_INVALID_IDEMPOTENCY_KEY"
    message = "Validation failed: 'idempotency_key' is invalid."


class TooManySubscriptions(UiUpdateError):
    """The connection has as many subscriptions as it may have."""

    error_code = "ASF_TOO_MANY_SUBSCRIPTIONS"
    message = "This connection has too many subscriptions."


class NotSubscribed(AsfError):
    """A connection ends a subscription that it does not have."""

    error_code = "ASF_NOT_SUBSCRIBED"
    message = "This connection is not subscribed to that client."


class UiNamespaceMissing(UiUpdateError):
    """The server was started without a namespace for UI updates."""

    error_code = "ASF_CONFIG_ERROR_UI_NAMESPACE"
    message = "UI updates namespace is not configured."


class UiEmitFailed(UiUpdateError):
    """The update could not be handed to a connected subscriber."""

    error_code = "ASF_SOCKETIO_EMIT_FAILED"
    message = "Failed to emit the UI update."
    retryable = True
