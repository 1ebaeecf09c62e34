"""What operators and their tools ask (docs/contract.md, section 7)."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from flask import Blueprint, Response, jsonify


def create_operations_blueprint(
    render_metrics: Callable[[], bytes], metrics_content_type: str, documents: Mapping[str, Mapping[str, Any]]
) -> Blueprint:
    """Return the routes that tell how the server is, and what it can do: `documents` by their names."""
    blueprint = Blueprint("operations", "asf")

    @blueprint.get("/asf/health")
    def health() -> Response:
        return jsonify(status="ok")

    @blueprint.get("/metrics")
    def metrics() -> Response:
        return Response(render_metrics(), content_type=metrics_content_type)

    for name, document in documents.items():
        text = json.dumps(document)
        blueprint.add_url_rule(
            f"/asf/{name}.json", name, lambda text=text: Response(text, content_type="application/json")
        )

    return blueprint
