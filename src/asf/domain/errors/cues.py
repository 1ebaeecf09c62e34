"""Errors of cues."""

from asf.domain.errors.base import AsfError


class CueError(AsfError):
    """Cues cannot be stored or read."""


class InvalidCue(CueError):
    """A cue violates the rules for cues (contract.md, section 9)."""

    error_code = "ASF_CUES_INVALID_CUE"
    message = "Validation failed: a cue is invalid."


class TooManyCues(CueError):
    """The stream would have more than `ASF_MAX_CUES` cues, or more than 64 MiB of them."""

    error_code = "ASF_TOO_MANY_CUES"
    message = "The stream has reached its limit of cues."

    @classmethod
    def of(cls, max_cues: int) -> "TooManyCues":
        """Return the error of a stream that may have `max_cues` cues."""
        return cls(f"A stream may have {max_cues} cues, of 64 MiB together. None of these was stored.")


class CuesUnavailable(CueError):
    """The store of cues cannot be read or written now."""

    error_code = "ASF_CUES_UNAVAILABLE"
    message = "The store of cues is not available."
    retryable = True
