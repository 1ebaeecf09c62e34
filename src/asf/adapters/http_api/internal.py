"""The internal API: what backend services call (docs/contract.md, section 2)."""

from flask import Blueprint, Response, jsonify

from asf.adapters.http_api.errors import (
    NotifyInvalidPayload,
    NotifyMalformedJson,
    SendUiInvalidPayload,
    SendUiMalformedJson,
)
from asf.adapters.http_api.json_body import read_json_object
from asf.adapters.http_api.schemas import NotifyNewAudioSchema, SendUiUpdateSchema
from asf.domain.catalog import StreamCatalog
from asf.domain.router import UiUpdateRouter
from asf.domain.updates import UiUpdate


def create_internal_blueprint(catalog: StreamCatalog, router: UiUpdateRouter) -> Blueprint:
    """Return the routes under /asf/internal/."""
    blueprint = Blueprint("internal", "asf", url_prefix="/asf/internal")
    notify_schema = NotifyNewAudioSchema()
    update_schema = SendUiUpdateSchema()

    @blueprint.post("/notify_new_audio")
    def notify_new_audio() -> Response:
        fields = notify_schema.read(read_json_object(NotifyMalformedJson, NotifyInvalidPayload))
        stream = catalog.announce(fields["stream_id"], fields["filepath"])
        return jsonify(message="Notification received successfully", stream_id=stream.stream_id)

    @blueprint.post("/send_ui_update")
    def send_ui_update() -> Response:
        fields = update_schema.read(read_json_object(SendUiMalformedJson, SendUiInvalidPayload))
        subscribers = router.publish(UiUpdate(fields["client_id"], fields["event_name"], fields["data"]))
        return jsonify(status="success", message="UI update sent to client.", subscribers=subscribers)

    return blueprint
