"""Errors of UI updates."""

from asf.domain.errors.base import AsfError


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
