"""Internal API for operators: nodes, sessions, and how to end one (docs/contract.md, section 11)."""

from typing import Any

from flask import Blueprint, Response, jsonify, request

from asf.adapters.http_api.errors import InvalidQuery, NodesSilent, SessionNotFound
from asf.adapters.http_api.internal_guard import InternalGuard
from asf.adapters.http_api.operations_schemas import EntriesQuerySchema, SessionsQuerySchema
from asf.domain.operations.entries import Cursor, InvalidCursor, SessionFilter
from asf.domain.operations.rejections import explain
from asf.domain.operations.service import Operations, Outcome


def create_internal_operations_blueprint(operations: Operations, guard: InternalGuard) -> Blueprint:
    """Return the routes for operators under /asf/internal/, protected by `guard`."""
    blueprint = Blueprint("internal_operations", "asf", url_prefix="/asf/internal")
    blueprint.before_request(guard)
    sessions_query, entries_query = SessionsQuerySchema(), EntriesQuerySchema()

    @blueprint.after_request
    def never_cached(response: Response) -> Response:
        response.headers["Cache-Control"] = "no-store"
        return response

    @blueprint.get("/nodes")
    def list_nodes() -> Response:
        nodes, outcome = operations.nodes()
        codes = {code for node in nodes for code in node["joins_rejected"]}
        return jsonify(nodes=nodes, explanations=explain(codes), **_body_of(outcome))

    @blueprint.get("/sessions")
    def list_sessions() -> Response:
        query = sessions_query.read(request.args)
        wanted = SessionFilter(query["kind"], query["stream_id"], query["client_id"], query["address"])
        page = operations.sessions(wanted, _cursor_of(query["cursor"]), query["limit"], query["node"])
        next_cursor = None if page.next_position is None else str(page.next_position)
        return jsonify(sessions=page.entries, next_cursor=next_cursor, **_body_of(page.outcome))

    @blueprint.get("/listeners")
    def list_audiences() -> Response:
        query = entries_query.read(request.args)
        page = operations.audiences(query["cursor"], query["limit"])
        return jsonify(streams=page.entries, next_cursor=page.next_position, **_body_of(page.outcome))

    @blueprint.delete("/sessions/<string:session_id>")
    def end_session(session_id: str) -> Response:
        match operations.end(session_id):
            case Outcome() as outcome if outcome.is_complete:
                raise SessionNotFound
            case Outcome(silent, problem):
                raise NodesSilent(problem or f"Not answering: {', '.join(sorted(silent))}.")
            case node, kind:
                return jsonify(message="Session ended", session_id=session_id, node=node, kind=kind)

    return blueprint


def _cursor_of(text: str) -> Cursor | None:
    if not text:
        return None
    try:
        return Cursor.parse(text)
    except InvalidCursor as error:
        raise InvalidQuery("cursor: It must be the next_cursor of an earlier page.") from error


def _body_of(outcome: Outcome) -> dict[str, Any]:
    silent = [
        {"node": node, "last_seen_seconds": round(seconds, 1)} for node, seconds in sorted(outcome.silent.items())
    ]
    return {"not_answering": silent, "problem": outcome.problem}
