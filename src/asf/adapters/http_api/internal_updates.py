"""Internal API of UI updates, for orchestrators (docs/contract.md, section 2)."""

from collections.abc import Callable
from typing import Any

from flask import Blueprint, Response, jsonify

from asf.adapters.http_api.errors import SendUiInvalidPayload, SendUiMalformedJson, error_body
from asf.adapters.http_api.internal_guard import InternalGuard
from asf.adapters.http_api.json_body import read_json_object
from asf.adapters.http_api.schemas import SendUiUpdateSchema, SendUiUpdatesSchema
from asf.domain.errors import AsfError
from asf.domain.updates.batch import Batch, Published
from asf.domain.updates.router import UiUpdateRouter


def create_internal_updates_blueprint(
    router: UiUpdateRouter, guard: InternalGuard, checkpoint: Callable[[], object]
) -> Blueprint:
    """Return the routes of UI updates under /asf/internal/, protected by `guard`.

    `checkpoint` is called after each update of a batch, and may yield.
    """
    blueprint = Blueprint("internal_updates", "asf", url_prefix="/asf/internal")
    blueprint.before_request(guard)
    update_schema = SendUiUpdateSchema()
    updates_schema = SendUiUpdatesSchema()

    @blueprint.post("/send_ui_update")
    def send_ui_update() -> Response:
        fields = update_schema.read(read_json_object(SendUiMalformedJson, SendUiInvalidPayload))
        return jsonify(_response_to(router.publish(fields["update"])))

    @blueprint.post("/send_ui_updates")
    def send_ui_updates() -> Response:
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
            return _response_to(batch.publish(update_schema.read(update)["update"]))
        except AsfError as error:
            return {"status": "error"} | error_body(error)

    return blueprint


def _response_to(published: Published) -> dict[str, Any]:
    return {
        "status": "success",
        "message": "UI update sent to client.",
        "seq": published.seq,
        "epoch": published.epoch,
        "subscribers": published.subscribers,
        "duplicate": published.duplicate,
    }
