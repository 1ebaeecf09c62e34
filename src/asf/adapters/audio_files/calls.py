"""The file calls of one mounted file system: how many run at a time, how long they may take, and their errors."""

import logging

from asf.adapters.audio_files.content import unreadable
from asf.adapters.blocking_calls import BlockingCalls, CallTimeout
from asf.adapters.runtime import Runtime
from asf.domain.errors import AsfError, AudioUnavailable

MAX_CALLS = 4
"""Maximum calls to one file system that run at a time. One that hangs keeps so many of the worker threads."""

READ_SECONDS = 30.0
"""How long listeners wait for bytes before their sessions fail."""

FAILURE_SECONDS = 1.0
"""For how long a failed read is kept, so that all its readers get the error."""

logger = logging.getLogger(__name__)


def file_calls(runtime: Runtime, limit: int = MAX_CALLS) -> BlockingCalls:
    """Return the calls of one file system. What they raise are errors of listeners, `AudioUnavailable` by default."""
    return BlockingCalls(runtime, error_of, limit=limit)


def error_of(error: Exception) -> AsfError:
    """Return the error that listeners get for what a call has raised."""
    if isinstance(error, AsfError):
        return error
    if isinstance(error, CallTimeout):
        return AudioUnavailable("The file system does not respond.")
    if isinstance(error, OSError):
        return unreadable(error)
    logger.error("A file call failed", exc_info=error)
    return AudioUnavailable("Reading failed.")
