"""Programs of ASF in processes of their own, without the second and a half in which they import their libraries.

A template is a process that has imported everything and does nothing. Each program is forked from it, and is from
there on like one that was started by itself: its own environment, directory, standard streams, signals and exit code.
"""

import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryFile

from tests.support.bounds import COMMAND_SECONDS

ROOT = Path(__file__).parents[2]

RUN_VARIABLE = "TESTS_RUN"
"""Names the run of the tests in the environment of everything that it starts."""


class ForkedProcess:
    """A process that a template has forked: what the tests need of `subprocess.Popen`.

    `returncode` is None until `poll` or `wait` has seen that it has ended.
    """

    def __init__(self, template: "Template", pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._template = template
        self._lock = threading.Lock()
        self._descriptor = os.pidfd_open(pid)  # It is there until it is reaped, and so is its id.

    def poll(self) -> int | None:
        """Return the exit code, or None while it runs."""
        with suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Return the exit code (of what a signal has ended: minus its number), when it has ended.

        Raises `subprocess.TimeoutExpired` when that takes longer than `timeout` seconds.
        """
        with self._lock:
            if self.returncode is None:
                ended = select.poll()
                ended.register(self._descriptor, select.POLLIN)
                if not ended.poll(None if timeout is None else timeout * 1000):
                    raise subprocess.TimeoutExpired("asf", timeout or 0.0)
                self.returncode = self._template.reap(self.pid)
                os.close(self._descriptor)
            return self.returncode

    def send_signal(self, number: int) -> None:
        """Send it a signal, unless it has ended."""
        if self.poll() is None:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._descriptor, number)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it."""
        self.send_signal(signal.SIGKILL)


class Template:
    """A process that forks programs of one kind: `server`, or `command` for everything else on the command line."""

    def __init__(self, kind: str) -> None:
        self._connection, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        command = [sys.executable, "-m", "tests.support.template_program", kind, str(theirs.fileno())]
        # Pipes, as what it forks has: the files of `sys` remember whether one can seek in them.
        self._process = subprocess.Popen(
            command,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            pass_fds=[theirs.fileno()],
        )
        theirs.close()
        self._lock = threading.Lock()

    def start(
        self, arguments: Sequence[str], directory: Path, environment: Mapping[str, str], output: int, errors: int
    ) -> ForkedProcess:
        """Start a program with these arguments. It has no input; `output` and `errors` are descriptors."""
        request = {"arguments": list(arguments), "directory": str(directory), "environment": dict(environment)}
        return ForkedProcess(self, self._ask(request, [output, errors])["pid"])

    def reap(self, pid: int) -> int:
        """Return the exit code of a program that has ended."""
        return self._ask({"reap": pid})["status"]

    def close(self) -> None:
        """End it, and what it has forked that still runs."""
        self._connection.close()
        self._process.communicate()

    def _ask(self, request: Mapping[str, object], descriptors: Sequence[int] = ()) -> dict[str, int]:
        with self._lock:
            socket.send_fds(self._connection, [json.dumps(request).encode()], descriptors)
            answer = self._connection.recv(1024)
        if not answer:
            _, said = self._process.communicate()
            raise RuntimeError("The template has ended:\n" + said.decode())
        told: dict[str, int] = json.loads(answer)
        return told


_templates: dict[str, Template] = {}


def template(kind: str) -> Template:
    """Return the one template of this process for programs of that kind. It is started at first use."""
    if kind not in _templates:
        _templates[kind] = Template(kind)
    return _templates[kind]


def close_templates() -> None:
    """End the templates of this process."""
    while _templates:
        _templates.popitem()[1].close()


def run_command(
    arguments: Sequence[str], directory: Path, environment: Mapping[str, str]
) -> subprocess.CompletedProcess[bytes]:
    """Run `asf` with these arguments to its end. Kills it, and fails, where that takes too long."""
    with TemporaryFile() as output, TemporaryFile() as errors:
        process = template("command").start(arguments, directory, environment, output.fileno(), errors.fileno())
        try:
            code = process.wait(COMMAND_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise
        output.seek(0)
        errors.seek(0)
        return subprocess.CompletedProcess(["asf", *arguments], code, output.read(), errors.read())
