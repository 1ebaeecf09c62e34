"""One HTTP request to the receiver of webhooks, within a bounded time."""

import http.client
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from urllib.parse import urlsplit

LONGEST_RETRY_AFTER_DIGITS = 9
"""Longest number in `Retry-After` that is read; a longer one is ignored."""


OWN_HEADERS = {"Connection": "close", "User-Agent": "ASF"}


@dataclass(frozen=True, slots=True)
class Response:
    """The receiver's response. `retry_after` is for how many seconds it asks to wait, if it does."""

    status: int
    retry_after: float | None


class Receiver:
    """The receiver at `url`, an HTTP or HTTPS URL. Only that is ever requested: redirects are not followed.

    No proxy is used, and certificates are verified. A request takes `seconds` at most, whatever the receiver does.
    """

    def __init__(self, url: str, seconds: float, now: Callable[[], float] = time.monotonic) -> None:
        parts = urlsplit(url)
        self._is_encrypted = parts.scheme == "https"
        self._host = parts.hostname or ""
        self._port = parts.port or (443 if self._is_encrypted else 80)
        self._authority = parts.netloc
        self._target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._seconds = seconds
        self._now = now
        # Once: reading the certificates of the authorities takes longer than anything else may hold up others.
        self._tls = ssl.create_default_context() if self._is_encrypted else None

    def post(self, body: bytes, headers: Mapping[str, str]) -> Response:
        """Send a POST request, and return the response, whose body is not read. Raises OSError or `HTTPException`."""
        deadline = self._now() + self._seconds
        plain = self._connect(deadline)
        # Ends all that waits for the receiver, also for one that sends a byte now and then. Encryption takes the
        # socket over, so it has its own.
        watched = plain.dup()
        watchdog = threading.Timer(max(0.0, deadline - self._now()), partial(_shut_down, watched))
        watchdog.daemon = True
        watchdog.start()
        try:
            response = self._exchange(plain, body, headers)
        except (OSError, http.client.HTTPException) as error:
            if self._now() >= deadline:
                raise self._timed_out() from error
            raise
        else:
            if self._now() >= deadline:  # What was read of it by then may look complete.
                raise self._timed_out()
            return response
        finally:
            watchdog.cancel()
            watched.close()
            plain.close()

    def _exchange(self, plain: socket.socket, body: bytes, headers: Mapping[str, str]) -> Response:
        used = plain if self._tls is None else self._tls.wrap_socket(plain, server_hostname=self._host)
        connection = http.client.HTTPConnection(self._host, self._port)
        connection.sock = used
        try:
            connection.request("POST", self._target, body, {"Host": self._authority, **OWN_HEADERS, **headers})
            response = connection.getresponse()
            return Response(response.status, _seconds_in(response.headers.get("Retry-After")))
        finally:
            connection.close()

    def _connect(self, deadline: float) -> socket.socket:
        """Return a connection to one of the receiver's addresses. Raises OSError."""
        error: OSError = self._timed_out()
        for family, kind, protocol, _, address in socket.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM):
            seconds = deadline - self._now()
            if seconds <= 0:
                break
            connection = socket.socket(family, kind, protocol)
            try:
                connection.settimeout(seconds)
                connection.connect(address)
            except OSError as failure:
                connection.close()
                error = failure
            else:
                return connection
        raise error

    def _timed_out(self) -> TimeoutError:
        return TimeoutError(f"No response within {self._seconds:g} s")


def _shut_down(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:  # It is closed already.
        return


def _seconds_in(header: str | None) -> float | None:
    """Return the seconds that a `Retry-After` header names (RFC 9110, section 10.2.3). A date is ignored."""
    text = (header or "").strip()
    return float(text) if text.isascii() and text.isdigit() and len(text) <= LONGEST_RETRY_AFTER_DIGITS else None
