"""What operators and their tools ask (docs/contract.md, section 7)."""

from collections.abc import Callable

from flask import Blueprint, Response, jsonify


def create_operations_blueprint(render_metrics: Callable[[], bytes], metrics_content_type: str) -> Blueprint:
    """Return the routes that tell how the server is."""
    blueprint = Blueprint("operations", "asf")

    @blueprint.get("/asf/health")
    def health() -> Response:
        return jsonify(status="ok")

    @blueprint.get("/metrics")
    def metrics() -> Response:
        return Response(render_metrics(), content_type=metrics_content_type)

    return blueprint
