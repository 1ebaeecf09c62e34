"""Cues over HTTP in this process: every request gets a response of the contract."""

import json
from collections.abc import Callable
from ipaddress import ip_network
from typing import Any
from urllib.parse import quote

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from asf.adapters.http_api import (
    InternalGuard,
    create_app,
    create_cues_blueprint,
    create_internal_cues_blueprint,
    create_internal_streams_blueprint,
)
from asf.adapters.http_api.cues import documents, webvtt
from asf.adapters.http_api.json_body import MAX_BODY_BYTES
from asf.adapters.memory import InMemoryAudioSources, InMemoryCatalogStore
from asf.adapters.memory_cues import InMemoryCueStore
from asf.adapters.runtime import CONNECTION_CONTROL
from asf.domain.access.control import AccessControl
from asf.domain.access.expiry import Expiries
from asf.domain.access.grant import Grant
from asf.domain.cues.service import Cues
from asf.domain.errors import CuesUnavailable
from asf.domain.streams.catalog import StreamCatalog
from tests.support.memory_uploads import uploaded_in_memory
from tests.support.virtual import ManualClock, ScriptedTokens

INTERNAL = "/asf/internal/streams/{}/cues"
PUBLIC = "/api/v1/podcasts/cues/{}"


class Control:
    """The connection of a request: records whether it was reset."""

    def __init__(self) -> None:
        self.was_reset = False

    def reset(self) -> None:
        self.was_reset = True


class Api:
    """The application on in-memory adapters, at most 2000 cues a stream."""

    def __init__(self, tokens: ScriptedTokens | None = None) -> None:
        clock = ManualClock()
        epochs = iter(f"epoch{number}" for number in range(1, 100))
        self.catalog = StreamCatalog(
            InMemoryCatalogStore(), InMemoryAudioSources({}), clock, lambda: next(epochs), 1000
        )
        self.store = InMemoryCueStore()
        self.control = Control()
        self.cues = Cues(self.store, self.catalog, 2000, self, lambda: None)
        access = AccessControl(tokens, Expiries(), clock, lambda: None)
        guard = InternalGuard("", [ip_network("127.0.0.0/8")])
        uploaded = uploaded_in_memory(self.catalog, clock)
        app = create_app("secret", lambda _route, _status: None)
        app.register_blueprint(create_internal_streams_blueprint(self.catalog, guard, uploaded))
        app.register_blueprint(create_internal_cues_blueprint(self.cues, guard, lambda: None))
        app.register_blueprint(create_cues_blueprint(self.cues, access, ["https://app.example"], lambda: None))
        self.client: FlaskClient = app.test_client()

    def cues_accepted(self, count: int) -> None:
        pass

    def announce(self, stream_id: str = "s", state: str = "generating") -> None:
        body = {"stream_id": stream_id, "filepath": "a.mp3", "state": state}
        assert self.client.post("/asf/internal/notify_new_audio", json=body).status_code == 200

    def post(self, body: Any, stream_id: str = "s", **options: Any) -> TestResponse:
        data = body if isinstance(body, bytes) else json.dumps(body)
        options = {"content_type": "application/json"} | options
        return self.client.post(INTERNAL.format(quote(stream_id, safe="")), data=data, **options)

    def get(self, query: str = "", stream_id: str = "s", **headers: str) -> TestResponse:
        url = PUBLIC.format(quote(stream_id, safe="")) + query
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.get(url, headers=sent, environ_overrides={CONNECTION_CONTROL: self.control})


@pytest.fixture
def api() -> Api:
    """Return an application with an announced stream."""
    api = Api()
    api.announce()
    return api


def words(first: int, last: int, **fields: Any) -> list[dict[str, Any]]:
    """Return cues."""
    return [{"start": number, "text": f"word {number}", **fields} for number in range(first, last)]


def assert_error(response: TestResponse, status: int, code: str, details: str = "") -> None:
    """Check an error response."""
    answer = response.get_json()
    assert (response.status_code, answer["error_code"]) == (status, code)
    assert details in answer.get("details", "")


def test_cues_are_stored(api: Api) -> None:
    """With the documented response; before there is any audio."""
    posted: list[dict[str, Any]] = [
        {"id": "1", "kind": "word", "start": 2, "end": 2.5, "text": "<ü>", "data": {"a": None}},
        {"start": 1},
    ]
    response = api.post({"cues": posted, "epoch": "epoch1", "more": 1})
    assert (response.status_code, response.get_json()) == (200, {"accepted": 2, "total": 2, "epoch": "epoch1"})
    assert api.post({"cues": [posted[0] | {"text": "x"}], "epoch": None}).get_json()["total"] == 2
    assert api.get().get_json() == {
        "stream_id": "s",
        "epoch": "epoch1",
        "seq": 3,
        "cues": [{"start": 1}, posted[0] | {"text": "x"}],
    }


@pytest.mark.parametrize(
    ("body", "code", "details"),
    [
        (b"", "ASF_CUES_INVALID_PAYLOAD", "no body"),
        (b"{", "ASF_CUES_MALFORMED_JSON", ""),
        (b'{"cues": [{"start": NaN}]}', "ASF_CUES_MALFORMED_JSON", "NaN"),
        (b'{"cues": [{"start": 1e999}]}', "ASF_CUES_MALFORMED_JSON", "too large"),
        (b"[]", "ASF_CUES_INVALID_PAYLOAD", "not a JSON object"),
        ({"epoch": "epoch1"}, "ASF_CUES_INVALID_PAYLOAD", "Missing data"),
        ({"cues": None}, "ASF_CUES_INVALID_PAYLOAD", "null"),
        ({"cues": {}}, "ASF_CUES_INVALID_PAYLOAD", "list"),
        ({"cues": []}, "ASF_CUES_INVALID_PAYLOAD", "between 1 and 1000"),
        ({"cues": [{"start": 1}] * 1001}, "ASF_CUES_INVALID_PAYLOAD", "between 1 and 1000"),
        ({"cues": [{"start": 1}], "epoch": 5}, "ASF_CUES_INVALID_PAYLOAD", "string"),
        ({"cues": [{"start": 1}, None]}, "ASF_CUES_INVALID_CUE", "cues[1]: It is not a JSON object."),
        ({"cues": [{"start": 1}, {"start": 2, "end": 1}]}, "ASF_CUES_INVALID_CUE", "cues[1]: end: "),
        ({"cues": [{"start": 1, "text": "x" * 65536}]}, "ASF_CUES_INVALID_CUE", "at most 65536"),
    ],
)
def test_an_invalid_request_stores_nothing(api: Api, body: Any, code: str, details: str) -> None:
    """Not even the cues in it that are valid."""
    assert_error(api.post(body), 400, code, details)
    assert api.get().get_json()["seq"] == 0


def test_other_requests_are_rejected(api: Api) -> None:
    """By stream, by epoch, by limit and by type."""
    body = {"cues": [{"start": 1}]}
    assert_error(api.post(body, "unknown"), 404, "ASF_STREAM_NOT_FOUND")
    assert_error(api.post({"cues": 5}, "unknown"), 404, "ASF_STREAM_NOT_FOUND")
    assert_error(api.post(body, "x" * 256), 404, "ASF_STREAM_NOT_FOUND")
    other = api.post(body | {"epoch": "epoch0"})
    assert_error(other, 409, "ASF_EPOCH_CHANGED", "epoch1")
    assert other.get_json()["epoch"] == "epoch1"
    assert_error(api.post(body, content_type="text/plain"), 400, "ASF_CUES_INVALID_PAYLOAD", "Content-Type")
    assert_error(api.post(b" " * (MAX_BODY_BYTES + 1)), 413, "ASF_PAYLOAD_TOO_LARGE")
    assert_error(api.post(body, environ_overrides={"REMOTE_ADDR": "192.0.2.1"}), 401, "ASF_UNAUTHORIZED")
    for number in range(2):
        assert api.post({"cues": words(0, 1000, kind=str(number))}).status_code == 200
    assert_error(api.post(body), 409, "ASF_TOO_MANY_CUES", "2000")
    assert_error(api.client.get(INTERNAL.format("s")), 404, "ASF_STREAM_NOT_FOUND")
    assert_error(api.client.put(INTERNAL.format("s")), 405, "ASF_METHOD_NOT_ALLOWED")


@pytest.mark.parametrize("stream_id", ["a/audio", "a/cues"])
def test_an_id_that_ends_like_a_route_has_no_cues(api: Api, stream_id: str) -> None:
    """It can be announced, and has its routes as a stream."""
    api.announce(stream_id)
    assert_error(api.post({"cues": words(0, 1)}, stream_id), 400, "ASF_NOTIFY_INVALID_STREAM_ID", "must not end in")
    assert_error(api.get(stream_id=stream_id), 400, "ASF_NOTIFY_INVALID_STREAM_ID", "must not end in")
    assert api.client.get(f"/asf/internal/streams/{stream_id}").get_json()["stream_id"] == stream_id
    assert api.client.delete(f"/asf/internal/streams/{stream_id}").status_code == 200


@pytest.mark.parametrize("stream_id", ["ü /x", "/", "//a//", "cues"])
def test_any_other_id_has_cues(api: Api, stream_id: str) -> None:
    """Whatever characters it has."""
    api.announce(stream_id)
    assert api.post({"cues": words(0, 1)}, stream_id).status_code == 200
    assert api.get(stream_id=stream_id).get_json()["cues"] == words(0, 1)


def test_cues_can_be_selected(api: Api) -> None:
    """By kind, and by what is new."""
    api.post({"cues": [*words(0, 2, kind="a"), *words(2, 4), *words(4, 6, kind="ü&")]})
    assert api.get("?kind=a").get_json()["cues"] == words(0, 2, kind="a")
    assert api.get("?since=1&kind=%C3%BC%26").get_json()["cues"] == words(4, 6, kind="ü&")
    assert api.get("?since=4").get_json()["cues"] == words(4, 6, kind="ü&")
    for query in ("?since=6", "?since=9007199254740991", "?kind=unknown", "?kind="):
        assert api.get(query).get_json() == {"stream_id": "s", "epoch": "epoch1", "seq": 6, "cues": []}
    assert "word 4" in (text := api.get("?format=vtt&since=3&kind=%C3%BC%26").text)
    assert "word 3" not in text
    for query in ("?since=-1", "?since=x", "?since=", "?since=9007199254740992", "?format=xml"):
        assert_error(api.get(query), 400, "ASF_INVALID_QUERY")


@pytest.mark.parametrize(
    ("accept", "query", "is_vtt"),
    [
        ("*/*", "", False),
        ("", "", False),
        ("text/html,*/*;q=0.8", "", False),
        ("application/json, text/vtt", "", False),
        ("text/vtt", "", True),
        ("text/vtt, application/json;q=0.9", "", True),
        ("text/*", "", True),
        ("*/*", "?format=vtt", True),
        ("text/vtt", "?format=json", False),
    ],
)
def test_the_format_is_negotiated(api: Api, accept: str, query: str, *, is_vtt: bool) -> None:
    """JSON unless WebVTT is preferred; the query is stronger than the header."""
    api.post({"cues": [{"start": 1, "text": "<a>", "id": "1"}]})
    response = api.get(query, Accept=accept)
    assert response.status_code == 200
    if is_vtt:
        assert response.content_type == "text/vtt; charset=utf-8"
        assert response.text == "WEBVTT\n\n1\n00:00:01.000 --> 00:00:06.000\n&lt;a&gt;\n"
    else:
        assert response.content_type == "application/json"
    assert response.content_length == len(response.data)
    assert response.headers["Vary"] == "Accept"
    assert response.headers["X-Content-Type-Options"] == "nosniff"


def test_a_copy_that_is_current_is_not_sent_again(api: Api) -> None:
    """Each format, and each state of the cues, has an entity tag of its own."""
    tags = set()
    for cues in ([], words(0, 1), words(1, 2)):
        if cues:
            api.post({"cues": cues})
        for query in ("", "?format=vtt"):
            tag = api.get(query).headers["ETag"]
            assert not tag.startswith("W/")
            tags.add(tag)
            unmodified = api.get(query, If_None_Match=f'"other", {tag}')
            assert (unmodified.status_code, unmodified.data, unmodified.headers["ETag"]) == (304, b"", tag)
            assert unmodified.headers["Cache-Control"] == "no-cache"
            assert_error(api.get(query, If_Match='"other"'), 412, "ASF_PRECONDITION_FAILED")
            assert api.get(query, If_Match=tag).status_code == 200
    api.announce(state="complete")
    api.announce()
    assert api.get().headers["ETag"] not in tags
    assert len(tags) == 6


def test_pages_of_allowed_origins_may_read_cues(api: Api) -> None:
    """As they may read the audio."""
    response = api.get(Origin="https://app.example")
    assert response.headers["Access-Control-Allow-Origin"] == "https://app.example"
    assert response.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert "ETag" in response.headers["Access-Control-Expose-Headers"]
    assert "Access-Control-Allow-Origin" not in api.get(Origin="https://other.example").headers


def test_a_token_is_required_as_for_the_audio() -> None:
    """In the header or in the query; it is checked before the stream is looked up."""
    api = Api(ScriptedTokens({"good": Grant("listener", 1e12, frozenset({"s"}))}))
    api.announce()
    for query, token, status in (
        ("", "", 401),
        ("", "Bearer bad", 401),
        ("?token=bad", "", 401),
        ("", "Bearer good", 200),
        ("?token=good", "", 200),
    ):
        assert api.get(query, Authorization=token).status_code == status
    assert api.get("?token=good", stream_id="unknown").status_code == 401


def pieces_of(length: int) -> list[dict[str, Any]]:
    """Return many cues, out of order."""
    return [{"start": length - number, "text": f"text {number}", "kind": "word"} for number in range(length)]


@pytest.mark.parametrize(("query", "text"), [("", '"start":1500,'), ("?format=vtt", "00:25:00.000 --> ")])
def test_long_documents_are_sent_in_pieces(api: Api, query: str, text: str) -> None:
    """They have no length. A response to HEAD has no body."""
    posted = pieces_of(1999)
    for first in (0, 1000):
        api.post({"cues": posted[first : first + 1000]})
    response = api.get(query)
    assert "Content-Length" not in response.headers
    assert text in response.text
    if not query:
        assert [cue["start"] for cue in response.get_json()["cues"]] == [cue["start"] for cue in posted]
    else:
        assert response.text.count(" --> ") == len(posted)
    head = api.client.head(PUBLIC.format("s") + query)
    assert (head.status_code, head.data, "Content-Length" in head.headers) == (200, b"", False)
    assert head.headers["ETag"] == response.headers["ETag"]


@pytest.mark.parametrize("query", ["", "?format=vtt"])
def test_a_document_that_cannot_be_completed_is_reset(api: Api, query: str) -> None:
    """A client does not mistake the beginning for all of it. Before the first byte there is an error."""
    for first in (0, 1000):
        api.post({"cues": words(first, first + 1000, data="x" * 100)})
    response = api.client.get(
        PUBLIC.format("s") + query, buffered=False, environ_overrides={CONNECTION_CONTROL: api.control}
    )
    pieces = response.iter_encoded()
    assert next(pieces)
    api.store.forget("s", api.store.epochs("s"))
    with pytest.raises(ConnectionResetError):
        list(pieces)
    assert api.control.was_reset
    for method in ("page", "select"):
        setattr(api.store, method, _raise)
    assert_error(api.get(query), 503, "ASF_CUES_UNAVAILABLE")


def _raise(*_arguments: object) -> None:
    raise CuesUnavailable("broken")


def test_the_order_of_webvtt_is_found_once(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """For all requests, until there are other cues."""
    api.post({"cues": words(0, 10)})
    planned: list[object] = []
    plan_of: Callable[..., Any] = webvtt.plan_of

    def count(*arguments: Any) -> Any:
        planned.append(arguments)
        return plan_of(*arguments)

    monkeypatch.setattr(documents, "plan_of", count)
    for query in ("?format=vtt", "?format=vtt&since=3", "?format=vtt&kind=word"):
        api.get(query)
    assert len(planned) == 1
    api.post({"cues": words(10, 11)})
    assert "word 10" in api.get("?format=vtt").text
    assert len(planned) == 2
