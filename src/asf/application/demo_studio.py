"""Generates demo podcasts as `asf demo` does, in threads of the server, for the console page.

The threads end with the server, so nobody else would report that their podcasts will not be completed. The studio
does so: when the server stops, or at the next start after a kill.
"""

import json
import logging
import secrets
import threading
from dataclasses import dataclass
from pathlib import Path

from asf.client import AsfClientError, BackendClient
from asf.client.demo import demo_clip, demo_cues, make_demo_podcast
from asf.client.spoken_podcast import SpokenPodcast
from asf.client.voice import HOW_TO_INSTALL, VoiceFailed, checked_sentences, find_encoding, find_voice
from asf.domain.errors import CatalogUnavailable, StreamNotFound
from asf.domain.streams.catalog import Announcement, StreamCatalog
from asf.domain.streams.stream import StreamState
from asf.settings import LOOPBACK_OF_WILDCARD

MAX_DEMOS = 4
"""Maximum number of demos that are generated concurrently."""

INTERRUPTED = "The server was stopped while it generated this demo."
"""The reason of a demo's failure, for listeners."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Demo:
    """A podcast that is being generated, and the client that gets its UI updates.

    `notice` is what its user should know, for humans: that a clip stands in for the voice.
    """

    stream_id: str
    client_id: str
    notice: str | None = None


class DemoStudio:
    """Generates demo podcasts through the HTTP API of the server at `host`, as voice agents and orchestrators do.

    The audio of clips is written below `audio_root`; what a voice speaks is uploaded. `token` is the internal API's,
    if it has one; `catalog` is that server's. The file at `running_path` contains the ids of the demos that are being
    generated, for the next start; None for no such file.
    """

    def __init__(
        self, host: str, audio_root: Path, token: str | None, catalog: StreamCatalog, running_path: Path | None
    ) -> None:
        self._host = LOOPBACK_OF_WILDCARD.get(host, host)
        self._audio_root = audio_root
        self._token = token
        self._catalog = catalog
        self._running_path = running_path
        self._running: set[str] = set()
        self._slots = threading.BoundedSemaphore(MAX_DEMOS)

    def fail_interrupted(self) -> None:
        """Mark the demos as failed that an earlier process was generating when it was killed. Call it at start."""
        self._running.update(self._read_running())
        self.close()

    def close(self) -> None:
        """Mark the demos that are being generated as failed. Call it when their threads no longer run."""
        for stream_id in sorted(self._running):
            self._end(stream_id)

    def start(self, port: int, text: str | None = None, pace: float = 1.0) -> Demo | None:
        """Start generating one, on the server's `port`. Returns None when `MAX_DEMOS` are being generated.

        A voice of this machine speaks `text`; without a text or a voice, the clip is played. `pace` is the speed of
        generation relative to real time. Raises ValueError, with the reason, if the text cannot be spoken.
        """
        podcast, notice = self._podcast_of(text, pace)
        if not self._slots.acquire(blocking=False):
            return None
        name = f"demo-{secrets.token_hex(3)}"
        demo = Demo(stream_id=name, client_id=name, notice=notice)
        self._running.add(name)
        self._write_running()
        threading.Thread(target=self._generate, args=(demo, podcast, port, pace), name=name, daemon=True).start()
        return demo

    @staticmethod
    def _podcast_of(text: str | None, pace: float) -> tuple[SpokenPodcast | None, str | None]:
        """Return what is to be spoken, if it can be, and the notice."""
        if text is None:
            return None, None
        sentences, voice = checked_sentences(text), find_voice()
        if voice is None:
            return None, f"No voice is installed: the clip stands in. {HOW_TO_INSTALL}"
        return SpokenPodcast(sentences, voice, find_encoding(), pace), None

    def _generate(self, demo: Demo, podcast: SpokenPodcast | None, port: int, pace: float) -> None:
        host = f"[{self._host}]" if ":" in self._host else self._host
        try:
            with BackendClient(f"http://{host}:{port}", token=self._token) as backend:
                if podcast is None:
                    make_demo_podcast(
                        backend,
                        demo_clip(),
                        self._audio_root,
                        demo.stream_id,
                        demo.client_id,
                        pace,
                        cues=demo_cues(),
                    )
                else:
                    podcast.generate(backend, demo.stream_id, demo.client_id)
        except (AsfClientError, VoiceFailed, OSError) as error:
            logger.warning("Generating the demo podcast %s failed: %s", demo.stream_id, error)
        finally:
            self._end(demo.stream_id)
            self._slots.release()

    def _end(self, stream_id: str) -> None:
        """Forget a demo, which has failed if the catalog still has it as being generated."""
        try:
            if self._catalog.find(stream_id).state is StreamState.GENERATING:
                self._catalog.announce(Announcement(stream_id, None, StreamState.FAILED, reason=INTERRUPTED))
        except StreamNotFound:
            pass
        except CatalogUnavailable as error:  # The next start tries again.
            logger.warning("The demo podcast %s cannot be marked as failed: %s", stream_id, error)
            return
        self._running.discard(stream_id)
        self._write_running()

    def _read_running(self) -> list[str]:
        if self._running_path is None or not self._running_path.exists():
            return []
        try:
            return [one for one in json.loads(self._running_path.read_bytes()) if isinstance(one, str)]
        except (OSError, ValueError, TypeError) as error:
            logger.warning("%s cannot be read: %s", self._running_path, error)
            return []

    def _write_running(self) -> None:
        if self._running_path is None:
            return
        try:
            if not self._running:
                self._running_path.unlink(missing_ok=True)
                return
            complete = self._running_path.with_name(f"{self._running_path.name}.new")
            complete.write_text(json.dumps(sorted(self._running)))
            complete.replace(self._running_path)  # A kill leaves the earlier content or this.
        except OSError as error:
            logger.warning("%s cannot be written: %s", self._running_path, error)
