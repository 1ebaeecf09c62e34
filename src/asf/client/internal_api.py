"""The internal API over blocking HTTP: performs the calls of `calls` with requests."""

import time
from collections.abc import Iterator, Mapping
from typing import Self, TypeVar, cast

import requests
from requests.auth import AuthBase

from asf.client.calls import TIMEOUT_SECONDS, Attempts, Call, Conversation, Reply, unreachable
from asf.client.errors import AsfClientError

Result = TypeVar("Result")


class InternalApi:
    """The internal API of the server at `base_url`, over persistent connections.

    `token`, if any, is sent as a bearer token. A call is retried up to `retries` times with exponential back-off if
    the connection fails or the server responds with a 5xx other than a configuration error. Not thread-safe.
    """

    def __init__(self, base_url: str, token: str | None, retries: int) -> None:
        self._base_url = base_url
        self._token = token
        self._retries = retries
        self._internal_url = base_url.rstrip("/") + "/asf/internal/"
        self._session = requests.Session()
        if token is not None:
            self._session.auth = _BearerToken(token)

    def __enter__(self) -> Self:
        """Return the API."""
        return self

    def __exit__(self, *_exception: object) -> None:
        """Close the connections."""
        self.close()

    def another(self, retries: int = 0) -> "InternalApi":
        """Return the same API with connections of its own, for another thread."""
        return InternalApi(self._base_url, self._token, retries)

    def close(self) -> None:
        """Close the connections. Idempotent."""
        self._session.close()

    def do(self, call: Call[Result]) -> Result:
        """Return the result of `call`. Raises `RequestRejected` and `ServerUnreachable`."""
        attempts = Attempts(self._retries)
        while True:
            try:
                return call.read(
                    self._request(
                        call.method, call.route, call.body, call.headers, call.query, call.timeout, attempts.number
                    )
                )
            except AsfClientError as error:
                pause = attempts.pause_after(error)
                if pause is None:
                    raise
            time.sleep(pause)

    def run(self, conversation: Conversation[Result]) -> Result:
        """Perform its calls, and return its result. Raises what it raises."""
        try:
            call = next(conversation)
            while True:
                try:
                    result = self.do(call)
                except AsfClientError as error:
                    call = conversation.throw(error)
                else:
                    call = conversation.send(result)
        except StopIteration as end:
            return cast("Result", end.value)

    def send(self, method: str, route: str, pieces: Iterator[bytes], headers: Mapping[str, str]) -> Reply:
        """Send `pieces` as they come, once, and return the response. Raises `ServerUnreachable`."""
        return self._request(method, route, pieces, headers)

    def _request(
        self,
        method: str,
        route: str,
        body: Iterator[bytes] | bytes | None = None,
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
        timeout: float = TIMEOUT_SECONDS,
        attempt: int = 1,
    ) -> Reply:
        """Send a request once. Raises `ServerUnreachable`."""
        url = self._internal_url + route
        try:
            response = self._session.request(
                method,
                url,
                params=query,
                data=body,
                headers=headers,
                timeout=timeout,
                allow_redirects=not isinstance(body, Iterator),
            )
        except (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError) as error:
            raise unreachable(url, error) from error
        except requests.RequestException as error:
            raise unreachable(url, error, temporary=False) from error
        return Reply(url, response.status_code, response.headers, response.content, attempt)


class _BearerToken(AuthBase):
    """Sends the token with every request; it takes precedence over a .netrc file."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request
