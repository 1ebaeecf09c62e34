"""HTTP API of ASF, with Flask and marshmallow (docs/contract.md, sections 2, 5 and 7)."""

from asf.adapters.http_api.app import create_app
from asf.adapters.http_api.browser_client import create_browser_client_blueprint
from asf.adapters.http_api.console import create_console_blueprint, create_demo_blueprint
from asf.adapters.http_api.cues import create_cues_blueprint, create_internal_cues_blueprint
from asf.adapters.http_api.internal_guard import InternalGuard
from asf.adapters.http_api.internal_streams import create_internal_streams_blueprint
from asf.adapters.http_api.load_shedding import LoadShedding, is_internal
from asf.adapters.http_api.openapi import openapi_document
from asf.adapters.http_api.operations import create_internal_operations_blueprint
from asf.adapters.http_api.operator_page import create_operator_page_blueprint
from asf.adapters.http_api.operator_routes import create_operations_blueprint
from asf.adapters.http_api.playback import create_playback_blueprint
from asf.adapters.http_api.updates import DirectUpdates, UpdateLines, create_internal_updates_blueprint
from asf.adapters.http_api.uploads import create_uploads_blueprint

__all__ = [
    "DirectUpdates",
    "InternalGuard",
    "LoadShedding",
    "UpdateLines",
    "create_app",
    "create_browser_client_blueprint",
    "create_console_blueprint",
    "create_cues_blueprint",
    "create_demo_blueprint",
    "create_internal_cues_blueprint",
    "create_internal_operations_blueprint",
    "create_internal_streams_blueprint",
    "create_internal_updates_blueprint",
    "create_operations_blueprint",
    "create_operator_page_blueprint",
    "create_playback_blueprint",
    "create_uploads_blueprint",
    "is_internal",
    "openapi_document",
]
