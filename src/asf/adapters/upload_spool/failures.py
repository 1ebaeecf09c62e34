"""The errors of uploads for those of the file system."""

import os
from errno import EDQUOT, EFBIG, ENOENT, ENOSPC

from asf.adapters.blocking_calls import CallTimeout
from asf.domain.errors import StorageFull, UploadError, UploadNotFound, UploadUnavailable

FULL = {ENOSPC, EDQUOT, EFBIG}


def translate(error: Exception) -> Exception:
    """Return the error that a request gets for what a file call has raised."""
    if isinstance(error, CallTimeout):
        return UploadUnavailable("The file system does not respond.")
    return error_of(error) if isinstance(error, OSError) else error


def error_of(error: OSError, offset: int | None = None) -> UploadError:
    """Return the error of an upload for one of a file call; `offset` is how many bytes there are, if it is known."""
    if error.errno == ENOENT:
        return UploadNotFound("It was deleted.", offset)
    text = f"{os.strerror(error.errno or 0)}."
    return (StorageFull if error.errno in FULL else UploadUnavailable)(text, offset)
