"""The route to which backends post cues."""

from collections.abc import Callable

from flask import Blueprint, Response, jsonify

from asf.adapters.http_api.cue_schemas import PostCuesSchema
from asf.adapters.http_api.errors import CuesInvalidPayload, CuesMalformedJson
from asf.adapters.http_api.internal_guard import InternalGuard
from asf.adapters.http_api.json_body import read_json_object
from asf.domain.cues.cue import Cue, parse_cue
from asf.domain.cues.service import Cues
from asf.domain.errors import InvalidCue


def create_internal_cues_blueprint(cues: Cues, guard: InternalGuard, checkpoint: Callable[[], object]) -> Blueprint:
    """Return the route of cues under /asf/internal/, protected by `guard`.

    `checkpoint` is called after each cue that was checked, and may yield.
    """
    blueprint = Blueprint("internal_cues", "asf", url_prefix="/asf/internal")
    blueprint.before_request(guard)
    schema = PostCuesSchema()

    @blueprint.post("/streams/<stream_id:stream_id>/cues")
    def post_cues(stream_id: str) -> Response:
        cues.find(stream_id)
        fields = schema.read(read_json_object(CuesMalformedJson, CuesInvalidPayload))
        parsed = []
        for number, cue in enumerate(fields["cues"]):
            parsed.append(_parsed(cue, number))
            checkpoint()
        accepted = cues.add(stream_id, parsed, fields["epoch"])
        return jsonify(accepted=accepted.accepted, total=accepted.total, epoch=accepted.epoch)

    return blueprint


def _parsed(fields: object, number: int) -> Cue:
    """Return a cue of the request. Raises `InvalidCue`, with its number in the request."""
    try:
        return parse_cue(fields)
    except InvalidCue as error:
        raise InvalidCue(f"cues[{number}]: {error.details}") from error
