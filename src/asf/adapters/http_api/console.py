"""The console page and the browser client, as files (debug mode only)."""

from collections.abc import Callable, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Protocol

from flask import Blueprint, Response, jsonify, request, send_from_directory

from asf.adapters.http_api.cors import share
from asf.domain.errors import RateLimited, Unauthorized

CLIENT_MODULE = "static/asf-client/index.js"
"""What the build of the browser client makes, below the folder of the console."""

NOT_BUILT = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>ASF console</title>
<h1>The console is not built yet</h1>
<p>The server runs. Its console page needs the browser client, which npm builds. Install Node.js with npm, then run
<code>make client</code> in the directory of ASF, and load this page again.</p>
</html>
"""


class Demo(Protocol):
    """A demo podcast that is being made."""

    @property
    def stream_id(self) -> str:
        """The stream to join, with `wait`."""
        ...

    @property
    def client_id(self) -> str:
        """The client whose UI updates tell how far it is."""
        ...


def create_console_blueprint(
    folder: Path, origins: Sequence[str], guard: Callable[[], None], begin_demo: Callable[[int], Demo | None]
) -> Blueprint:
    """Return the routes of the files in `folder`: `/` and /console/...; browser pages of `origins` may load them.

    `guard` lets pass who may use the internal API, or raises `Unauthorized`. `begin_demo` is called with the port of
    this server; it returns None when there are too many demos already.
    """
    blueprint = Blueprint("console", "asf")
    share(blueprint, origins)

    @blueprint.get("/")
    def index() -> Response:
        if not (folder / CLIENT_MODULE).is_file():
            return Response(NOT_BUILT, content_type="text/html; charset=utf-8")
        return file("index.html")

    @blueprint.get("/console/<path:name>")
    def file(name: str) -> Response:
        response = send_from_directory(folder, name)
        response.headers["Cache-Control"] = "no-cache"
        return response

    @blueprint.post("/console/demo")
    def demo() -> tuple[Response, HTTPStatus]:
        guard()
        if request.headers.get("Sec-Fetch-Site", "none") not in {"same-origin", "none"}:
            raise Unauthorized("Only the console itself asks for demo podcasts.")
        begun = begin_demo(int(request.environ["SERVER_PORT"]))
        if begun is None:
            raise RateLimited("Enough demo podcasts are being made.")
        return jsonify(stream_id=begun.stream_id, client_id=begun.client_id), HTTPStatus.ACCEPTED

    return blueprint
