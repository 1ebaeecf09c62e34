"""Starts the server."""

import logging
import os
import resource
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path

from asf.adapters.audio_files import may_wait
from asf.adapters.eventlet_runtime.listening import EventletListeningSocket, raise_file_limit
from asf.adapters.eventlet_runtime.runtime import EventletRuntime
from asf.adapters.http_api import is_internal
from asf.adapters.serving import Service
from asf.adapters.workers.place import WorkerPlace
from asf.adapters.workers.seat import Seat
from asf.adapters.workers.table import State
from asf.application.diagnosis.network import explain_listening_error
from asf.application.diagnosis.security import examine_exposure, examine_files
from asf.entrypoints.container import Container
from asf.entrypoints.importing import import_streams, warn_of_streams_elsewhere
from asf.settings import Settings, url_of

logger = logging.getLogger(__name__)


class CannotListen(Exception):
    """The address of ASF_HOST and ASF_PORT is not available: `problem`, and what to do about it."""

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(f"{problem}. {remedy}")


def run(settings: Settings, dotenv_path: Path, place: WorkerPlace | None = None) -> None:
    """Serve until a signal stops the server. Raises `CannotListen` when the address is not available.

    `dotenv_path` is the file from which some of the settings may be; others should not be able to read it. `place` is
    that of one of several workers, whose supervisor listens.
    """
    container = Container(settings=settings, place=place)
    with closing(container.storage()), closing(container.upload_storage()):
        _serve(container, settings, dotenv_path, place)


def _serve(container: Container, settings: Settings, dotenv_path: Path, place: WorkerPlace | None) -> None:
    runtime = container.runtime()
    timeouts = container.http_timeouts()
    webhooks = container.webhooks()
    page = container.shared_metrics()
    seat = container.seat()
    service = Service(
        container.app(),
        container.pump(),
        _shutdown_of(container),
        container.connections(),
        replace(timeouts, write=max(timeouts.write, settings.slow_listener_seconds)),
        is_internal,
        container.slow_turns().note,
        (
            *container.storage().background,
            partial(container.upload_keeper().run, runtime.pause),
            *(webhooks.workers if webhooks is not None else ()),
            *((page.run,) if page is not None else ()),
            *((partial(seat.beat, runtime.pause),) if seat is not None else ()),
        ),
    )
    # As operators see it: they find the log of a node by its name.
    logger.info("This node is %s", container.node())
    if place is None:
        warn_of_streams_elsewhere(settings)
    elif place.is_first and settings.redis_is_private:
        import_streams(settings, container.storage(), runtime)
    if place is not None and seat is not None:
        listeners = runtime.join_workers(place, seat)
        if page is not None:
            runtime.on_asked(page.write)
        on_ready = partial(_report_ready, place, seat)
    else:
        listeners = _listen(runtime, settings)
        urls = " and ".join(url_of(*one.address) for one in listeners)
        on_ready = partial(logger.info, "Listening on %s (ASF_HOST=%s)", urls, settings.host)
    files = raise_file_limit()
    if place is None or place.is_first:
        _warn(settings, dotenv_path)
        _warn_of_low_file_limit(files, settings)
    container.demo_studio().fail_interrupted()
    with closing(container.demo_studio()):
        runtime.serve(listeners, service, on_ready)


def _listen(runtime: EventletRuntime, settings: Settings) -> list[EventletListeningSocket]:
    try:
        return runtime.listen(settings.host, settings.port)
    except OSError as error:
        raise CannotListen(*explain_listening_error(settings.host, settings.port, error)) from error


def _report_ready(place: WorkerPlace, seat: Seat) -> None:
    """Tell the supervisor and the other workers that this one is ready."""
    seat.set_state(State.READY)
    os.write(place.status, b"r")
    os.close(place.status)


def _shutdown_of(container: Container) -> Callable[[Callable[[float], object]], None]:
    """Return what shuts the server down: at its end no listener of this server counts any more."""
    shut_down, counts, leave = container.shutdown(), container.listener_counts(), container.storage().leave
    page = container.shared_metrics()

    def shut_down_and_leave(pause: Callable[[float], object]) -> None:
        shut_down(pause)
        counts.close()
        if leave is not None:
            leave()
        if page is not None:
            page.write()

    return shut_down_and_leave


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
