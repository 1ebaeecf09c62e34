"""The routes of the HTTP API, as its OpenAPI document describes them, in its order."""

from asf.adapters.http_api.openapi_routes.listeners import LISTENERS
from asf.adapters.http_api.openapi_routes.operations import OPERATIONS
from asf.adapters.http_api.openapi_routes.route import JSON, Route
from asf.adapters.http_api.openapi_routes.streams import STREAMS
from asf.adapters.http_api.openapi_routes.updates import LINES, UPDATES
from asf.adapters.http_api.openapi_routes.uploads import UPLOADS

__all__ = ["JSON", "LINES", "ROUTES", "Route"]

ROUTES = (*STREAMS, *UPLOADS, *UPDATES, *LISTENERS, *OPERATIONS)
