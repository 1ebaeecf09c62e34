"""Internal API of UI updates, for orchestrators (docs/contract.md, section 2)."""

from asf.adapters.http_api.updates.direct import DirectUpdates
from asf.adapters.http_api.updates.lines import UpdateLines
from asf.adapters.http_api.updates.routes import create_internal_updates_blueprint

__all__ = ["DirectUpdates", "UpdateLines", "create_internal_updates_blueprint"]
