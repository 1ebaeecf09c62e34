"""Serves the console page and the browser client (debug mode only)."""

import re
from base64 import b64encode
from collections.abc import Callable, Sequence
from hashlib import sha256
from http import HTTPStatus
from pathlib import Path
from typing import Protocol

from flask import Blueprint, Response, jsonify, request, send_from_directory

from asf.adapters.http_api.cors import share
from asf.adapters.http_api.errors import BadRequest
from asf.adapters.http_api.json_body import read_json_object
from asf.adapters.origins import is_own
from asf.domain.errors import RateLimited, Unauthorized

CLIENT_MODULE = "static/asf-client/asf-client.js"
"""Entry module of the built browser client, relative to the console's folder."""

POLICY = (
    "default-src 'self'",
    "media-src 'self' blob:",
    "img-src 'self' data:",
    "base-uri 'none'",
    "form-action 'self'",
    "object-src 'none'",
    "frame-ancestors 'self'",
)
"""Content-Security-Policy of the pages, without their scripts. Audio that is played as it arrives has a blob: URL."""

SLOWEST_PACE, FASTEST_PACE = 0.1, 10.0
"""Speeds at which demo podcasts can be generated, relative to real time."""

INLINE_SCRIPT = re.compile(r"<script(?![^>]*\ssrc=)[^>]*>(.*?)</script>", re.DOTALL)

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

    @property
    def notice(self) -> str | None:
        """What the user should know, for humans."""
        ...


StartDemo = Callable[[int, str | None, float], Demo | None]
"""Starts a demo podcast: gets the port of this server, the text to speak, if any, and the speed (1: real time).

Returns None if too many demos are running. Raises ValueError, with the reason, if the text cannot be spoken.
"""


def create_console_blueprint(folder: Path, origins: Sequence[str]) -> Blueprint:
    """Return the routes of the files in `folder`: `/` and /console/...; pages of `origins` may load them."""
    blueprint = Blueprint("console", "asf")
    share(blueprint, origins)

    @blueprint.get("/")
    def index() -> Response:
        if not (folder / CLIENT_MODULE).is_file():
            return _protected(Response(NOT_BUILT, content_type="text/html; charset=utf-8"), NOT_BUILT)
        return file("index.html")

    @blueprint.get("/console/<path:name>")
    def file(name: str) -> Response:
        response = send_from_directory(folder, name)
        response.headers["Cache-Control"] = "no-cache"
        if response.mimetype == "text/html":
            return _protected(response, (folder / name).read_text())
        return response

    return blueprint


def create_demo_blueprint(guard: Callable[[], None], start_demo: StartDemo) -> Blueprint:
    """Return the route that starts a demo podcast, for the console page of this server only.

    `guard` raises `Unauthorized` for requests that may not use the internal API. The request has no body, or a JSON
    object with the `text` to speak, the `pace` (1.5: one and a half times as fast as real time), or both.
    """
    blueprint = Blueprint("demo", "asf")

    @blueprint.post("/console/demo")
    def demo() -> tuple[Response, HTTPStatus]:
        guard()
        if not _is_own_page():
            raise Unauthorized("Demo podcasts can only be requested from the console page.")
        try:
            started = start_demo(int(request.environ["SERVER_PORT"]), *_read_wishes())
        except ValueError as error:
            raise BadRequest(str(error)) from error
        if started is None:
            raise RateLimited("Too many demos are running. Try again when one has finished.")
        notice = {} if started.notice is None else {"notice": started.notice}
        return jsonify(stream_id=started.stream_id, client_id=started.client_id, **notice), HTTPStatus.ACCEPTED

    return blueprint


def _read_wishes() -> tuple[str | None, float]:
    """Return the `text` and the `pace` of the current request. Raises `BadRequest`."""
    if not request.content_length:
        return None, 1.0
    wishes = {"text": None} | read_json_object(BadRequest, BadRequest)
    text, pace = wishes["text"], wishes.get("pace")
    if not (isinstance(text, str) or (text is None and pace is not None)):
        raise BadRequest("'text' must be a string.")
    if pace is None:
        return text, 1.0
    if isinstance(pace, bool) or not isinstance(pace, int | float) or not SLOWEST_PACE <= pace <= FASTEST_PACE:
        raise BadRequest(f"'pace' must be a number from {SLOWEST_PACE} to {FASTEST_PACE:.0f}.")
    return text, float(pace)


def _is_own_page() -> bool:
    """Return whether the current request is from a page of this server, or from no page."""
    origin = request.headers.get("Origin")
    # Browsers send the site of the page to trustworthy addresses only, and the origin always.
    is_own_site = request.headers.get("Sec-Fetch-Site", "none") in {"same-origin", "none"}
    return is_own_site and (origin is None or is_own(origin, request.environ))


def _protected(response: Response, html: str) -> Response:
    """Return the page with a policy: it loads from this server only, and is framed by it only (CSP Level 3)."""
    scripts = [
        f"'sha256-{b64encode(sha256(script.encode()).digest()).decode()}'" for script in INLINE_SCRIPT.findall(html)
    ]
    response.headers["Content-Security-Policy"] = "; ".join([*POLICY, " ".join(["script-src 'self'", *scripts])])
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response
