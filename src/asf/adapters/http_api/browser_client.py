"""Serves the built browser client to the pages of other servers, as Socket.IO's servers do with theirs."""

import gzip
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from pathlib import Path

from flask import Blueprint, Response, request

from asf.adapters.http_api.cors import share
from asf.adapters.http_api.errors import RouteNotFound

CLIENT_URL = "/asf/client/"

MODULE_NAME = re.compile(r"[\w-]+\.js", re.ASCII)
LICENSES = "licenses.txt"
"""The licenses of the libraries that the modules contain."""

HASHED_NAME = re.compile(r".+-[A-Z0-9]{8}\.js", re.ASCII)
"""Name of a file that never changes: it contains the hash of its content (clients/js/build.mjs)."""

MODULE_TYPE = "text/javascript; charset=utf-8"
LICENSES_TYPE = "text/plain; charset=utf-8"
FOREVER = "public, max-age=31536000, immutable"
REVALIDATE = "no-cache"

NOT_BUILT = "The browser client is not built: install Node.js with npm, then run make client in the ASF directory."


@dataclass(frozen=True, slots=True)
class _ClientFile:
    """A file of the client, as it is and compressed."""

    plain: bytes
    compressed: bytes
    digest: str


def create_browser_client_blueprint(folder: Path, origins: Sequence[str]) -> Blueprint:
    """Return the route of the client's files in `folder`, which pages of `origins` may load. It may be missing."""
    blueprint = Blueprint("browser_client", "asf")
    share(blueprint, origins)

    @blueprint.get(f"{CLIENT_URL}<string:name>")
    def file(name: str) -> Response:
        return _response_of(name, _find(folder, name))

    return blueprint


def _find(folder: Path, name: str) -> _ClientFile:
    """Return the file of that name. Raises `RouteNotFound`."""
    path = folder / name
    try:
        if (MODULE_NAME.fullmatch(name) or name == LICENSES) and path.is_file():
            found = path.stat()
            return _read(path, found.st_mtime_ns, found.st_size)
    except OSError as error:
        raise RouteNotFound from error
    raise RouteNotFound(None if folder.is_dir() else NOT_BUILT)


@lru_cache(maxsize=64)
def _read(path: Path, _modified: int, _size: int) -> _ClientFile:
    """Return a file, read once until the file changes: a developer may build it while the server runs."""
    plain = path.read_bytes()
    return _ClientFile(plain, gzip.compress(plain, mtime=0), sha256(plain).hexdigest()[:32])


def _response_of(name: str, file: _ClientFile) -> Response:
    is_compressed = request.accept_encodings.quality("gzip") > 0
    response = Response(
        file.compressed if is_compressed else file.plain,
        content_type=LICENSES_TYPE if name == LICENSES else MODULE_TYPE,
    )
    if is_compressed:
        response.headers["Content-Encoding"] = "gzip"
    response.vary.add("Accept-Encoding")
    response.set_etag(f"{file.digest}-gzip" if is_compressed else file.digest)
    response.headers["Cache-Control"] = FOREVER if HASHED_NAME.fullmatch(name) else REVALIDATE
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.make_conditional(request)
    return response
