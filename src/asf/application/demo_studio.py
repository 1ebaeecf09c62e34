"""Generates demo podcasts as `asf demo` does, in threads of the server, for the console page."""

import logging
import secrets
import threading
from dataclasses import dataclass
from pathlib import Path

from asf.client import AsfClientError, BackendClient
from asf.client.demo import demo_clip, make_demo_podcast
from asf.settings import LOOPBACK_OF_WILDCARD

MAX_DEMOS = 4
"""Maximum number of demos that are generated concurrently."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Demo:
    """A podcast that is being generated, and the client that gets its UI updates."""

    stream_id: str
    client_id: str


class DemoStudio:
    """Generates demo podcasts through the HTTP API of the server at `host`, as voice agents and orchestrators do.

    Their audio is written below `audio_root`. `token` is the internal API's, if it has one.
    """

    def __init__(self, host: str, audio_root: Path, token: str | None = None) -> None:
        self._host = LOOPBACK_OF_WILDCARD.get(host, host)
        self._audio_root = audio_root
        self._token = token
        self._slots = threading.BoundedSemaphore(MAX_DEMOS)

    def start(self, port: int) -> Demo | None:
        """Start generating one, on the server's `port`. Returns None when `MAX_DEMOS` are being generated."""
        if not self._slots.acquire(blocking=False):
            return None
        name = f"demo-{secrets.token_hex(3)}"
        demo = Demo(stream_id=name, client_id=name)
        threading.Thread(target=self._generate, args=(demo, port), name=name, daemon=True).start()
        return demo

    def _generate(self, demo: Demo, port: int) -> None:
        host = f"[{self._host}]" if ":" in self._host else self._host
        try:
            with BackendClient(f"http://{host}:{port}", token=self._token) as backend:
                make_demo_podcast(backend, demo_clip(), self._audio_root, demo.stream_id, demo.client_id)
        except (AsfClientError, OSError) as error:
            logger.warning("Generating the demo podcast %s failed: %s", demo.stream_id, error)
        finally:
            self._slots.release()
