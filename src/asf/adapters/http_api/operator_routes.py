"""Routes for operators: health, readiness, metrics and API documents (docs/contract.md, section 7)."""

import json
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, Protocol

from flask import Blueprint, Response, jsonify

from asf.adapters.http_api.errors import NotReady


class Problem(Protocol):
    """A reason why the server cannot accept listeners. As text, it may contain names of directories and buckets."""

    @property
    def kind(self) -> str:
        """What is concerned, without its name."""
        ...


def create_operations_blueprint(
    find_problems: Callable[[], Sequence[Problem]],
    is_operator: Callable[[], bool],
    render_metrics: Callable[[], bytes],
    metrics_content_type: str,
    version: str,
    documents: Mapping[str, Callable[[], Mapping[str, Any]]],
) -> Blueprint:
    """Return the routes of health, readiness, metrics and `documents`, by name.

    Each document is built on the first request for it, to keep the start fast. `find_problems` returns the reasons
    why the server cannot accept listeners. Only requests that `is_operator` accepts are answered with more than their
    kinds. `version` is that of ASF.
    """
    blueprint = Blueprint("operations", "asf")

    @blueprint.get("/asf/health")
    def health() -> Response:
        return jsonify(status="ok", version=version)

    @blueprint.get("/asf/ready")
    def ready() -> Response:
        problems = find_problems()
        if problems:
            kinds = dict.fromkeys(problem.kind for problem in problems)
            raise NotReady("; ".join(map(str, problems) if is_operator() else kinds))
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
