"""Starts the server."""

import logging

from asf.adapters.eventlet_runtime import server as runtime
from asf.entrypoints.container import Container
from asf.entrypoints.settings import LOOPBACK_OF_WILDCARD, Settings

ANSWER_SECONDS = 60.0
"""Longest silence of a client over HTTP, unless listeners may be silent for longer."""

logger = logging.getLogger(__name__)


def run(settings: Settings) -> None:
    """Serve until a signal ends it. Raises OSError when the address cannot be listened on."""
    container = Container(settings=settings)
    application = container.app()
    listener = runtime.listen(settings.host, settings.port)
    logger.info("Up to %d files and connections may be open", runtime.raise_file_limit())
    _warn(settings)
    runtime.serve(
        listener,
        application,
        container.pump(),
        max_connections=settings.max_connections,
        answer_seconds=max(ANSWER_SECONDS, settings.slow_listener_seconds),
        on_ready=lambda: logger.info("Listening on %s (ASF_HOST=%s)", _url_of(listener), settings.host),
    )


def _url_of(listener: runtime.Listener) -> str:
    """Return an address that can be opened on this machine."""
    host, port = listener.getsockname()[:2]
    host = LOOPBACK_OF_WILDCARD.get(host, host)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _warn(settings: Settings) -> None:
    logger.warning("Anyone who reaches this port may use the internal API: let only backend services reach it")
    if settings.secret_key_is_random:
        logger.warning("ASF_SECRET_KEY is not set: a random one serves until the next start")
    for root in settings.audio_roots:
        if not root.is_dir():
            logger.warning("ASF_AUDIO_ROOTS: %s is not a directory (yet)", root)
