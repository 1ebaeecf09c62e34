"""Serves the console page and the browser client (debug mode only)."""

from collections.abc import Callable, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Protocol

from flask import Blueprint, Response, jsonify, request, send_from_directory

from asf.adapters.http_api.cors import share
from asf.domain.errors import RateLimited, Unauthorized

CLIENT_MODULE = "static/asf-client/index.js"
"""Entry module of the built browser client, relative to the console's folder."""

NOT_BUILT = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>ASF console</title>
<h1>The console is not built yet</h1>
<p>The server is running. Its console page needs the browser client, which npm builds. Install Node.js with npm, run
<code>make client</code> in the ASF directory, then reload this page.</p>
</html>
"""


class Demo(Protocol):
    """A demo podcast that is being generated."""

    @property
    def stream_id(self) -> str:
        """The stream to join, with `wait`."""
        ...

    @property
    def client_id(self) -> str:
        """The client whose UI updates report the progress."""
        ...


def create_console_blueprint(
    folder: Path, origins: Sequence[str], guard: Callable[[], None], start_demo: Callable[[int], Demo | None]
) -> Blueprint:
    """Return the routes of the files in `folder`: `/` and /console/...; pages of `origins` may load them.

    `guard` raises `Unauthorized` for requests that may not use the internal API. `start_demo` is called with the port
    of this server; it returns None if too many demos are running.
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
            raise Unauthorized("Demo podcasts can only be requested from the console page.")
        started = start_demo(int(request.environ["SERVER_PORT"]))
        if started is None:
            raise RateLimited("Too many demos are running. Try again when one has finished.")
        return jsonify(stream_id=started.stream_id, client_id=started.client_id), HTTPStatus.ACCEPTED

    return blueprint
