"""The routes of UI updates."""

from collections.abc import Callable
from typing import Any

from flask import Blueprint, Response, jsonify, request

from asf.adapters.http_api.errors import SendUiInvalidPayload, SendUiMalformedJson, error_body
from asf.adapters.http_api.internal_guard import InternalGuard
from asf.adapters.http_api.json_body import read_json_object
from asf.adapters.http_api.schemas import SendUiUpdatesSchema
from asf.adapters.http_api.updates.lines import MEDIA_TYPE, UpdateLines
from asf.adapters.http_api.updates.messages import body_of, update_of
from asf.domain.errors import AsfError
from asf.domain.updates.batch import Batch
from asf.domain.updates.router import UiUpdateRouter


def create_internal_updates_blueprint(
    router: UiUpdateRouter, guard: InternalGuard, checkpoint: Callable[[], object], lines: UpdateLines
) -> Blueprint:
    """Return the routes of UI updates under /asf/internal/, protected by `guard`.

    `checkpoint` is called after each update of a batch, and may yield. `lines` answers requests with updates by line.
    """
    blueprint = Blueprint("internal_updates", "asf", url_prefix="/asf/internal")
    blueprint.before_request(guard)
    updates_schema = SendUiUpdatesSchema()

    @blueprint.post("/send_ui_update")
    def send_ui_update() -> Response:
        update = update_of(read_json_object(SendUiMalformedJson, SendUiInvalidPayload))
        return jsonify(body_of(router.publish(update)))

    @blueprint.post("/send_ui_updates")
    def send_ui_updates() -> Response:
        if request.mimetype == MEDIA_TYPE:
            return lines.respond()
        fields = updates_schema.read(read_json_object(SendUiMalformedJson, SendUiInvalidPayload))
        results = []
        batch = router.batch()
        for update in fields["updates"]:
            results.append(publish_one(batch, update))
            checkpoint()
        return jsonify(results=results)

    def publish_one(batch: Batch, update: Any) -> dict[str, Any]:
        try:
            if not isinstance(update, dict) or not update:
                raise SendUiInvalidPayload("The update is not a non-empty JSON object.")
            return body_of(batch.publish(update_of(update)))
        except AsfError as error:
            return {"status": "error"} | error_body(error)

    return blueprint
