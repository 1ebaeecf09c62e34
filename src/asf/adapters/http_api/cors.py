"""Cross-origin access: CORS, and the policy for pages that embed resources without it."""

import re
from collections.abc import Sequence
from urllib.parse import urlsplit

from flask import Blueprint, Response, request
from flask_cors import CORS

MAX_AGE_SECONDS = 3600
"""How long browsers may cache a preflight response."""


def share(blueprint: Blueprint, origins: Sequence[str], headers: Sequence[str] = ()) -> None:
    """Allow pages of `origins` (`["*"]` for all) to read the blueprint's responses, including `headers`.

    Isolated pages (COEP) of these origins may embed them without CORS, as an `<audio>` element does by default.
    """

    @blueprint.after_request
    def set_resource_policy(response: Response) -> Response:
        is_allowed = "*" in origins or _page_origin() in origins
        response.headers["Cross-Origin-Resource-Policy"] = "cross-origin" if is_allowed else "same-site"
        return response

    CORS(
        blueprint,
        # Flask-Cors takes a string with characters such as [ for a pattern.
        origins="*" if list(origins) == ["*"] else [re.compile(rf"{re.escape(origin)}\Z") for origin in origins],
        methods=["GET", "HEAD"],
        expose_headers=list(headers),
        max_age=MAX_AGE_SECONDS,
    )


def _page_origin() -> str | None:
    """Return the origin of the page that sends the current request, or None if the request does not show it.

    Without CORS, browsers send no `Origin` with GET, but by default the origin of the page as `Referer`.
    """
    origin = request.headers.get("Origin")
    if origin is None and (referrer := request.headers.get("Referer")):
        try:
            parts = urlsplit(referrer)
        except ValueError:
            return None
        origin = f"{parts.scheme}://{parts.netloc}"
    return origin
