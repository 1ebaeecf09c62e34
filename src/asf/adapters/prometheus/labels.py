"""Values of labels that are known before the first event.

Their counters begin at 0. Otherwise Prometheus would see no increase when a series appears with its first event.
"""

from asf.domain.errors import (
    AudioUnavailable,
    CatalogUnavailable,
    Draining,
    EpochChanged,
    GenerationFailed,
    InternalError,
    ListenerTooSlow,
    RateLimited,
    StorageFull,
    StreamNotFound,
    StreamStalled,
    TooManyListeners,
    UiEmitFailed,
    Unauthorized,
    UploadUnavailable,
)

_STREAM_ERRORS = (
    AudioUnavailable,
    Draining,
    EpochChanged,
    GenerationFailed,
    InternalError,
    StreamNotFound,
    Unauthorized,
)
"""Errors of joins and of sessions."""

JOIN_REJECTIONS = tuple(
    error.error_code for error in (*_STREAM_ERRORS, CatalogUnavailable, RateLimited, TooManyListeners)
)
SESSION_OUTCOMES = (
    "complete",
    "left",
    *(error.error_code for error in (*_STREAM_ERRORS, ListenerTooSlow, StreamStalled)),
)
UPDATE_OUTCOMES = ("relayed", "no_subscriber", "duplicate", UiEmitFailed.error_code)
RECOVERY_OUTCOMES = ("recovered", "not_recovered")
UPLOAD_OUTCOMES = ("complete", "paused", "cut", StorageFull.error_code, UploadUnavailable.error_code)
WEBHOOK_OUTCOMES = ("sent", "failed", "dropped")
