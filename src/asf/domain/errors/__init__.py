"""The errors that ASF answers with.

Every error is an `AsfError` with a stable `error_code` and a `message` that clients may compare; both are part
of the wire contract. `details` says what exactly was wrong, for humans. Each adapter maps errors to its protocol
(HTTP status, event, close code) in one table. There is a module for each package of the domain, and `connections`.
"""

from asf.domain.errors.base import AsfError, InternalError, Unauthorized
from asf.domain.errors.connections import JoinTimeout, RateLimited, Throttled, TooManyConnections, UnknownNamespace
from asf.domain.errors.cues import CueError, CuesUnavailable, InvalidCue, TooManyCues
from asf.domain.errors.streaming import (
    AudioChanged,
    AudioUnavailable,
    Disconnected,
    Draining,
    EpochChanged,
    GenerationFailed,
    InvalidAck,
    ListenerError,
    ListenerTooSlow,
    NoSession,
    StreamError,
    StreamNotFound,
    StreamStalled,
    TooManyListeners,
)
from asf.domain.errors.streams import (
    CatalogFull,
    CatalogUnavailable,
    InvalidField,
    InvalidFilepath,
    InvalidStreamId,
    NotificationError,
)
from asf.domain.errors.updates import (
    IdempotencyConflict,
    InvalidClientId,
    InvalidEventName,
    InvalidIdempotencyKey,
    NotSubscribed,
    TooManySubscriptions,
    UiEmitFailed,
    UiNamespaceMissing,
    UiUpdateError,
)
from asf.domain.errors.uploads import (
    StorageFull,
    UploadComplete,
    UploadEmpty,
    UploadError,
    UploadNotFound,
    UploadOffsetMismatch,
    UploadTakenOver,
    UploadTooLarge,
    UploadUnavailable,
)

__all__ = [
    "AsfError",
    "AudioChanged",
    "AudioUnavailable",
    "CatalogFull",
    "CatalogUnavailable",
    "CueError",
    "CuesUnavailable",
    "Disconnected",
    "Draining",
    "EpochChanged",
    "GenerationFailed",
    "IdempotencyConflict",
    "InternalError",
    "InvalidAck",
    "InvalidClientId",
    "InvalidCue",
    "InvalidEventName",
    "InvalidField",
    "InvalidFilepath",
    "InvalidIdempotencyKey",
    "InvalidStreamId",
    "JoinTimeout",
    "ListenerError",
    "ListenerTooSlow",
    "NoSession",
    "NotSubscribed",
    "NotificationError",
    "RateLimited",
    "StorageFull",
    "StreamError",
    "StreamNotFound",
    "StreamStalled",
    "Throttled",
    "TooManyConnections",
    "TooManyCues",
    "TooManyListeners",
    "TooManySubscriptions",
    "UiEmitFailed",
    "UiNamespaceMissing",
    "UiUpdateError",
    "Unauthorized",
    "UnknownNamespace",
    "UploadComplete",
    "UploadEmpty",
    "UploadError",
    "UploadNotFound",
    "UploadOffsetMismatch",
    "UploadTakenOver",
    "UploadTooLarge",
    "UploadUnavailable",
]
