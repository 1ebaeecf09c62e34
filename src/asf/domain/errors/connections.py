"""Errors of connections: too many, too fast, for nothing."""

from asf.domain.errors.base import AsfError


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
