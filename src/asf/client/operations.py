"""HTTP client of the routes for operators. Results are JSON objects, as in docs/contract.md, section 11."""

from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

from asf.client.calls import RETRIES, Call, Reply
from asf.client.internal_api import InternalApi
from asf.client.responses import read_field

Json = dict[str, Any]

PAGE_SIZE = 500
"""Entries that are fetched at once: as many as the server allows."""


class OperatorClient:
    """Client for operators of the server at `base_url`. See `BackendClient` for the parameters and errors."""

    def __init__(self, base_url: str, *, token: str | None = None, retries: int = RETRIES) -> None:
        self._api = InternalApi(base_url, token, retries)

    def __enter__(self) -> Self:
        """Return the client."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the client."""
        self._api.close()

    def nodes(self) -> Json:
        """Return how each node is."""
        return self._api.do(_call("GET", "nodes"))

    def listened_streams(self) -> Iterator[Json]:
        """Yield the pages of the streams that have listeners, by id."""
        return self._pages("listeners", {})

    def sessions(self, **wanted: str | None) -> Iterator[Json]:
        """Yield pages of the sessions with these values of `kind`, `stream_id`, `client_id`, `address`, `node`."""
        return self._pages("sessions", {name: value for name, value in wanted.items() if value is not None})

    def disconnect(self, session_id: str) -> Json:
        """End a session. Its client receives `ASF_DISCONNECTED`, and does not reconnect by itself."""
        return self._api.do(_call("DELETE", "sessions/" + quote(session_id, safe="")))

    def _pages(self, route: str, query: Mapping[str, str]) -> Iterator[Json]:
        cursor: str | None = ""
        while cursor is not None:
            page = self._api.do(_call("GET", route, {**query, "limit": str(PAGE_SIZE), "cursor": cursor}))
            cursor = read_field(page, "next_cursor")
            yield page


def _call(method: str, route: str, query: Mapping[str, str] | None = None) -> Call[Json]:
    return Call(method, route, Reply.json, query=query or {})
