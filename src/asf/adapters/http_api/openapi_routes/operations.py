"""The routes of operators, of the browser client, and of the API's documents."""

from http import HTTPStatus

from asf.adapters.http_api import node_schemas, operations_schemas, response_schemas
from asf.adapters.http_api.errors import InvalidQuery, NodesSilent, NotReady, SessionNotFound
from asf.adapters.http_api.openapi_routes import tags
from asf.adapters.http_api.openapi_routes.route import IF_NONE_MATCH, INTERNAL, IS_CURRENT, JSON, Route
from asf.adapters.http_api.operator_page import PAGE_URL
from asf.domain import errors

JAVASCRIPT = "text/javascript"

OPERATIONS: tuple[Route, ...] = (
    Route(
        "listNodes",
        tags.OPERATORS,
        "get",
        "/asf/internal/nodes",
        "List the nodes: how each is, what it carries, and why it has rejected joins.",
        {JSON: node_schemas.NodesSchema},
        errors=(errors.Unauthorized,),
        security=INTERNAL,
    ),
    Route(
        "listSessions",
        tags.OPERATORS,
        "get",
        "/asf/internal/sessions",
        "List the listeners, subscribers and uploads of all nodes, ordered by node, kind and start.",
        {JSON: operations_schemas.SessionsSchema},
        query=operations_schemas.SessionsQuerySchema,
        errors=(errors.Unauthorized, InvalidQuery),
        security=INTERNAL,
    ),
    Route(
        "endSession",
        tags.OPERATORS,
        "delete",
        "/asf/internal/sessions/{session_id}",
        "End a session. Its client receives ASF_DISCONNECTED, after which it does not reconnect by itself.",
        {JSON: operations_schemas.SessionEndedSchema},
        errors=(errors.Unauthorized, SessionNotFound, NodesSilent),
        security=INTERNAL,
    ),
    Route(
        "listListeners",
        tags.OPERATORS,
        "get",
        "/asf/internal/listeners",
        "List the streams that have listeners now, with how many, ordered by id.",
        {JSON: operations_schemas.AudiencesSchema},
        query=operations_schemas.EntriesQuerySchema,
        errors=(errors.Unauthorized, InvalidQuery),
        security=INTERNAL,
    ),
    Route(
        "getClientFile",
        tags.LISTENERS,
        "get",
        "/asf/client/{name}",
        "Get a file of the browser client: asf-client.js, asf-player.js, a module that they import, or licenses.txt.",
        {JAVASCRIPT: None, "text/plain": None},
        headers=IF_NONE_MATCH,
        statuses={HTTPStatus.NOT_MODIFIED: IS_CURRENT},
        path_examples={"examples": ["asf-client.js", "asf-player.js"]},
    ),
    Route(
        "getOperatorPage",
        tags.OPERATORS,
        "get",
        PAGE_URL,
        "Get the page for operators.",
        {"text/html": None},
        headers=IF_NONE_MATCH,
        statuses={HTTPStatus.NOT_MODIFIED: IS_CURRENT},
    ),
    Route(
        "getOperatorPageFile",
        tags.OPERATORS,
        "get",
        f"{PAGE_URL}/{{name}}",
        "Get a file of the page for operators: operator.js or operator.css.",
        {JAVASCRIPT: None, "text/css": None},
        headers=IF_NONE_MATCH,
        statuses={HTTPStatus.NOT_MODIFIED: IS_CURRENT},
        path_examples={"examples": ["operator.js", "operator.css"]},
    ),
    Route(
        "getHealth", tags.MONITORING, "get", "/asf/health", "Liveness check.", {JSON: response_schemas.HealthSchema}
    ),
    Route(
        "getReadiness",
        tags.MONITORING,
        "get",
        "/asf/ready",
        "Readiness check: whether the server accepts listeners now.",
        {JSON: response_schemas.ReadySchema},
        errors=(NotReady,),
        security=INTERNAL,
    ),
    Route(
        "getMetrics", tags.MONITORING, "get", "/metrics", "All metrics, in Prometheus format.", {"text/plain": None}
    ),
    Route(
        "getOpenapi",
        tags.MONITORING,
        "get",
        "/asf/openapi.json",
        "This document.",
        {JSON: response_schemas.OpenApiSchema},
    ),
    Route(
        "getAsyncapi",
        tags.MONITORING,
        "get",
        "/asf/asyncapi.json",
        "The AsyncAPI document of the real-time API.",
        {JSON: response_schemas.AsyncApiSchema},
    ),
)
