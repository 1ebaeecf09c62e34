"""What operators and their tools ask (docs/contract.md, section 7)."""

from flask import Blueprint, Response, jsonify


def create_operations_blueprint() -> Blueprint:
    """Return the routes that tell how the server is."""
    blueprint = Blueprint("operations", "asf")

    @blueprint.get("/asf/health")
    def health() -> Response:
        return jsonify(status="ok")

    return blueprint
