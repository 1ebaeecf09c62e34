"""The routes of operators, of the browser client, and of the API's documents."""

from http import HTTPStatus

from asf.adapters.http_api import node_schemas, operations_schemas, response_schemas
from asf.adapters.http_api.errors import InvalidQuery, NodesSilent, NotReady, SessionNotFound
from asf.adapters.http_api.openapi_routes import tags
from asf.adapters.http_api.openapi_routes.route import INTERNAL, IS_CURRENT, JSON, Route
from asf.adapters.http_api.operator_page import PAGE_URL
from asf.domain import errors

JAVASCRIPT = "text/javascript"

OPERATIONS: tuple[Route, ...] = (
    Route(
        "list_nodes",
        tags.OPERATORS,
        "get",
        "/asf/internal/nodes",
        "List the nodes: how each is, what it carries, and why it has rejected joins.",
        {JSON: node_schemas.NodesSchema},
        errors=(errors.Unauthorized,),
        security=INTERNAL,
    ),
    Route(
        "list_sessions",
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
        "end_session",
        tags.OPERATORS,
        "delete",
        "/asf/internal/sessions/{session_id}",
        "End a session. Its client receives ASF_DISCONNECTED, after which it does not reconnect by itself.",
        {JSON: operations_schemas.SessionEndedSchema},
        errors=(errors.Unauthorized, SessionNotFound, NodesSilent),
        security=INTERNAL,
    ),
    Route(
        "list_listeners",
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
        "get_client_file",
        tags.LISTENERS,
        "get",
        "/asf/client/{name}",
        "Get a file of the browser client: asf-client.js, asf-player.js, or a module that they import.",
        {JAVASCRIPT: None},
        statuses={HTTPStatus.NOT_MODIFIED: IS_CURRENT},
        path_examples={"examples": ["asf-client.js", "asf-player.js"]},
    ),
    Route(
        "get_operator_page",
        tags.OPERATORS,
        "get",
        PAGE_URL,
        "Get the page for operators.",
        {"text/html": None},
        statuses={HTTPStatus.NOT_MODIFIED: IS_CURRENT},
    ),
    Route(
        "get_operator_page_file",
        tags.OPERATORS,
        "get",
        f"{PAGE_URL}/{{name}}",
        "Get a file of the page for operators: operator.js or operator.css.",
        {JAVASCRIPT: None, "text/css": None},
        statuses={HTTPStatus.NOT_MODIFIED: IS_CURRENT},
        path_examples={"examples": ["operator.js", "operator.css"]},
    ),
    Route(
        "get_health", tags.MONITORING, "get", "/asf/health", "Liveness check.", {JSON: response_schemas.HealthSchema}
    ),
    Route(
        "get_readiness",
        tags.MONITORING,
        "get",
        "/asf/ready",
        "Readiness check: whether the server accepts listeners now.",
        {JSON: response_schemas.ReadySchema},
        errors=(NotReady,),
        security=INTERNAL,
    ),
    Route(
        "get_metrics", tags.MONITORING, "get", "/metrics", "All metrics, in Prometheus format.", {"text/plain": None}
    ),
    Route(
        "get_openapi",
        tags.MONITORING,
        "get",
        "/asf/openapi.json",
        "This document.",
        {JSON: response_schemas.OpenApiSchema},
    ),
    Route(
        "get_asyncapi",
        tags.MONITORING,
        "get",
        "/asf/asyncapi.json",
        "The AsyncAPI document of the real-time API.",
        {JSON: response_schemas.AsyncApiSchema},
    ),
)
