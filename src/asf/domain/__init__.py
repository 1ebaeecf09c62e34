"""What ASF is: values, errors, ports and the services that decide. Imports the standard library only."""

from asf.domain.access import AccessControl
from asf.domain.audio import AudioBatch
from asf.domain.catalog import Announcement, StreamCatalog
from asf.domain.expiry import Expiries
from asf.domain.grants import Grant
from asf.domain.growth import GrowthWatch
from asf.domain.pacing import Pace
from asf.domain.patience import BlockedListeners
from asf.domain.pool import AudioPool
from asf.domain.pump import AudioPump
from asf.domain.router import UiUpdateRouter
from asf.domain.schedule import Schedule
from asf.domain.session import ListenRequest
from asf.domain.streamer import ChunkStreamer
from asf.domain.streaming import StreamingService
from asf.domain.streams import AudioStream, FileLocator, Locator, StreamState
from asf.domain.updates import UiUpdate
from asf.domain.waiting import WaitingRoom

__all__ = [
    "AccessControl",
    "Announcement",
    "AudioBatch",
    "AudioPool",
    "AudioPump",
    "AudioStream",
    "BlockedListeners",
    "ChunkStreamer",
    "Expiries",
    "FileLocator",
    "Grant",
    "GrowthWatch",
    "ListenRequest",
    "Locator",
    "Pace",
    "Schedule",
    "StreamCatalog",
    "StreamState",
    "StreamingService",
    "UiUpdate",
    "UiUpdateRouter",
    "WaitingRoom",
]
