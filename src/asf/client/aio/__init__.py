"""The clients for asyncio.

They need httpx and aiohttp, the extra `asyncio`: `pip install 'audio-stream-feeder[asyncio]'`.
"""

from importlib.util import find_spec

if find_spec("httpx") is None or find_spec("aiohttp") is None:
    raise ImportError(
        "The asyncio clients of ASF need httpx and aiohttp. Install them: pip install 'audio-stream-feeder[asyncio]'"
    )

from asf.client.aio.backend import AsyncBackendClient
from asf.client.aio.growing import AsyncGrowingAudio
from asf.client.aio.listener import listen
from asf.client.aio.uploading import AsyncUploadedAudio
from asf.client.aio.watcher import watch

__all__ = ["AsyncBackendClient", "AsyncGrowingAudio", "AsyncUploadedAudio", "listen", "watch"]
