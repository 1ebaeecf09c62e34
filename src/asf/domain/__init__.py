"""What ASF is: values, errors, ports and the services that decide. Imports the standard library only."""

from asf.domain.audio import AudioBatch
from asf.domain.catalog import StreamCatalog
from asf.domain.pacing import Pace
from asf.domain.pool import AudioPool
from asf.domain.pump import AudioPump
from asf.domain.router import UiUpdateRouter
from asf.domain.streamer import ChunkStreamer
from asf.domain.streaming import StreamingService
from asf.domain.streams import AudioStream, FileLocator, Locator
from asf.domain.updates import UiUpdate

__all__ = [
    "AudioBatch",
    "AudioPool",
    "AudioPump",
    "AudioStream",
    "ChunkStreamer",
    "FileLocator",
    "Locator",
    "Pace",
    "StreamCatalog",
    "StreamingService",
    "UiUpdate",
    "UiUpdateRouter",
]
