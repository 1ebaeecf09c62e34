"""The route from which listeners read cues."""

import errno
from collections.abc import Callable, Iterator, Sequence
from http import HTTPStatus
from itertools import chain

from flask import Blueprint, Response, request

from asf.adapters.http_api.bearer import bearer_token
from asf.adapters.http_api.cors import share
from asf.adapters.http_api.cue_schemas import CuesQuerySchema
from asf.adapters.http_api.cues.documents import CueDocuments, Selection
from asf.adapters.http_api.errors import PreconditionFailed
from asf.adapters.runtime import ConnectionControl, control_of
from asf.domain.access.control import AccessControl
from asf.domain.cues.service import Cues
from asf.domain.errors import AsfError

CUES_URL = "/api/v1/podcasts/cues/"

JSON_TYPE = "application/json"
VTT_TYPE = "text/vtt"


def create_cues_blueprint(
    cues: Cues, access: AccessControl, origins: Sequence[str], checkpoint: Callable[[], object]
) -> Blueprint:
    """Return the route of the streams' cues, readable for browser pages from `origins`.

    `checkpoint` is called often while a document is written, and may yield.
    """
    blueprint = Blueprint("cues", "asf")
    share(blueprint, origins, ["Content-Length", "ETag"])
    schema = CuesQuerySchema()
    documents = CueDocuments(cues, checkpoint)

    @blueprint.get(f"{CUES_URL}<stream_id:stream_id>")
    def get_cues(stream_id: str) -> Response:
        query = schema.read(request.args)
        access.check_stream(request.args.get("token") or bearer_token(), stream_id)
        stream = cues.find(stream_id)
        wanted = Selection(stream, cues.latest(stream), query["since"], query["kind"])
        is_vtt = (query["format"] or _negotiated()) == "vtt"
        # An iterator: Werkzeug would give the length of an empty list.
        response = Response(iter(()), direct_passthrough=True)
        response.content_type = f"{VTT_TYPE}; charset=utf-8" if is_vtt else JSON_TYPE
        response.set_etag(f"{stream.epoch}-{wanted.latest}-{'vtt' if is_vtt else 'json'}")
        response.vary.add("Accept")
        response.headers["Cache-Control"] = "no-cache"
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.make_conditional(request)
        if response.status_code == HTTPStatus.PRECONDITION_FAILED:
            raise PreconditionFailed
        if response.status_code == HTTPStatus.OK:
            _fill(response, documents.vtt(wanted) if is_vtt else documents.json(wanted))
        return response

    return blueprint


def _negotiated() -> str:
    """Return the format that the current request's Accept header prefers: JSON, unless it prefers WebVTT."""
    return "vtt" if request.accept_mimetypes.best_match([JSON_TYPE, VTT_TYPE]) == VTT_TYPE else "json"


def _fill(response: Response, pieces: Iterator[str]) -> None:
    """Set the body of a response. Short documents have a length. Raises what writing the first piece raises."""
    first, second = (next(pieces, "").encode() for _ in range(2))
    if not second:
        response.set_data(first)
        return
    if request.method == "HEAD":
        return
    response.response = _contained(chain([first, second], map(str.encode, pieces)), control_of(request.environ))


def _contained(pieces: Iterator[bytes], control: ConnectionControl) -> Iterator[bytes]:
    """Yield the pieces. If the next one cannot be read, reset the connection: the document is incomplete."""
    try:
        yield from pieces
    except AsfError as error:
        control.reset()
        raise ConnectionResetError(errno.ECONNRESET, f"The cues are incomplete: {error.error_code}") from error
