"""Sends UI updates over blocking HTTP: by line in one long request while they are fast."""

import os
import socket
import ssl
import time
from contextlib import suppress
from typing import Any

from requests.utils import DEFAULT_CA_BUNDLE_PATH

from asf.client import calls
from asf.client.calls import TIMEOUT_SECONDS, Call
from asf.client.errors import RequestRejected, ServerUnreachable
from asf.client.internal_api import InternalApi
from asf.client.line_address import LineAddress, line_address
from asf.client.line_exchange import MAX_LINE_BYTES, LineExchange, LinesEnded, is_final, probe, result_of
from asf.client.line_pace import FIRST_ANSWER_SECONDS, IDLE_SECONDS, LinePace
from asf.client.responses import Delivered, UiUpdate

RECEIVED_AT_ONCE = 64 * 1024


class UpdateSender:
    """Sends updates to the server at `base_url`, one after the other.

    An update that was not answered by line is sent again with its key, in a request of its own.
    """

    def __init__(self, api: InternalApi, base_url: str, token: str | None) -> None:
        self._api = api
        self._base_url = base_url
        self._token = token
        self._pace = LinePace()
        self._request: _LineRequest | None = None

    def close(self) -> None:
        """End the request. Idempotent."""
        request, self._request = self._request, None
        if request is not None:
            request.end()

    def send(self, update: UiUpdate) -> Delivered:
        """Return the result of an update. Raises `RequestRejected` and `ServerUnreachable`."""
        call = calls.send_ui_update(update)
        now = time.monotonic()
        self._pace.note(now)
        result = self._send_by_line(call, now) if len(call.body or b"") <= MAX_LINE_BYTES else None
        if result is None:
            return self._api.do(call)
        if isinstance(result, RequestRejected):
            raise result
        return result

    def _send_by_line(self, call: Call[Delivered], now: float) -> Delivered | RequestRejected | None:
        """Return the result of an update; None if it is to be sent in a request of its own."""
        if self._request is not None and now - self._request.used_at > IDLE_SECONDS:
            self.close()
        if self._request is None:
            address = line_address(self._base_url, self._token) if self._pace.is_fast(now) else None
            if address is None:
                return None
            if not self._pace.is_known:
                return self._probe(call, now)
            self._request = _LineRequest(address, self._token)
        return self._exchange(self._request, call)

    def _probe(self, call: Call[Delivered], now: float) -> Delivered | RequestRejected | None:
        status, result = self._api.do(probe(call))
        self._pace.probed(status, now, is_known=result is not None)
        return result if result is None or is_final(result) else None

    def _exchange(self, request: "_LineRequest", call: Call[Delivered]) -> Delivered | RequestRejected | None:
        is_sound = False
        try:
            result = result_of(request.exchange(call.body or b""))
            is_sound = is_final(result)
        except TimeoutError:
            if not request.has_answered:
                self._pace.kept_back(time.monotonic())
            return None
        except (LinesEnded, OSError, ServerUnreachable):
            if not request.has_answered:
                self._pace.failed(time.monotonic())
            return None
        finally:
            if not is_sound:  # Also when it was interrupted: then its answer is still to come.
                self._request = None
                request.abort()
        if not is_sound:
            self._pace.failed(time.monotonic())
            return None
        self._pace.answered()
        return result


class _LineRequest:
    """One request by line, over a connection of its own. `used_at` is when it was used last."""

    def __init__(self, address: LineAddress, token: str | None) -> None:
        self._address = address
        self._exchange = LineExchange(address, token)
        self._socket: socket.socket | None = None
        self.used_at = 0.0

    @property
    def has_answered(self) -> bool:
        """Whether an update was answered."""
        return self._exchange.answered > 0

    def exchange(self, body: bytes) -> dict[str, Any]:
        """Send an update, and return its answer. Raises `LinesEnded` and OSError."""
        if self._socket is None:
            self._socket = _connect(self._address)
        self._socket.settimeout(TIMEOUT_SECONDS if self.has_answered else FIRST_ANSWER_SECONDS)
        self._socket.sendall(self._exchange.lines([body]))
        while not (answers := self._exchange.receive(self._socket.recv(RECEIVED_AT_ONCE))):
            pass
        self.used_at = time.monotonic()
        return answers[0]

    def end(self) -> None:
        """End the request, all of which is answered."""
        if self._socket is not None:
            with suppress(OSError):
                self._socket.sendall(self._exchange.end())
        self.abort()

    def abort(self) -> None:
        """Close the connection."""
        if self._socket is not None:
            self._socket.close()


def _connect(address: LineAddress) -> socket.socket:
    """Return a connection to the server. Raises OSError."""
    connection = socket.create_connection((address.host, address.port), timeout=TIMEOUT_SECONDS)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if not address.is_secure:
        return connection
    try:
        return _ssl_context().wrap_socket(connection, server_hostname=address.host)
    except BaseException:
        connection.close()
        raise


def _ssl_context() -> ssl.SSLContext:
    """Return a context that trusts the authorities that requests does."""
    authorities = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE") or DEFAULT_CA_BUNDLE_PATH
    where = {"capath" if os.path.isdir(authorities) else "cafile": authorities}  # noqa: PTH112 - as requests does
    return ssl.create_default_context(**where)  # type: ignore[arg-type]
