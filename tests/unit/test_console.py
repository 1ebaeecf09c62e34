"""The console's routes in this process."""

from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask

from asf.adapters.http_api import create_app, create_console_blueprint
from asf.adapters.http_api.console import CLIENT_MODULE
from asf.application.demo_studio import Demo
from asf.domain.errors import Unauthorized


def app_of(folder: Path, demo: Demo | None = None, guard: Callable[[], None] = lambda: None) -> Flask:
    """Return an application with the console of that folder."""
    app = create_app("secret", lambda _route, _status: None)
    app.register_blueprint(create_console_blueprint(folder, ["*"], guard, lambda _port: demo))
    return app


def test_where_nothing_is_built_the_page_says_what_to_run(tmp_path: Path) -> None:
    """Rather than a page that does not work."""
    (tmp_path / "index.html").write_text("the console")
    response = app_of(tmp_path).test_client().get("/", buffered=True)
    assert response.status_code == 200
    assert response.mimetype == "text/html"
    assert "make client" in response.text


def test_what_is_built_is_served(tmp_path: Path) -> None:
    """With its types, for pages of other origins too, and asked for again each time."""
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


def test_what_is_not_there_is_an_error_of_the_api(tmp_path: Path) -> None:
    """And so is whatever lies elsewhere."""
    client = app_of(tmp_path / "console").test_client()
    (tmp_path / "secret").write_text("x")
    for path in ("/console/nothing.js", "/console/../secret", "/console/%2e%2e/secret"):
        response = client.get(path)
        assert (response.status_code, response.get_json()["error_code"]) == (404, "ASF_NOT_FOUND")


def test_a_demo_is_begun_or_there_are_enough(tmp_path: Path) -> None:
    """The answer tells what to join and what to watch."""
    response = app_of(tmp_path, Demo("stream", "client")).test_client().post("/console/demo")
    assert (response.status_code, response.get_json()) == (202, {"stream_id": "stream", "client_id": "client"})
    response = app_of(tmp_path).test_client().post("/console/demo")
    assert (response.status_code, response.get_json()["error_code"]) == (429, "ASF_RATE_LIMITED")


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_other_pages_make_no_demos(tmp_path: Path, site: str) -> None:
    """A browser tells which page asks."""
    client = app_of(tmp_path, Demo("stream", "client")).test_client()
    response = client.post("/console/demo", headers={"Sec-Fetch-Site": site})
    assert (response.status_code, response.get_json()["error_code"]) == (401, "ASF_UNAUTHORIZED")
    assert client.post("/console/demo", headers={"Sec-Fetch-Site": "same-origin"}).status_code == 202


def test_who_may_not_use_the_internal_api_makes_no_demos(tmp_path: Path) -> None:
    """The server would use it for them."""

    def refuse() -> None:
        raise Unauthorized

    response = app_of(tmp_path, Demo("stream", "client"), refuse).test_client().post("/console/demo")
    assert response.status_code == 401
