"""The console's routes in this process."""

import base64
import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask

from asf.adapters.http_api import create_app, create_console_blueprint, create_demo_blueprint
from asf.adapters.http_api.console import CLIENT_MODULE
from asf.application.demo_studio import Demo
from asf.domain.errors import Unauthorized


def app_of(folder: Path, demo: Demo | None = None, guard: Callable[[], None] = lambda: None) -> Flask:
    """Return an application with the console of that folder."""
    app = create_app("secret", lambda _route, _status: None)
    app.register_blueprint(create_console_blueprint(folder, ["*"]))
    app.register_blueprint(create_demo_blueprint(guard, lambda *_wishes: demo))
    return app


def test_an_unbuilt_console_says_what_to_run(tmp_path: Path) -> None:
    """Instead of a page that does not work."""
    (tmp_path / "index.html").write_text("the console")
    response = app_of(tmp_path).test_client().get("/", buffered=True)
    assert response.status_code == 200
    assert response.mimetype == "text/html"
    assert "make client" in response.text


def test_the_built_client_is_served(tmp_path: Path) -> None:
    """With its media types, also to pages of other origins, and revalidated each time."""
    (tmp_path / "index.html").write_text("the console")
    module = tmp_path / CLIENT_MODULE
    module.parent.mkdir(parents=True)
    module.write_text("export {};")
    client = app_of(tmp_path).test_client()
    page = client.get("/", buffered=True)
    assert (page.text, page.mimetype) == ("the console", "text/html")
    origin = {"Origin": "https://app.example.com"}
    response = client.get(f"/console/{CLIENT_MODULE}", headers=origin, buffered=True)
    assert response.mimetype == "text/javascript"
    assert response.headers["Access-Control-Allow-Origin"] == "https://app.example.com"
    assert response.headers["Cache-Control"] == "no-cache"
    again = client.get(
        f"/console/{CLIENT_MODULE}", headers={"If-None-Match": response.headers["ETag"]}, buffered=True
    )
    assert again.status_code == 304


def test_missing_files_are_errors_of_the_api(tmp_path: Path) -> None:
    """And so are files outside the folder."""
    client = app_of(tmp_path / "console").test_client()
    (tmp_path / "secret").write_text("x")
    for path in ("/console/nothing.js", "/console/../secret", "/console/%2e%2e/secret"):
        response = client.get(path)
        assert (response.status_code, response.get_json()["error_code"]) == (404, "ASF_NOT_FOUND")


def test_a_demo_is_started_up_to_the_limit(tmp_path: Path) -> None:
    """The response has the stream to join and the client to watch."""
    response = app_of(tmp_path, Demo("stream", "client")).test_client().post("/console/demo")
    assert (response.status_code, response.get_json()) == (202, {"stream_id": "stream", "client_id": "client"})
    response = app_of(tmp_path).test_client().post("/console/demo")
    assert (response.status_code, response.get_json()["error_code"]) == (429, "ASF_RATE_LIMITED")
    assert response.get_json()["details"] == "Too many demos are running. Try again when one has finished."


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_other_pages_cannot_start_demos(tmp_path: Path, site: str) -> None:
    """Browsers send the site of the requesting page."""
    client = app_of(tmp_path, Demo("stream", "client")).test_client()
    response = client.post("/console/demo", headers={"Sec-Fetch-Site": site})
    assert (response.status_code, response.get_json()["error_code"]) == (401, "ASF_UNAUTHORIZED")
    assert client.post("/console/demo", headers={"Sec-Fetch-Site": "same-origin"}).status_code == 202


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://localhost:3000", "https://localhost:80"])
def test_pages_of_other_origins_cannot_start_demos(tmp_path: Path, origin: str) -> None:
    """Nor read the response, although they may load the client. Not every browser sends the site."""
    client = app_of(tmp_path, Demo("stream", "client")).test_client()
    response = client.post("/console/demo", headers={"Origin": origin})
    assert response.status_code == 401
    assert "Access-Control-Allow-Origin" not in response.headers
    assert client.post("/console/demo", headers={"Origin": "http://localhost"}).status_code == 202


def test_pages_have_a_content_security_policy(tmp_path: Path) -> None:
    """They load from this server only, run known scripts only, and are in no foreign frame."""
    (tmp_path / "index.html").write_text('<script type="importmap">{}</script><script src="/x.js"></script>')
    module = tmp_path / CLIENT_MODULE
    client = app_of(tmp_path).test_client()
    unbuilt = client.get("/", buffered=True).headers["Content-Security-Policy"]
    module.parent.mkdir(parents=True)
    module.write_text("export {};")
    policies = {path: client.get(path, buffered=True).headers for path in ("/", "/console/index.html")}
    digest = base64.b64encode(hashlib.sha256(b"{}").digest()).decode()
    for headers in policies.values():
        policy = headers["Content-Security-Policy"].split("; ")
        assert {"default-src 'self'", "frame-ancestors 'self'", f"script-src 'self' 'sha256-{digest}'"} <= set(policy)
        assert headers["X-Content-Type-Options"] == "nosniff"
    assert "frame-ancestors 'self'" in unbuilt


def test_demos_need_access_to_the_internal_api(tmp_path: Path) -> None:
    """Because a demo uses it."""

    def refuse() -> None:
        raise Unauthorized

    response = app_of(tmp_path, Demo("stream", "client"), refuse).test_client().post("/console/demo")
    assert response.status_code == 401


def test_a_demo_is_generated_at_the_speed_that_is_wanted() -> None:
    """Of real time, unless the request says otherwise, with or without a text."""
    started: list[tuple[str | None, float]] = []

    def start(_port: int, text: str | None, pace: float) -> Demo:
        started.append((text, pace))
        return Demo("stream", "client")

    app = create_app("secret", lambda _route, _status: None)
    app.register_blueprint(create_demo_blueprint(lambda: None, start))
    client = app.test_client()
    for body in ({"pace": 1.5}, {"text": "Hi.", "pace": 2}, {"text": "Hi."}):
        assert client.post("/console/demo", json=body).status_code == 202
    assert client.post("/console/demo").status_code == 202
    assert started == [(None, 1.5), ("Hi.", 2.0), ("Hi.", 1.0), (None, 1.0)]


@pytest.mark.parametrize("pace", [0, -1, 11, True, "1.5", []])
def test_a_speed_that_is_no_speed_is_rejected(tmp_path: Path, pace: object) -> None:
    """With what it must be."""
    client = app_of(tmp_path, Demo("stream", "client")).test_client()
    response = client.post("/console/demo", json={"pace": pace})
    assert (response.status_code, response.get_json()["details"]) == (400, "'pace' must be a number from 0.1 to 10.")
