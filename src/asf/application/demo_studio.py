"""Demo podcasts at the press of a button: what `asf demo` makes, in the background of the server."""

import logging
import secrets
import threading
from dataclasses import dataclass
from pathlib import Path

from asf.client import AsfClientError, BackendClient
from asf.client.demo import demo_clip, make_demo_podcast
from asf.settings import LOOPBACK_OF_WILDCARD

MAX_DEMOS = 4
"""How many may be in the making at a time."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Demo:
    """A podcast in the making, and the client that is told about it."""

    stream_id: str
    client_id: str


class DemoStudio:
    """Makes demo podcasts as a voice agent and an orchestrator would: through the HTTP API of the server at `host`.

    Their audio goes below `audio_root`. `token` is that of the internal API, where it has one.
    """

    def __init__(self, host: str, audio_root: Path, token: str | None = None) -> None:
        self._host = LOOPBACK_OF_WILDCARD.get(host, host)
        self._audio_root = audio_root
        self._token = token
        self._places = threading.BoundedSemaphore(MAX_DEMOS)

    def begin(self, port: int) -> Demo | None:
        """Begin to make one, on the server's `port`; return None when there are too many in the making."""
        if not self._places.acquire(blocking=False):
            return None
        name = f"demo-{secrets.token_hex(3)}"
        demo = Demo(stream_id=name, client_id=name)
        threading.Thread(target=self._make, args=(demo, port), name=name, daemon=True).start()
        return demo

    def _make(self, demo: Demo, port: int) -> None:
        host = f"[{self._host}]" if ":" in self._host else self._host
        try:
            with BackendClient(f"http://{host}:{port}", token=self._token) as backend:
                make_demo_podcast(backend, demo_clip(), self._audio_root, demo.stream_id, demo.client_id)
        except (AsfClientError, OSError) as error:
            logger.warning("The demo podcast %s was not made: %s", demo.stream_id, error)
        finally:
            self._places.release()
