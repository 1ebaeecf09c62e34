"""The audio at its URL, for an `<audio>` element, curl or a podcast app (docs/contract.md, section 5)."""

from asf.adapters.http_api.playback.body import PlaybackBody
from asf.adapters.http_api.playback.routes import STREAM_URL, create_playback_blueprint

__all__ = ["STREAM_URL", "PlaybackBody", "create_playback_blueprint"]
