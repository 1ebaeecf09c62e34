"""Prepares what the workers share, and supervises them."""

import logging
import os
import platform
import shutil
import socket
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from asf import __version__, settings
from asf.adapters.address_binding import bind
from asf.adapters.database_lock import DatabaseInUse, DatabaseLock
from asf.adapters.listening_options import LISTEN_BACKLOG, set_options
from asf.adapters.private_redis import FOLDER_SUFFIX, NoRedisServer, PrivateRedis
from asf.adapters.sqlite_catalog import IN_MEMORY
from asf.domain.errors import CatalogUnavailable
from asf.entrypoints import logs
from asf.entrypoints.supervisor.events import Events
from asf.entrypoints.supervisor.supervisor import Supervisor
from asf.entrypoints.supervisor.workers import Workers

RUNNING = "running"
"""Name of the directory, in that one, of what they share only while they run."""

EXIT_FAILED, EXIT_USAGE = 1, 2

logger = logging.getLogger(__name__)


class CannotStart(Exception):
    """The server cannot start: one line that says why, and the exit code."""

    def __init__(self, problem: str, code: int = EXIT_FAILED) -> None:
        super().__init__(problem)
        self.code = code


def main() -> int:
    """Serve until a signal stops the server, and return the exit code."""
    events = Events()  # From now on no signal ends this process.
    environment = settings.environment_with_dotenv(os.environ, Path(".env"))
    try:
        read = settings.read_settings(environment)
        logs.configure(debug=read.debug_mode, level=read.log_level)
        logger.info("ASF %s on Python %s", __version__, platform.python_version())
        for warning in settings.environment_warnings(environment):
            logger.warning(warning)
        with ExitStack() as stack:
            return _supervisor(read, events, stack).run()
    except settings.SettingsError as error:
        sys.stderr.write("".join(f"{problem}\n" for problem in error.problems))
        return EXIT_USAGE
    except CannotStart as error:
        sys.stderr.write(f"Error: {error}\n")
        return error.code


def _supervisor(read: settings.Settings, events: Events, stack: ExitStack) -> Supervisor:
    """Return the supervisor; `stack` releases what it uses. Raises `CannotStart`."""
    listening = _listen(read.host, read.port)
    is_private = not read.redis_url
    kept = Path(read.database + FOLDER_SUFFIX) if is_private and read.database != IN_MEMORY else None
    lock = _lock(read.database) if kept is not None else None
    if lock is not None:
        stack.callback(lock.release)
    # Private (mkdtemp(3)).
    folder = kept / RUNNING if kept is not None else Path(tempfile.mkdtemp(prefix="asf-"))
    stack.callback(shutil.rmtree, folder, ignore_errors=True)
    shutil.rmtree(folder, ignore_errors=True)  # Left by one that was killed.
    folder.mkdir(mode=0o700, parents=True)
    redis = _private_redis(kept or folder / "redis", stack) if is_private else None
    redis_url = read.redis_url if redis is None else redis.url
    upload_directory = folder / "uploads" if read.upload_path is None else None
    workers = Workers(read, listening, folder, redis_url, upload_directory)
    urls = " and ".join(settings.url_of(*one.getsockname()[:2]) for one in listening)
    return Supervisor(
        workers,
        read.workers,
        redis,
        events,
        read.drain_seconds,
        lambda: logger.info("Listening on %s (ASF_HOST=%s) with %d workers", urls, read.host, read.workers),
    )


def _lock(database: str) -> DatabaseLock:
    """Let no other server use the database, and what is beside it. Raises `CannotStart`."""
    try:
        return DatabaseLock(database)
    except DatabaseInUse as error:
        by = f"another server ({error.holder})" if error.holder else "another server"
        problem = f"ASF_DATABASE '{database}' is in use by {by}. Stop that server, or set another ASF_DATABASE."
        raise CannotStart(problem, EXIT_USAGE) from error
    except CatalogUnavailable as error:
        raise CannotStart(f"ASF_DATABASE: {error}") from error


def _private_redis(directory: Path, stack: ExitStack) -> PrivateRedis:
    """Return the Redis of this server, with its data in `directory`. Raises `CannotStart`."""
    try:
        redis = PrivateRedis(directory)
    except NoRedisServer as error:
        raise CannotStart(f"{error}") from error
    except OSError as error:
        raise CannotStart(f"ASF_DATABASE: {error.filename}: {error.strerror}") from error
    stack.callback(redis.remove_socket)
    return redis


def _listen(host: str, port: int) -> list[socket.socket]:
    """Return a listening socket for each address of `host`. Raises `CannotStart`."""
    try:
        binding = bind(host, port, _create_socket)
        for one in binding.sockets:
            one.listen(LISTEN_BACKLOG)
    except OSError as error:
        # It needs libraries that are of no other use here.
        from asf.application.diagnosis.network import explain_listening_error  # noqa: PLC0415

        problem, remedy = explain_listening_error(host, port, error)
        raise CannotStart(f"{problem}. {remedy}") from error
    if binding.missing:
        logger.warning("ASF_HOST=%s: not listening on %s, which this machine lacks", host, ", ".join(binding.missing))
    return binding.sockets


def _create_socket(family: int) -> socket.socket:
    created = socket.socket(family, socket.SOCK_STREAM)
    set_options(created)
    created.settimeout(0)  # The workers accept from it, and one may be faster than another.
    return created
