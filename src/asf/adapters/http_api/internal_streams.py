"""Internal API of streams, for voice agents (docs/contract.md, section 2)."""

from collections.abc import Callable

from flask import Blueprint, Response, jsonify, request

from asf.adapters.http_api.errors import NotifyInvalidPayload, NotifyMalformedJson
from asf.adapters.http_api.internal_guard import InternalGuard
from asf.adapters.http_api.json_body import read_json_object
from asf.adapters.http_api.schemas import NotifyNewAudioSchema, StreamPageSchema
from asf.adapters.http_api.stream_schemas import DemandSchema, StreamSchema
from asf.domain.streaming.audience import Demand
from asf.domain.streams.catalog import Announcement, StreamCatalog
from asf.domain.streams.stream import Locator, StreamState
from asf.domain.uploads.streams import UploadedStreams


def create_internal_streams_blueprint(
    catalog: StreamCatalog,
    guard: InternalGuard,
    uploaded: UploadedStreams,
    wait_for_size: Callable[[Locator, int], object] | None = None,
    demand_of: Callable[[str, str], Demand] | None = None,
) -> Blueprint:
    """Return the routes of streams under /asf/internal/, protected by `guard`.

    `wait_for_size` waits until the audio at a locator has so many bytes, and raises `AudioUnavailable` after a while.
    `demand_of` returns what the listeners of a stream need of the audio of an epoch.
    """
    blueprint = Blueprint("internal_streams", "asf", url_prefix="/asf/internal")
    blueprint.before_request(guard)
    notify_schema = NotifyNewAudioSchema(catalog.locate, uploaded.has_upload)
    page_schema = StreamPageSchema()
    stream_schema, demand_schema = StreamSchema(), DemandSchema()

    @blueprint.post("/notify_new_audio")
    def notify_new_audio() -> Response:
        payload = read_json_object(NotifyMalformedJson, NotifyInvalidPayload)
        fields = notify_schema.read(payload)
        announcement: Announcement = fields["announcement"]
        if announcement.locator is None:
            announcement = uploaded.announcement_of(announcement, has_state="state" in payload)
        total_bytes: int | None = fields["total_bytes"]
        locator = announcement.locator if announcement.state is StreamState.COMPLETE else None
        if wait_for_size is not None and locator is not None and total_bytes is not None:
            wait_for_size(locator, total_bytes)
        stream = catalog.announce(announcement)
        return jsonify(
            message="Notification received successfully",
            stream_id=stream.stream_id,
            state=stream.state,
            epoch=stream.epoch,
        )

    @blueprint.get("/streams")
    def list_streams() -> Response:
        query = page_schema.read(request.args)
        streams = catalog.page(query["limit"] + 1, query["cursor"])
        page = streams[: query["limit"]]
        next_cursor = page[-1].stream_id if len(streams) > len(page) else None
        return jsonify(streams=stream_schema.dump(page, many=True), next_cursor=next_cursor)

    @blueprint.get("/streams/<stream_id:stream_id>")
    def get_stream(stream_id: str) -> Response:
        stream = catalog.find(stream_id)
        demand = {} if demand_of is None else demand_schema.dump(demand_of(stream_id, stream.epoch))
        return jsonify(stream_schema.dump(stream) | demand)

    @blueprint.delete("/streams/<stream_id:stream_id>")
    def delete_stream(stream_id: str) -> Response:
        uploaded.forget_audio(catalog.delete(stream_id))
        return jsonify(message="Stream deleted", stream_id=stream_id)

    return blueprint
