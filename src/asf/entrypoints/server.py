"""Starts the server."""

import logging
import resource
from collections.abc import Iterator
from contextlib import closing

from asf.adapters.eventlet_runtime import server as runtime
from asf.adapters.http_api import is_internal
from asf.entrypoints.container import Container
from asf.settings import Settings, url_of

ANSWER_SECONDS = 60.0
"""Longest silence of a client over HTTP, unless listeners may be silent for longer."""

logger = logging.getLogger(__name__)


def run(settings: Settings) -> None:
    """Serve until a signal ends it. Raises OSError when the address cannot be listened on."""
    container = Container(settings=settings)
    with closing(container.catalog_store()):
        _serve(container, settings)


def _serve(container: Container, settings: Settings) -> None:
    application = container.app()
    listener = runtime.listen(settings.host, settings.port)
    url = url_of(*listener.getsockname()[:2])
    _warn(settings)
    _warn_of_few_files(runtime.raise_file_limit(), settings)
    runtime.serve(
        listener,
        application,
        container.pump(),
        occupancy=container.connections(),
        answer_seconds=max(ANSWER_SECONDS, settings.slow_listener_seconds),
        may_hurry=is_internal,
        drain=container.shutdown(),
        background=container.background(),
        on_ready=lambda: logger.info("Listening on %s (ASF_HOST=%s)", url, settings.host),
    )


def _warn(settings: Settings) -> None:
    for warning in _open_doors(settings):
        logger.warning(warning)
    for root in settings.audio_roots:
        if not root.is_dir():
            logger.warning("ASF_AUDIO_ROOTS: %s is not a directory (yet)", root)


def _warn_of_few_files(files: int, settings: Settings) -> None:
    """Say so where the machine lets fewer connections in than the settings do: each is an open file."""
    logger.info("Up to %d files and connections may be open", files)
    if files != resource.RLIM_INFINITY and files < settings.open_files:
        logger.warning("ASF_MAX_LISTENERS=%d needs %d (ulimit -n)", settings.max_listeners, settings.open_files)


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
