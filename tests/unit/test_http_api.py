"""The internal API in this process: every request gets a response of the contract."""

import json
from ipaddress import ip_network
from typing import Any
from urllib.parse import quote

import pytest
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.test import TestResponse

from asf.adapters.http_api import (
    InternalGuard,
    UpdateLines,
    create_app,
    create_internal_streams_blueprint,
    create_internal_updates_blueprint,
    create_operations_blueprint,
)
from asf.adapters.http_api.json_body import MAX_BODY_BYTES
from asf.adapters.json_values import MAX_JSON_DEPTH
from asf.adapters.memory import InMemoryAudioSources, InMemoryCatalogStore
from asf.adapters.memory_update_log import InMemoryUpdateLog
from asf.application.readiness import Problem
from asf.domain.access.control import AccessControl
from asf.domain.access.expiry import Expiries
from asf.domain.errors import UiEmitFailed
from asf.domain.streams.catalog import StreamCatalog
from asf.domain.streams.stream import Locator
from asf.domain.updates.router import UiUpdateRouter
from tests.support.memory_uploads import uploaded_in_memory
from tests.support.virtual import ManualClock, RecordingObserver, ScriptedSubscribers

NOTIFY = "/asf/internal/notify_new_audio"
SEND_UI = "/asf/internal/send_ui_update"
SEND_UIS = "/asf/internal/send_ui_updates"

NOTIFY_ERRORS = {
    "ASF_NOTIFY_MALFORMED_JSON": "Malformed JSON payload.",
    "ASF_NOTIFY_INVALID_PAYLOAD": "Request payload is missing or not valid JSON.",
    "ASF_NOTIFY_INVALID_STREAM_ID": "Validation failed: 'stream_id' must be a non-empty string.",
    "ASF_NOTIFY_INVALID_FILEPATH": "Validation failed: 'filepath' must be a non-empty string.",
}
SEND_UI_ERRORS = {
    "ASF_SENDUI_MALFORMED_JSON": "Malformed JSON payload.",
    "ASF_SENDUI_INVALID_PAYLOAD": "Request payload is missing or not valid JSON for sending UI update.",
    "ASF_SENDUI_INVALID_CLIENT_ID": "Validation failed: 'client_id' must be a non-empty string.",
    "ASF_SENDUI_INVALID_EVENT_NAME": "Validation failed: 'event_name' must be a non-empty string.",
    "ASF_SENDUI_MISSING_DATA": "Validation failed: 'data' field is required.",
}


class Api:
    """The application on in-memory adapters."""

    def __init__(self, *, with_namespace: bool = True) -> None:
        self.subscribers = ScriptedSubscribers()
        self.catalog = StreamCatalog(
            InMemoryCatalogStore(), InMemoryAudioSources({"one.mp3": b"x"}), ManualClock(), lambda: "epoch", 1000
        )
        self.uploaded = uploaded_in_memory(self.catalog, ManualClock())
        self.router = UiUpdateRouter(
            self.subscribers if with_namespace else None,
            InMemoryUpdateLog(500, 300.0, lambda: "epoch"),
            AccessControl(None, Expiries(), ManualClock(), lambda: None),
            ManualClock(),
            RecordingObserver(),
        )
        self.problems: list[Problem] = []
        self.answered: list[tuple[str, int]] = []
        app = create_app("secret", lambda route, status: self.answered.append((route, status)))
        guard = InternalGuard("", [ip_network("127.0.0.0/8")])
        app.register_blueprint(create_internal_streams_blueprint(self.catalog, guard, self.uploaded))
        lines = UpdateLines(self.router, lambda: None, 75.0)
        app.register_blueprint(create_internal_updates_blueprint(self.router, guard, lambda: None, lines))
        app.register_blueprint(
            create_operations_blueprint(
                lambda: self.problems,
                guard.permits,
                lambda: b"asf_metric 1\n",
                "text/plain",
                "1.2.3",
                {"one": lambda: {"a": 1}},
            )
        )

        @app.get("/asf/broken")
        def broken() -> str:
            raise RuntimeError("a bug")

        self.client: FlaskClient = app.test_client()

    def post(self, path: str, body: bytes | str, content_type: str | None = "application/json") -> TestResponse:
        return self.client.post(path, data=body, content_type=content_type)


@pytest.fixture
def api() -> Api:
    """Return an application."""
    return Api()


def assert_error(response: TestResponse, status: int, code: str, message: str, *, details: bool = False) -> None:
    """Check an error response, to the letter."""
    assert response.status_code == status
    assert response.content_type == "application/json"
    answer = response.get_json()
    assert (answer["error_code"], answer["message"]) == (code, message)
    assert set(answer) <= {"error_code", "message", "details"}
    if details:
        assert answer["details"]


def test_an_announcement_is_stored(api: Api) -> None:
    """With the documented response."""
    response = api.post(NOTIFY, '{"stream_id": "strm_1", "filepath": "one.mp3", "more": 1}')
    assert response.status_code == 200
    assert response.get_json() == {
        "message": "Notification received successfully",
        "stream_id": "strm_1",
        "state": "complete",
        "epoch": "epoch",
    }
    assert api.catalog.find("strm_1").locator.text == "one.mp3"


def test_an_update_is_relayed(api: Api) -> None:
    """To its subscriber."""
    api.router.subscribe("connection", "alice")
    response = api.post(SEND_UI, '{"client_id": "alice", "event_name": "progress", "data": {"percentage": 50}}')
    assert response.status_code == 200
    answer = response.get_json()
    assert answer == {
        "status": "success",
        "message": "UI update sent to client.",
        "epoch": "epoch",
        "seq": 1,
        "subscribers": 1,
        "duplicate": False,
    }
    (update,) = api.subscribers.updates("connection")
    assert (update.event_name, update.data_json) == ("progress", '{"percentage":50}')


@pytest.mark.parametrize("data", [None, False, 0, "", [], {}, 1.5, "text", [1, {"a": None}]])
def test_any_json_value_is_data(api: Api, data: Any) -> None:
    """Null too; only an absent key is missing."""
    api.router.subscribe("connection", "alice")
    body = json.dumps({"client_id": "alice", "event_name": "e", "data": data})
    assert api.post(SEND_UI, body).status_code == 200
    assert json.loads(api.subscribers.updates("connection")[0].data_json) == data


def test_a_duplicate_update(api: Api) -> None:
    """Recognised by its key; the response repeats the first one, with `duplicate`."""
    body = '{"client_id": "alice", "event_name": "e", "data": 1, "idempotency_key": "key"}'
    first, again = api.post(SEND_UI, body).get_json(), api.post(SEND_UI, body).get_json()
    assert again == first | {"duplicate": True}
    response = api.post(SEND_UI, body.replace("1", "2"))
    message = "The idempotency key belongs to another update."
    assert_error(response, 409, "ASF_IDEMPOTENCY_CONFLICT", message)


@pytest.mark.parametrize("wrong", [5, "", " ", "x" * 129, ["key"], {}, True, "a\nb"])
def test_invalid_idempotency_keys(api: Api, wrong: Any) -> None:
    """Nothing is sent."""
    body = {"client_id": "alice", "event_name": "e", "data": 1, "idempotency_key": wrong}
    message = "Validation failed: 'idempotency_key' is invalid."
    response = api.post(SEND_UI, json.dumps(body))
    assert_error(response, 400, "ASF_SENDUI_INVALID_IDEMPOTENCY_KEY", message, details=True)


def test_several_updates_at_once_have_a_result_each(api: Api) -> None:
    """In order; an invalid one does not affect the others."""
    api.router.subscribe("connection", "alice")
    update = {"client_id": "alice", "event_name": "progress", "data": 1}
    wrong: list[Any] = [update | {"client_id": ""}, {}, None, 5, [update], {"client_id": "alice"}]
    answer = api.post(SEND_UIS, json.dumps({"updates": [update, *wrong, update | {"data": None}]})).get_json()
    codes = [result.get("error_code") for result in answer["results"]]
    assert codes == [
        None,
        "ASF_SENDUI_INVALID_CLIENT_ID",
        *["ASF_SENDUI_INVALID_PAYLOAD"] * 4,
        "ASF_SENDUI_INVALID_EVENT_NAME",
        None,
    ]
    assert [result["status"] for result in answer["results"]] == ["success", *["error"] * 6, "success"]
    assert [result["seq"] for result in answer["results"] if "seq" in result] == [1, 2]
    assert [update.data_json for update in api.subscribers.updates("connection")] == ["1", "null"]


@pytest.mark.parametrize("wrong", [None, [], {}, "text", 5, [{}] * 1001])
def test_invalid_lists_of_updates(api: Api, wrong: Any) -> None:
    """Nothing is sent."""
    code = "ASF_SENDUI_INVALID_PAYLOAD"
    assert_error(api.post(SEND_UIS, json.dumps({"updates": wrong})), 400, code, SEND_UI_ERRORS[code], details=True)


MALFORMED = [
    "{",
    '{"a": }',
    "nonsense",
    '{"stream_id": "a"',
    b"\xff\xfe{}",
    '{"a": NaN}',
    '{"a": Infinity}',
    '{"a": 1e999}',
    '{"a": [-1e999]}',
    "[" * 100_000,
    '{"a":' * 100_000,
    '{"a": ' + "[" * (MAX_JSON_DEPTH + 1) + "]" * (MAX_JSON_DEPTH + 1) + "}",
    '{"a": ' + "9" * 10_000 + "}",
    '"\\ud800',
]
INVALID = ["", " \n", "[]", "{}", "null", "1", '"text"', "[1]", "true"]


@pytest.mark.parametrize(
    ("path", "prefix", "errors"), [(NOTIFY, "ASF_NOTIFY", NOTIFY_ERRORS), (SEND_UI, "ASF_SENDUI", SEND_UI_ERRORS)]
)
class TestBadBodies:
    """Bodies that are not a JSON object, on both routes."""

    @pytest.mark.parametrize("body", MALFORMED)
    def test_malformed(self, api: Api, path: str, prefix: str, errors: dict[str, str], body: bytes) -> None:
        code = f"{prefix}_MALFORMED_JSON"
        assert_error(api.post(path, body), 400, code, errors[code], details=True)

    @pytest.mark.parametrize("body", INVALID)
    def test_invalid(self, api: Api, path: str, prefix: str, errors: dict[str, str], body: str) -> None:
        code = f"{prefix}_INVALID_PAYLOAD"
        assert_error(api.post(path, body), 400, code, errors[code], details=True)

    @pytest.mark.parametrize("content_type", [None, "text/plain", "application/x-www-form-urlencoded", "nonsense"])
    def test_not_declared_as_json(
        self, api: Api, path: str, prefix: str, errors: dict[str, str], content_type: str | None
    ) -> None:
        code = f"{prefix}_INVALID_PAYLOAD"
        response = api.post(path, '{"stream_id": "a"}', content_type)
        assert_error(response, 400, code, errors[code], details=True)

    @pytest.mark.parametrize("content_type", ["application/json; charset=utf-8", "application/problem+json"])
    def test_declared_as_json_in_other_words(
        self, api: Api, path: str, prefix: str, errors: dict[str, str], content_type: str
    ) -> None:
        code = f"{prefix}_INVALID_PAYLOAD"
        answer = api.post(path, '{"a": 1}', content_type).get_json()
        assert answer["error_code"] not in {code, f"{prefix}_MALFORMED_JSON"}
        assert answer["message"] == errors[answer["error_code"]]


@pytest.mark.parametrize("path", [NOTIFY, SEND_UI])
def test_a_body_that_is_too_large(api: Api, path: str) -> None:
    """By one byte."""
    body = '{"a": "' + "x" * (MAX_BODY_BYTES - 8) + '"}'
    assert len(body) == MAX_BODY_BYTES + 1
    assert_error(api.post(path, body), 413, "ASF_PAYLOAD_TOO_LARGE", "Payload too large.")
    assert api.post(path, body.replace("x", "", 1)).status_code == 400


@pytest.mark.parametrize("wrong", [None, 1, True, [], {}, "", "  ", "x" * 256, "a\nb", "\ud800"])
def test_the_stream_id_is_checked_before_the_filepath(api: Api, wrong: Any) -> None:
    """In the contract's order."""
    for body in ({"stream_id": wrong, "filepath": 7}, {"filepath": "/etc/passwd", "stream_id": wrong}):
        code = "ASF_NOTIFY_INVALID_STREAM_ID"
        assert_error(api.post(NOTIFY, json.dumps(body)), 400, code, NOTIFY_ERRORS[code], details=True)


@pytest.mark.parametrize("wrong", [None, 1, False, [], {}, "", " \t"])
def test_missing_filepaths(api: Api, wrong: Any) -> None:
    """Of another type, or empty; nothing is announced."""
    code = "ASF_NOTIFY_INVALID_FILEPATH"
    response = api.post(NOTIFY, json.dumps({"stream_id": "s", "filepath": wrong}))
    assert_error(response, 400, code, NOTIFY_ERRORS[code], details=True)


@pytest.mark.parametrize("wrong", ["/etc/passwd", "../one.mp3"])
def test_filepaths_outside(api: Api, wrong: str) -> None:
    """`details` says what is wrong."""
    code = "ASF_NOTIFY_INVALID_FILEPATH"
    response = api.post(NOTIFY, json.dumps({"stream_id": "s", "filepath": wrong}))
    assert_error(response, 400, code, NOTIFY_ERRORS[code], details=True)
    assert wrong in response.get_json()["details"]


@pytest.mark.parametrize("wrong", [None, "/etc/passwd", ""])
def test_the_filepath_of_a_known_stream_is_checked_before_its_state(api: Api, wrong: Any) -> None:
    """And the stream does not change."""
    assert api.post(NOTIFY, '{"stream_id": "s", "filepath": "one.mp3"}').status_code == 200
    code = "ASF_NOTIFY_INVALID_FILEPATH"
    for state in ("complete", "nonsense", 5):
        response = api.post(NOTIFY, json.dumps({"stream_id": "s", "filepath": wrong, "state": state}))
        assert_error(response, 400, code, NOTIFY_ERRORS[code], details=True)
    assert api.catalog.find("s").locator.text == "one.mp3"


def test_lone_surrogates_are_rejected(api: Api) -> None:
    """They cannot be stored."""
    body = '{"stream_id": "s", "filepath": "one.mp3", "reason": "\\ud800"}'
    message = "Validation failed: 'reason' is invalid."
    assert_error(api.post(NOTIFY, body), 400, "ASF_NOTIFY_INVALID_FIELD", message, details=True)


@pytest.mark.parametrize("content_type", ["audio/mpeg\n; a=b", "audio/mpeg; a\r\nX: y", "application/pdf"])
def test_media_types_that_cannot_be_served_are_rejected(api: Api, content_type: str) -> None:
    """A line break would forge a header."""
    body = json.dumps({"stream_id": "s", "filepath": "one.mp3", "content_type": content_type})
    message = "Validation failed: 'content_type' is invalid."
    assert_error(api.post(NOTIFY, body), 400, "ASF_NOTIFY_INVALID_FIELD", message, details=True)


@pytest.mark.parametrize("stream_id", [".", ".."])
def test_stream_ids_that_no_url_can_name_are_rejected(api: Api, stream_id: str) -> None:
    """They could not be deleted."""
    code = "ASF_NOTIFY_INVALID_STREAM_ID"
    body = json.dumps({"stream_id": stream_id, "filepath": "one.mp3"})
    assert_error(api.post(NOTIFY, body), 400, code, NOTIFY_ERRORS[code], details=True)


@pytest.mark.parametrize("stream_id", ["/x", "x//y", "x/", " x", "ü?"])
def test_any_stream_id_has_a_url(api: Api, stream_id: str) -> None:
    """Also one that starts with a slash."""
    for one in (stream_id, "x"):
        api.post(NOTIFY, json.dumps({"stream_id": one, "filepath": "one.mp3"}))
    url = "/asf/internal/streams/" + quote(stream_id, safe="/")
    assert api.client.get(url).get_json()["stream_id"] == stream_id
    assert api.client.delete(url).status_code == 200
    assert_error(
        api.client.delete(url), 404, "ASF_STREAM_NOT_FOUND", "Audio stream ID not found or not yet processed."
    )
    assert api.catalog.find("x").stream_id == "x"


def test_missing_fields(api: Api) -> None:
    """A missing field is as invalid as an empty one."""
    for path, body, code in [
        (NOTIFY, {"filepath": "one.mp3"}, "ASF_NOTIFY_INVALID_STREAM_ID"),
        (NOTIFY, {"stream_id": "s"}, "ASF_NOTIFY_INVALID_FILEPATH"),
        (SEND_UI, {"event_name": "e", "data": 1}, "ASF_SENDUI_INVALID_CLIENT_ID"),
        (SEND_UI, {"client_id": "c", "data": 1}, "ASF_SENDUI_INVALID_EVENT_NAME"),
        (SEND_UI, {"client_id": "c", "event_name": "e"}, "ASF_SENDUI_MISSING_DATA"),
    ]:
        messages = NOTIFY_ERRORS | SEND_UI_ERRORS
        assert_error(api.post(path, json.dumps(body)), 400, code, messages[code], details=True)


@pytest.mark.parametrize(
    "name", ["connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener", "", 5]
)
def test_invalid_event_names(api: Api, name: Any) -> None:
    """Including those that Socket.IO reserves."""
    code = "ASF_SENDUI_INVALID_EVENT_NAME"
    response = api.post(SEND_UI, json.dumps({"client_id": "c", "event_name": name, "data": 1}))
    assert_error(response, 400, code, SEND_UI_ERRORS[code], details=True)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
fields = st.sampled_from(["stream_id", "filepath", "client_id", "event_name", "data"])
likely = st.dictionaries(fields, json_values | st.sampled_from(["one.mp3", "alice", "progress"]))


@given(payload=json_values | likely, path=st.sampled_from([NOTIFY, SEND_UI]))
def test_any_json_gets_a_response_of_the_contract(payload: Any, path: str) -> None:
    """Never a 500."""
    response = SHARED_API.post(path, json.dumps(payload))
    answer = response.get_json()
    if response.status_code == 200:
        assert answer["message"] in {"Notification received successfully", "UI update sent to client."}
    else:
        assert response.status_code == 400
        errors = NOTIFY_ERRORS if path == NOTIFY else SEND_UI_ERRORS
        assert answer["message"] == errors[answer["error_code"]]


@given(body=st.binary(), path=st.sampled_from([NOTIFY, SEND_UI]))
def test_any_bytes_get_a_response_of_the_contract(body: bytes, path: str) -> None:
    """Never a 500 either."""
    assert SHARED_API.post(path, body).status_code == 400


SHARED_API = Api()


def test_a_failed_emit_is_an_error(api: Api) -> None:
    """With the documented code, and what failed."""
    api.router.subscribe("connection", "alice")
    api.subscribers.outcomes["connection"] = UiEmitFailed("OSError: broken")
    response = api.post(SEND_UI, '{"client_id": "alice", "event_name": "e", "data": 1}')
    assert_error(response, 500, "ASF_SOCKETIO_EMIT_FAILED", "Failed to emit the UI update.", details=True)


def test_without_a_namespace_updates_are_rejected() -> None:
    """With the documented code."""
    response = Api(with_namespace=False).post(SEND_UI, '{"client_id": "a", "event_name": "e", "data": 1}')
    message = "UI updates namespace is not configured."
    assert_error(response, 500, "ASF_CONFIG_ERROR_UI_NAMESPACE", message, details=True)


def test_unknown_routes_and_methods_answer_json(api: Api) -> None:
    """On every route under /asf/."""
    assert_error(api.client.get("/asf/nowhere"), 404, "ASF_NOT_FOUND", "Not found.")
    response = api.client.get(NOTIFY)
    assert_error(response, 405, "ASF_METHOD_NOT_ALLOWED", "Method not allowed.")
    assert "POST" in response.headers["Allow"]


def test_a_bug_is_an_internal_error_without_a_traceback(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    """The reason is in the log."""
    response = api.client.get("/asf/broken")
    assert_error(response, 500, "ASF_INTERNAL_ERROR", "Internal error.")
    assert b"a bug" not in response.data
    assert "a bug" in caplog.text


def test_health(api: Api) -> None:
    """Alive, in this version."""
    response = api.client.get("/asf/health")
    assert (response.status_code, response.get_json()) == (200, {"status": "ok", "version": "1.2.3"})


def test_ready(api: Api) -> None:
    """Or not, with the reasons; for strangers only with what is concerned."""
    response = api.client.get("/asf/ready")
    assert (response.status_code, response.get_json()) == (200, {"status": "ready"})
    missing = "No such file or directory."
    api.problems = [
        Problem("catalog", "It is locked."),
        Problem("audio root", missing, "/srv/audio"),
        Problem("audio root", missing, "/srv/more"),
    ]
    response = api.client.get("/asf/ready")
    assert_error(response, 503, "ASF_NOT_READY", "The server is not ready.", details=True)
    assert response.get_json()["details"] == (
        f"catalog: It is locked.; audio root /srv/audio: {missing}; audio root /srv/more: {missing}"
    )
    stranger = api.client.get("/asf/ready", environ_overrides={"REMOTE_ADDR": "192.0.2.1"})
    assert (stranger.status_code, stranger.get_json()["details"]) == (503, "catalog; audio root")
    proxied = api.client.get("/asf/ready", headers={"X-Forwarded-For": "192.0.2.1"})
    assert proxied.get_json()["details"] == "catalog; audio root"


def test_documents(api: Api) -> None:
    """By their names."""
    response = api.client.get("/asf/one.json")
    assert (response.status_code, response.content_type, response.get_json()) == (200, "application/json", {"a": 1})


def test_metrics_count_every_response(api: Api) -> None:
    """By its route's pattern; unknown routes as one of their own."""
    assert api.client.get("/metrics").data == b"asf_metric 1\n"
    api.client.get("/asf/nowhere/at/all")
    api.client.get(NOTIFY)
    api.post(NOTIFY, "")
    assert api.answered == [("/metrics", 200), ("unmatched", 404), ("unmatched", 405), (NOTIFY, 400)]


class CountingLocations(InMemoryAudioSources):
    """Counts how often a file path is located."""

    def __init__(self) -> None:
        super().__init__({})
        self.located: list[str] = []

    def locate(self, filepath: str) -> Locator:
        self.located.append(filepath)
        return super().locate(filepath)


def test_a_filepath_is_located_once() -> None:
    """So that it cannot lead to another file between its check and its use; and a wrong one still comes first."""
    locations = CountingLocations()
    catalog = StreamCatalog(InMemoryCatalogStore(), locations, ManualClock(), lambda: "epoch", 1000)
    app = create_app("secret", lambda _route, _status: None)
    guard = InternalGuard("", [ip_network("127.0.0.0/8")])
    uploaded = uploaded_in_memory(catalog, ManualClock())
    app.register_blueprint(create_internal_streams_blueprint(catalog, guard, uploaded))
    client = app.test_client()
    assert client.post(NOTIFY, json={"stream_id": "s", "filepath": "one.mp3"}).status_code == 200
    assert locations.located == ["one.mp3"]
    answer = client.post(NOTIFY, json={"stream_id": "s", "filepath": "../one.mp3", "metadata": 5})
    assert answer.get_json()["error_code"] == "ASF_NOTIFY_INVALID_FILEPATH"
    assert client.post(NOTIFY, json={"stream_id": "s", "filepath": "two.mp3", "metadata": 5}).get_json()["details"]
    assert locations.located == ["one.mp3", "../one.mp3", "two.mp3"]
    assert catalog.find("s").locator.text == "one.mp3"
