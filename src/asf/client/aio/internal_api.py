"""The internal API over asyncio: performs the calls of `calls` with httpx."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import TypeVar, cast

import httpx

from asf.client.calls import TIMEOUT_SECONDS, Attempts, Call, Conversation, Reply, unreachable
from asf.client.errors import AsfClientError

Result = TypeVar("Result")


class AsyncInternalApi:
    """The internal API of the server at `base_url`, over persistent connections.

    `token`, if any, is sent as a bearer token. A call is retried up to `retries` times with exponential back-off if
    the connection fails or the server responds with a 5xx other than a configuration error. Tasks may share it.
    """

    def __init__(self, base_url: str, token: str | None, retries: int) -> None:
        self._internal_url = base_url.rstrip("/") + "/asf/internal/"
        self._retries = retries
        self._client = httpx.AsyncClient(
            headers=None if token is None else {"Authorization": f"Bearer {token}"},
            timeout=TIMEOUT_SECONDS,
            limits=httpx.Limits(max_connections=None),  # An upload has one for as long as it takes.
        )

    async def close(self) -> None:
        """Close the connections. Idempotent."""
        await self._client.aclose()

    async def do(self, call: Call[Result], retries: int | None = None) -> Result:
        """Return the result of `call`, retried up to `retries` times (None: as often as usual).

        Raises `RequestRejected` and `ServerUnreachable`.
        """
        attempts = Attempts(self._retries if retries is None else retries)
        while True:
            try:
                return call.read(
                    await self._request(
                        call.method, call.route, call.body, call.headers, call.query, call.timeout, attempts.number
                    )
                )
            except AsfClientError as error:
                pause = attempts.pause_after(error)
                if pause is None:
                    raise
            await asyncio.sleep(pause)

    async def run(self, conversation: Conversation[Result]) -> Result:
        """Perform its calls, and return its result. Raises what it raises."""
        try:
            call = next(conversation)
            while True:
                try:
                    result = await self.do(call)
                except AsfClientError as error:
                    call = conversation.throw(error)
                else:
                    call = conversation.send(result)
        except StopIteration as end:
            return cast("Result", end.value)

    async def send(self, method: str, route: str, pieces: AsyncIterator[bytes], headers: Mapping[str, str]) -> Reply:
        """Send `pieces` as they come, once, and return the response. Raises `ServerUnreachable`."""
        return await self._request(method, route, pieces, headers)

    async def _request(
        self,
        method: str,
        route: str,
        body: AsyncIterator[bytes] | bytes | None = None,
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
        timeout: float = TIMEOUT_SECONDS,  # noqa: ASYNC109 - of each wait, not of the call
        attempt: int = 1,
    ) -> Reply:
        """Send a request once. Raises `ServerUnreachable`."""
        url = self._internal_url + route
        try:
            response = await self._client.request(
                method, url, params=query, content=body, headers=headers, timeout=timeout
            )
        except (httpx.UnsupportedProtocol, httpx.InvalidURL) as error:
            raise unreachable(url, error, temporary=False) from error
        except httpx.TransportError as error:
            raise unreachable(url, error) from error
        except httpx.RequestError as error:
            raise unreachable(url, error, temporary=False) from error
        return Reply(url, response.status_code, response.headers, response.content, attempt)
