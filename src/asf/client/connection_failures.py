"""Why a connection failed, in a few words for a person: HTTP libraries describe their own parts instead."""

import os
import socket
import ssl
from collections import deque
from collections.abc import Iterator


def reason_of(error: BaseException | None) -> str | None:
    """Return the reason within `error`, such as `Connection refused`; None if there is none in it."""
    return next(filter(None, map(_reason, _chain(error))), None)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield the error and what it was raised from, the nearest first."""
    waiting, seen = deque([error]), set[int]()
    while waiting:
        one = waiting.popleft()
        if not isinstance(one, BaseException) or id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        # urllib3 keeps the first error in `reason`, requests in its arguments, httpx among the members of a group.
        waiting.extend((*one.args, getattr(one, "reason", None), one.__cause__, one.__context__))
        waiting.extend(getattr(one, "exceptions", ()))


def _reason(error: BaseException) -> str | None:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"The certificate is not valid: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return f"TLS failed: {(error.reason or 'unknown reason').replace('_', ' ').lower()}"
    if isinstance(error, socket.gaierror):
        return error.strerror
    if isinstance(error, OSError) and error.errno:
        return os.strerror(error.errno)  # asyncio replaces the text.
    return "It did not respond in time" if "Timeout" in type(error).__name__ else None
