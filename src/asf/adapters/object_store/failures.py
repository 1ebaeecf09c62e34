"""Maps the library's exceptions to client-safe errors, and to one line for the log."""

import re

from obstore.exceptions import BaseError, PermissionDeniedError, PreconditionError, UnauthenticatedError

from asf.domain.errors import AudioChanged, AudioUnavailable

ERROR_CODE = re.compile(r"<Code>(\w{1,100})</Code>")
CREDENTIAL_CODES = {"ExpiredToken", "InvalidAccessKeyId", "InvalidToken", "SignatureDoesNotMatch"}
"""S3's error codes for wrong credentials. Any other rejection may concern the one object only."""


def translated(error: Exception) -> AudioUnavailable:
    """Return the error that listeners get instead of `error`. It quotes nothing of it."""
    match error:
        case PreconditionError():
            return AudioChanged("The object was replaced while it was streamed.")
        case FileNotFoundError():
            return AudioUnavailable("There is no such object.")
        case PermissionDeniedError() | UnauthenticatedError():
            return AudioUnavailable("The object store denied access.")
        case BaseError():
            return AudioUnavailable("The object store returned an error or is unreachable.")
        case _:
            return AudioUnavailable("The read failed.")


def error_code_of(error: Exception) -> str | None:
    """Return the store's error code, such as `NoSuchBucket`; None if it gave none."""
    found = ERROR_CODE.search(str(error))
    return found[1] if found else None


def in_one_line(error: Exception) -> str:
    """Return the library's message and the store's error code. The rest of the response may quote credentials."""
    code = error_code_of(error)
    line = str(error).partition("\n")[0].partition("<")[0].rstrip(" :")
    return f"{type(error).__name__}: {line}" + (f" ({code})" if code else "")
