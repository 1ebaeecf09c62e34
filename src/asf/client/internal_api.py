"""Calls of the internal API with JSON, retried after temporary errors."""

import json
import random
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import requests
from requests.auth import AuthBase

from asf.backoff import Backoff
from asf.client.errors import AsfClientError, RequestRejected, ServerUnreachable

TIMEOUT_SECONDS = 10.0
"""Timeout for connecting, and between bytes of the response."""

SIZE_SECONDS = 10.0
"""How long the server waits for the size that an announcement gives, before it responds."""

RETRIES = 6
FIRST_PAUSE_SECONDS = 0.2
LONGEST_PAUSE_SECONDS = 5.0
JITTER_SECONDS = 0.1
"""Pauses before the second attempt and those after it: none, then 0.2, 0.4, 0.8 … seconds, each with a random extra
of up to `JITTER_SECONDS`, so that clients that failed together do not retry together."""

JSON_HEADERS = {"Content-Type": "application/json"}

SERVER_ERRORS = 500
CONFIGURATION_ERRORS = "ASF_CONFIG_ERROR_"
"""Prefix of the codes of configuration errors, which retries do not fix."""


class InternalApi:
    """The internal API of the server at `base_url`, over persistent connections.

    `token`, if any, is sent as a bearer token. A request is retried up to `retries` times with exponential back-off
    if the connection fails or the server responds with a 5xx other than a configuration error. Not thread-safe.
    """

    def __init__(self, base_url: str, token: str | None, retries: int) -> None:
        self._internal_url = base_url.rstrip("/") + "/asf/internal/"
        self._retries = retries
        self._session = requests.Session()
        if token is not None:
            self._session.auth = _BearerToken(token)

    def close(self) -> None:
        """Close the connections. Idempotent."""
        self._session.close()

    def call(
        self,
        method: str,
        route: str,
        payload: Mapping[str, Any] | None = None,
        query: Mapping[str, str] | None = None,
        timeout: float = TIMEOUT_SECONDS,
    ) -> dict[str, Any]:
        """Return the response. Raises `RequestRejected`, `ServerUnreachable`, and what `json.dumps` raises."""
        url = self._internal_url + route
        body = None if payload is None else json.dumps(payload, allow_nan=False).encode()
        send = partial(
            self._session.request,
            method,
            url,
            params=query,
            data=body,
            headers=JSON_HEADERS if payload is not None else None,
            timeout=timeout,
        )
        backoff, attempt = Backoff(FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS, jitter=0), 1
        while True:
            try:
                return _response_to(send, url, attempt)
            except AsfClientError as error:
                if attempt > self._retries or not _may_pass(error):
                    raise
            if attempt > 1:
                extra = random.uniform(0, JITTER_SECONDS)  # noqa: S311 - no secret depends on it
                time.sleep(min(backoff.next_pause() + extra, LONGEST_PAUSE_SECONDS))
            attempt += 1


class _BearerToken(AuthBase):
    """Sends the token with every request; it takes precedence over a .netrc file."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


def _response_to(send: Callable[[], requests.Response], url: str, attempt: int) -> dict[str, Any]:
    """Send a request once, and return the body of the response."""
    try:
        response = send()
    except (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError) as error:
        raise ServerUnreachable(f"No ASF server responded at {url}.") from error
    except requests.RequestException as error:
        raise ServerUnreachable(f"No ASF server responded at {url}: {error}", temporary=False) from error
    try:
        body = response.json()
    except ValueError:
        body = None
    if not isinstance(body, dict):
        temporary = response.status_code >= SERVER_ERRORS
        message = f"No ASF server responded at {url} (HTTP status {response.status_code})."
        raise ServerUnreachable(message, temporary=temporary)
    if not response.ok:
        raise RequestRejected(body, response.status_code, attempt)
    return body


def _may_pass(error: AsfClientError) -> bool:
    if isinstance(error, RequestRejected):
        return (error.status or 0) >= SERVER_ERRORS and not error.error_code.startswith(CONFIGURATION_ERRORS)
    return isinstance(error, ServerUnreachable) and error.temporary
