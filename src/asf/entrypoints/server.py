"""Starts the server."""

import logging
from collections.abc import Iterator

from asf.adapters.eventlet_runtime import server as runtime
from asf.adapters.http_api import is_urgent
from asf.domain.limits import STANDING_ROOM
from asf.entrypoints.container import Container
from asf.entrypoints.settings import LOOPBACK_OF_WILDCARD, Settings

ANSWER_SECONDS = 60.0
"""Longest silence of a client over HTTP, unless listeners may be silent for longer."""

SPARE_FILES = 200
"""Open files beside connections: audio, the catalog, what Python needs."""

logger = logging.getLogger(__name__)


def run(settings: Settings) -> None:
    """Serve until a signal ends it. Raises OSError when the address cannot be listened on."""
    container = Container(settings=settings)
    application = container.app()
    listener = runtime.listen(settings.host, settings.port)
    _warn(settings)
    _warn_of_few_files(runtime.raise_file_limit(), settings)
    runtime.serve(
        listener,
        application,
        container.pump(),
        occupancy=container.connections(),
        answer_seconds=max(ANSWER_SECONDS, settings.slow_listener_seconds),
        is_urgent=is_urgent,
        drain=container.shutdown(),
        on_ready=lambda: logger.info("Listening on %s (ASF_HOST=%s)", _url_of(listener), settings.host),
    )


def _url_of(listener: runtime.Listener) -> str:
    """Return an address that can be opened on this machine."""
    host, port = listener.getsockname()[:2]
    host = LOOPBACK_OF_WILDCARD.get(host, host)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _warn(settings: Settings) -> None:
    for warning in _open_doors(settings):
        logger.warning(warning)
    for root in settings.audio_roots:
        if not root.is_dir():
            logger.warning("ASF_AUDIO_ROOTS: %s is not a directory (yet)", root)


def _warn_of_few_files(files: int, settings: Settings) -> None:
    """Say so where the machine lets fewer connections in than the settings do: each is an open file."""
    logger.info("Up to %d files and connections may be open", files)
    needed = settings.max_connections + STANDING_ROOM + SPARE_FILES
    if files < needed:
        logger.warning("ASF_MAX_LISTENERS=%d needs %d open files (ulimit -n)", settings.max_listeners, needed)


def _open_doors(settings: Settings) -> Iterator[str]:
    """Yield a sentence for everything that stands open; in production the settings keep it shut, or say so."""
    if not settings.debug_mode:
        return
    if settings.secret_key_is_random:
        yield "ASF_SECRET_KEY is not set: a random one serves until the next start, and nobody knows it"
    if settings.internal_api_is_open:
        yield (
            "ASF_INTERNAL_TRUSTED_NETWORKS holds all addresses: anyone who reaches this port may use the internal API"
        )
    if not settings.require_tokens:
        yield "ASF_REQUIRE_TOKENS is False: anyone who reaches this port may hear every stream and watch every client"
