"""Serves the page for operators. It contains nothing secret: it asks the internal API, with the operator's token."""

from pathlib import Path

from flask import Blueprint, Response, send_from_directory

from asf.adapters.http_api.errors import RouteNotFound

PAGE_URL = "/asf/operator"

PAGE, STYLE, SCRIPT = "index.html", "operator.css", "operator.js"

POLICY = (
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "connect-src 'self'",
    "img-src data:",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
)

HEADERS = {
    "Content-Security-Policy": "; ".join(POLICY),
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-cache",
}
"""Of all files: the page runs its own script only, sends to its own server only, and is in no frame."""

NOT_BUILT = "The page is not built: install Node.js with npm, then run make client in the ASF directory."


def is_operator_page(path: str) -> bool:
    """Return whether the path is that of the page, or of one of its files."""
    return path == PAGE_URL or path.startswith(f"{PAGE_URL}/")


def create_operator_page_blueprint(folder: Path, scripts: Path) -> Blueprint:
    """Return the routes of the page in `folder`, whose script is built into `scripts`, which may be missing."""
    blueprint = Blueprint("operator_page", "asf")
    folders = {STYLE: folder, SCRIPT: scripts}

    @blueprint.get(PAGE_URL)
    def page() -> Response:
        if not (scripts / SCRIPT).is_file():
            raise RouteNotFound(NOT_BUILT)
        return send_from_directory(folder, PAGE)

    @blueprint.get(f"{PAGE_URL}/<string:name>")
    def file(name: str) -> Response:
        if name not in folders:
            raise RouteNotFound
        return send_from_directory(folders[name], name)

    @blueprint.after_request
    def protect(response: Response) -> Response:
        response.headers.update(HEADERS)
        return response

    return blueprint
