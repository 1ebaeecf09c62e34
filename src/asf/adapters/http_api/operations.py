"""What operators and their tools ask (docs/contract.md, section 7)."""

import json
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from flask import Blueprint, Response, jsonify

from asf.adapters.http_api.errors import NotReady


def create_operations_blueprint(
    find_problems: Callable[[], Mapping[str, str]],
    render_metrics: Callable[[], bytes],
    metrics_content_type: str,
    documents: Mapping[str, Callable[[], Mapping[str, Any]]],
) -> Blueprint:
    """Return the routes that tell how the server is, and what it can do: `documents` by their names.

    Each document is made when it is asked for the first time: a start does not wait for it.

    `find_problems` returns what keeps the server from taking listeners, by the names of what is concerned.
    """
    blueprint = Blueprint("operations", "asf")

    @blueprint.get("/asf/health")
    def health() -> Response:
        return jsonify(status="ok")

    @blueprint.get("/asf/ready")
    def ready() -> Response:
        problems = find_problems()
        if problems:
            raise NotReady("; ".join(f"{name}: {problem}" for name, problem in problems.items()))
        return jsonify(status="ready")

    @blueprint.get("/metrics")
    def metrics() -> Response:
        return Response(render_metrics(), content_type=metrics_content_type)

    @cache
    def text_of(name: str) -> str:
        return json.dumps(documents[name]())

    for name in documents:
        blueprint.add_url_rule(
            f"/asf/{name}.json", name, lambda name=name: Response(text_of(name), content_type="application/json")
        )

    return blueprint
