"""Starts the server."""

import logging
import resource
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from asf.adapters.audio_files import may_wait
from asf.adapters.eventlet_runtime.listening import raise_file_limit
from asf.adapters.http_api import is_internal
from asf.adapters.serving import Service
from asf.application.diagnosis.network import explain_listening_error
from asf.application.diagnosis.security import examine_exposure, examine_files
from asf.entrypoints.container import Container
from asf.settings import Settings, url_of

logger = logging.getLogger(__name__)


class CannotListen(Exception):
    """The address of ASF_HOST and ASF_PORT is not available: `problem`, and what to do about it."""

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(f"{problem}. {remedy}")


def run(settings: Settings, dotenv_path: Path) -> None:
    """Serve until a signal stops the server. Raises `CannotListen` when the address is not available.

    `dotenv_path` is the file from which some of the settings may be; others should not be able to read it.
    """
    container = Container(settings=settings)
    with closing(container.storage()):
        _serve(container, settings, dotenv_path)


def _serve(container: Container, settings: Settings, dotenv_path: Path) -> None:
    runtime = container.runtime()
    timeouts = container.http_timeouts()
    service = Service(
        container.app(),
        container.pump(),
        container.shutdown(),
        container.connections(),
        replace(timeouts, write=max(timeouts.write, settings.slow_listener_seconds)),
        is_internal,
        container.metrics().loop_stalled,
        container.storage().background,
    )
    try:
        listeners = runtime.listen(settings.host, settings.port)
    except OSError as error:
        raise CannotListen(*explain_listening_error(settings.host, settings.port, error)) from error
    urls = " and ".join(url_of(*one.address) for one in listeners)
    _warn(settings, dotenv_path)
    _warn_of_low_file_limit(raise_file_limit(), settings)
    container.demo_studio().fail_interrupted()
    with closing(container.demo_studio()):
        runtime.serve(
            listeners, service, on_ready=lambda: logger.info("Listening on %s (ASF_HOST=%s)", urls, settings.host)
        )


def _warn(settings: Settings, dotenv_path: Path) -> None:
    for warning in _security_warnings(settings, dotenv_path):
        logger.warning(warning)
    for root in settings.audio_roots:
        if not may_wait(root) and not root.is_dir():  # `/asf/ready` reports the others.
            logger.warning("ASF_AUDIO_ROOTS: %s is not a directory (yet)", root)


def _warn_of_low_file_limit(files: int, settings: Settings) -> None:
    """Log the open-file limit, and warn if it allows fewer connections than the settings: each is an open file."""
    logger.info("Open-file limit: %s", "unlimited" if files == resource.RLIM_INFINITY else files)
    if files != resource.RLIM_INFINITY and files < settings.open_files:
        logger.warning(
            "ASF_MAX_LISTENERS=%d needs an open-file limit of %d (ulimit -n)",
            settings.max_listeners,
            settings.open_files,
        )


def _security_warnings(settings: Settings, dotenv_path: Path) -> Iterator[str]:
    """Yield a warning for each protection that is off, in debug mode and in production."""
    if settings.secret_key_is_random:
        yield "ASF_SECRET_KEY is not set. Using a random key; tokens stop working when the server restarts."
    if settings.debug_mode:
        yield "The console page at / is open to anyone who can reach this port (ASF_DEBUG_MODE is True)."
    for finding in (*examine_exposure(settings), *examine_files(settings, dotenv_path)):
        yield f"{finding.text} {finding.remedy}"
