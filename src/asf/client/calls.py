"""The calls of the internal API: what each sends, how its response is read, when it is repeated. No I/O.

The blocking and the asyncio client perform them over their HTTP libraries.
"""

import json
import os
import random
import secrets
from collections.abc import Callable, Generator, Iterable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Generic, TypeVar
from urllib.parse import quote

from asf.backoff import Backoff
from asf.client.connection_failures import reason_of
from asf.client.errors import AsfClientError, RequestRejected, ServerUnreachable
from asf.client.responses import Announced, Delivered, Demand, State, Stream, UiUpdate, read_field, read_response

TIMEOUT_SECONDS = 10.0
"""Timeout for connecting, for sending a piece, and between bytes of the response."""

SIZE_SECONDS = 10.0
"""How long the server waits for the size that an announcement gives, before it responds."""

RETRIES = 6
FIRST_PAUSE_SECONDS = 0.2
LONGEST_PAUSE_SECONDS = 5.0
JITTER_SECONDS = 0.1
"""Pauses before the second attempt and those after it: none, then 0.2, 0.4, 0.8 … seconds, each with a random extra
of up to `JITTER_SECONDS`, so that clients that failed together do not retry together."""

KEY_BYTES = 16
"""Random bytes of an idempotency key; enough to be unique."""

CONFIGURATION_ERRORS = "ASF_CONFIG_ERROR_"
"""Prefix of the codes of configuration errors, which retries do not fix."""

_NOBODY = "No ASF server responded at"

Result = TypeVar("Result")
Filepath = str | os.PathLike[str]


@dataclass(frozen=True, slots=True)
class Reply:
    """A response of the server at `url`, to attempt `attempt`, counted from 1. Names of headers are in any case."""

    url: str
    status: int
    headers: Mapping[str, str]
    content: bytes
    attempt: int = 1

    def json(self) -> dict[str, Any]:
        """Return the JSON object in it. Raises `RequestRejected`, or `ServerUnreachable` if there is none."""
        try:
            body = json.loads(self.content)
        except (ValueError, RecursionError):
            body = None
        if not isinstance(body, dict):
            is_temporary = self.status >= HTTPStatus.INTERNAL_SERVER_ERROR or self._is_cut_short
            raise ServerUnreachable(f"{_NOBODY} {self.url} (HTTP status {self.status}).", temporary=is_temporary)
        if self.status >= HTTPStatus.BAD_REQUEST:
            raise RequestRejected(body, self.status, self.attempt)
        return body

    @property
    def _is_cut_short(self) -> bool:
        """Whether the connection was lost within the headers: http.client takes that for the end of a response."""
        return not self.content and not self.headers.get("Content-Length", "").isdecimal()


@dataclass(frozen=True, slots=True)
class Call(Generic[Result]):
    """One call. `route` is the path below `/asf/internal/`, quoted.

    `read` returns the result from the response. It raises `RequestRejected` and `ServerUnreachable`. `body` is sent
    with `headers`; None sends none. `timeout` is in seconds.
    """

    method: str
    route: str
    read: Callable[[Reply], Result]
    body: bytes | None = None
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    timeout: float = TIMEOUT_SECONDS


Conversation = Generator[Call[Any], Any, Result]
"""Several calls in order: the result of each is sent to the generator, an error thrown at it."""


class Attempts:
    """Decides whether a call is repeated: up to `retries` times, after temporary errors. `number` counts from 1."""

    def __init__(self, retries: int) -> None:
        self.number = 1
        self._retries = retries
        self._backoff = Backoff(FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS, jitter=0)

    def pause_after(self, error: AsfClientError) -> float | None:
        """Return how many seconds to wait before the next attempt; None if there is none."""
        if self.number > self._retries or not is_temporary(error):
            return None
        self.number += 1
        if self.number == 2:  # noqa: PLR2004 - the second attempt follows at once
            return 0.0
        extra = random.uniform(0, JITTER_SECONDS)  # noqa: S311 - no secret depends on it
        return min(self._backoff.next_pause() + extra, LONGEST_PAUSE_SECONDS)


def is_temporary(error: AsfClientError) -> bool:
    """Return whether the same request may succeed later."""
    if isinstance(error, RequestRejected):
        is_server_error = (error.status or 0) >= HTTPStatus.INTERNAL_SERVER_ERROR
        return is_server_error and not error.error_code.startswith(CONFIGURATION_ERRORS)
    return isinstance(error, ServerUnreachable) and error.temporary


def unreachable(url: str, error: Exception, *, temporary: bool = True) -> ServerUnreachable:
    """Return the error of a request that got no response because of `error`, in one line.

    `temporary`: repeating it may help.
    """
    reason = reason_of(error) or (None if temporary else str(error))
    because = "" if reason is None else f": {reason.rstrip('.')}"
    return ServerUnreachable(f"{_NOBODY} {url}{because}.", temporary=temporary)


def json_call(
    method: str, route: str, payload: Mapping[str, Any], read: Callable[[Reply], Result], **options: Any
) -> Call[Result]:
    """Return a call that sends `payload` as JSON. Raises what `json.dumps` raises."""
    body = json.dumps(payload, allow_nan=False).encode()
    return Call(method, route, read, body, headers={"Content-Type": "application/json"}, **options)


def reading(kind: type[Result]) -> Callable[[Reply], Result]:
    """Return the function that reads a response of this kind, one of `responses`."""
    return lambda reply: read_response(kind, reply.json())  # type: ignore[type-var]


def notify_new_audio(
    stream_id: str,
    filepath: Filepath | None,
    state: State = "complete",
    content_type: str | None = None,
    metadata: Mapping[str, Any] | None = None,
    reason: str | None = None,
    total_bytes: int | None = None,
) -> Call[Announced]:
    """Return the call that announces audio."""
    fields = {
        "stream_id": stream_id,
        "filepath": None if filepath is None else os.fspath(filepath),
        "state": state,
        "content_type": content_type,
        "metadata": None if metadata is None else dict(metadata),
        "reason": reason,
        "total_bytes": total_bytes,
    }
    payload = {name: value for name, value in fields.items() if value is not None}
    timeout = TIMEOUT_SECONDS if total_bytes is None else TIMEOUT_SECONDS + SIZE_SECONDS
    return json_call("POST", "notify_new_audio", payload, reading(Announced), timeout=timeout)


def get_stream(stream_id: str) -> Call[Stream]:
    """Return the call that returns one stream of the catalog."""
    return Call("GET", route_of(stream_id), reading(Stream))


def get_demand(stream_id: str, timeout: float = TIMEOUT_SECONDS) -> Call[Demand]:
    """Return the call that returns who listens to a stream."""
    return Call("GET", route_of(stream_id), reading(Demand), timeout=timeout)


def get_streams(page_size: int, cursor: str) -> Call[tuple[list[Stream], str | None]]:
    """Return the call that returns one page of the catalog, and the cursor of the next one; None: it is the last."""
    return Call("GET", "streams", _read_page, query={"limit": str(page_size), "cursor": cursor})


def send_ui_update(update: UiUpdate) -> Call[Delivered]:
    """Return the call that sends an update. Without a key it gets a random one, for all of its attempts."""
    return json_call("POST", "send_ui_update", _payload_of(update), reading(Delivered))


def send_ui_updates(updates: Iterable[UiUpdate]) -> Call[list[Delivered | RequestRejected]] | None:
    """Return the call that sends several updates; None if there are none."""
    payloads = [_payload_of(update) for update in updates]
    return json_call("POST", "send_ui_updates", {"updates": payloads}, _read_results) if payloads else None


def route_of(stream_id: str) -> str:
    """Return the route of one stream."""
    return "streams/" + quote(stream_id, safe="")


def _read_page(reply: Reply) -> tuple[list[Stream], str | None]:
    body = reply.json()
    streams = [read_response(Stream, stream) for stream in read_field(body, "streams")]
    return streams, read_field(body, "next_cursor")


def _read_results(reply: Reply) -> list[Delivered | RequestRejected]:
    results = read_field(reply.json(), "results")
    return [RequestRejected(one) if "error_code" in one else read_response(Delivered, one) for one in results]


def _payload_of(update: UiUpdate) -> dict[str, Any]:
    key = secrets.token_urlsafe(KEY_BYTES) if update.idempotency_key is None else update.idempotency_key
    return {
        "client_id": update.client_id,
        "event_name": update.event_name,
        "data": update.data,
        "idempotency_key": key,
    }
