"""The route of the browser client, in this process."""

import gzip
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from asf.adapters.http_api import create_app, create_browser_client_blueprint

ENTRY, CHUNK = "asf-player.js", "chunk-YDWVCJQK.js"
TEXT = "export const answer = 42;\n" * 100


def app_of(folder: Path, origins: list[str]) -> Flask:
    """Return an application that serves that folder."""
    app = create_app("secret", lambda _route, _status: None)
    app.register_blueprint(create_browser_client_blueprint(folder, origins))
    return app


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with a built client."""
    built = tmp_path / "asf-client"
    built.mkdir()
    for name in (ENTRY, CHUNK):
        (built / name).write_text(TEXT)
    (tmp_path / "secret.js").write_text("secret")
    (built / "notes.txt").write_text("notes")
    (built / "licenses.txt").write_text("licenses")
    (built / "folder.js").mkdir()
    return built


@pytest.fixture
def client(folder: Path) -> FlaskClient:
    """Return a client of the server, whose pages may come from anywhere."""
    return app_of(folder, ["*"]).test_client()


def test_modules_are_scripts(client: FlaskClient) -> None:
    """Which browsers demand of modules (HTML Standard, "JavaScript MIME type")."""
    response = client.get(f"/asf/client/{ENTRY}")
    assert (response.status_code, response.text) == (200, TEXT)
    assert response.headers["Content-Type"] == "text/javascript; charset=utf-8"
    assert response.headers["X-Content-Type-Options"] == "nosniff"


def test_the_licenses_are_text(client: FlaskClient) -> None:
    """Of what the modules contain: the first line of each module names the file."""
    response = client.get("/asf/client/licenses.txt")
    assert (response.status_code, response.text) == (200, "licenses")
    assert response.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert response.headers["Cache-Control"] == "no-cache"


def test_an_entry_is_revalidated_and_a_hashed_module_is_kept(client: FlaskClient) -> None:
    """So that pages have the current version after each update of the server."""
    entry, chunk = (client.get(f"/asf/client/{name}").headers for name in (ENTRY, CHUNK))
    assert entry["Cache-Control"] == "no-cache"
    assert chunk["Cache-Control"] == "public, max-age=31536000, immutable"
    again = client.get(f"/asf/client/{ENTRY}", headers={"If-None-Match": entry["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
    assert again.headers["Cache-Control"] == "no-cache"


def test_a_new_build_is_served(client: FlaskClient, folder: Path) -> None:
    """Without a restart, under another tag."""
    before = client.get(f"/asf/client/{ENTRY}").headers["ETag"]
    (folder / ENTRY).write_text("export {};")
    response = client.get(f"/asf/client/{ENTRY}", headers={"If-None-Match": before})
    assert (response.status_code, response.text) == (200, "export {};")


def test_modules_are_compressed_where_that_is_understood(client: FlaskClient) -> None:
    """Each encoding has its own tag (RFC 9110, section 8.8.3.3)."""
    plain = client.get(f"/asf/client/{ENTRY}", headers={"Accept-Encoding": "br, gzip;q=0"})
    small = client.get(f"/asf/client/{ENTRY}", headers={"Accept-Encoding": "gzip, br"})
    assert "Content-Encoding" not in plain.headers
    assert small.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(small.data).decode() == TEXT
    assert len(small.data) < len(plain.data) / 5
    assert small.headers["ETag"] != plain.headers["ETag"]
    assert "Accept-Encoding" in small.vary
    assert "Accept-Encoding" in plain.vary


def test_a_head_request_has_the_headers_only(client: FlaskClient) -> None:
    """As those of a GET request."""
    response, got = client.head(f"/asf/client/{ENTRY}"), client.get(f"/asf/client/{ENTRY}")
    assert (response.status_code, response.data) == (200, b"")
    for name in ("Content-Length", "ETag", "Cache-Control"):
        assert response.headers[name] == got.headers[name]


def test_pages_of_allowed_origins_may_load_them(folder: Path) -> None:
    """Modules of other origins need CORS."""
    allowed, other = {"Origin": "https://app.example"}, {"Origin": "https://evil.example"}
    anyone, listed = app_of(folder, ["*"]).test_client(), app_of(folder, ["https://app.example"]).test_client()
    for client in (anyone, listed):
        headers = client.get(f"/asf/client/{ENTRY}", headers=allowed).headers
        assert headers["Access-Control-Allow-Origin"] in {"*", "https://app.example"}
        assert headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    headers = listed.get(f"/asf/client/{ENTRY}", headers=other).headers
    assert "Access-Control-Allow-Origin" not in headers
    assert headers["Cross-Origin-Resource-Policy"] == "same-site"


@pytest.mark.parametrize(
    "name",
    [
        "nothing.js",
        "notes.txt",
        "folder.js",
        "../secret.js",
        "%2e%2e/secret.js",
        "..%2fsecret.js",
        "",
        ".js",
        "a%00.js",
    ],
)
def test_nothing_else_is_served(client: FlaskClient, name: str) -> None:
    """Whatever the path; the error is that of the API."""
    response = client.get(f"/asf/client/{name}")
    assert (response.status_code, response.get_json()["error_code"]) == (404, "ASF_NOT_FOUND")
    assert "details" not in response.get_json()
    assert response.headers["Cache-Control"] == "no-store"


def test_a_client_that_is_not_built_says_what_to_run(tmp_path: Path) -> None:
    """To the developer who looks why the script does not load."""
    response = app_of(tmp_path / "none", ["*"]).test_client().get(f"/asf/client/{ENTRY}", headers={"Origin": "null"})
    assert response.status_code == 404
    assert "make client" in response.get_json()["details"]
    assert "Access-Control-Allow-Origin" in response.headers
