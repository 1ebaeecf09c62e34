"""Cues over HTTP: posted by backends, read by listeners (docs/contract.md, section 9)."""

from asf.adapters.http_api.cues.internal import create_internal_cues_blueprint
from asf.adapters.http_api.cues.routes import CUES_URL, create_cues_blueprint

__all__ = ["CUES_URL", "create_cues_blueprint", "create_internal_cues_blueprint"]
