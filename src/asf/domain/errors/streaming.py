"""Errors of listeners: a stream cannot be delivered, or a command not be executed."""

from asf.domain.errors.base import AsfError


class StreamError(AsfError):
    """A stream cannot be delivered to a listener."""


class StreamNotFound(StreamError):
    """No stream is announced under this id."""

    error_code = "ASF_STREAM_NOT_FOUND"
    message = "Audio stream ID not found or not yet processed."
    retryable = True


class AudioUnavailable(StreamError):
    """The audio is missing, unreadable, outside the audio roots, or was changed or truncated during the session.

    `filepath` says which audio it is, if that is known: for the log, as listeners must not see it.
    """

    error_code = "ASF_AUDIO_UNAVAILABLE"
    message = "Audio file unavailable for this stream."
    retryable = True
    filepath: str | None = None

    def name_audio(self, filepath: str) -> None:
        """Note which audio it is."""
        self.filepath = filepath


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


class Disconnected(StreamError):
    """An operator has ended the session, the subscription or the upload."""

    error_code = "ASF_DISCONNECTED"
    message = "An operator has disconnected this client."


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
