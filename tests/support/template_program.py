"""The program of a template: it imports what a program of ASF imports, and then forks one for each request.

Its arguments are the kind of program (a name in `PROGRAMS`) and the number of its end of a socket pair of type
SEQPACKET, over which `tests.support.template.Template` asks for programs and for their ends. It ends, and kills what
it has forked, when the other end is closed.
"""

import json
import os
import posix
import signal
import socket
import sys
from collections.abc import Callable
from typing import Any

MOST_BYTES = 1024 * 1024
"""Longest request: arguments and an environment."""


def _server() -> Callable[[list[str]], None]:
    """Import what `asf serve` imports, with more for an observed server, and return the program."""
    from asf.adapters.eventlet_runtime.patching import patch_standard_library  # noqa: PLC0415

    patch_standard_library()
    from eventlet import hubs  # noqa: PLC0415 - after patching, like everything else

    import asf.adapters.object_store  # noqa: PLC0415
    import asf.adapters.redis_store.catalog  # noqa: PLC0415
    import asf.adapters.redis_store.queues.sources  # noqa: PLC0415
    import asf.adapters.redis_store.update_log  # noqa: F401, PLC0415
    from asf.entrypoints import cli, logs, server  # noqa: F401, PLC0415
    from asf.entrypoints.cli import serve  # noqa: F401, PLC0415
    from tests.support import observed_server  # noqa: PLC0415

    def run(arguments: list[str]) -> None:
        hubs.use_hub()  # What the template's own waits for in epoll(7), all that it forks would share.
        if arguments[0] == "observed":
            observed_server.main()
        else:
            cli.main(arguments, prog_name="asf")

    return run


def _command() -> Callable[[list[str]], None]:
    """Import what the commands of a client import, and return the program."""
    import importlib  # noqa: PLC0415

    from asf.entrypoints import cli  # noqa: PLC0415

    for name in cli.COMMANDS:
        if name != "serve":
            importlib.import_module(f"asf.entrypoints.cli.{name}")

    def run(arguments: list[str]) -> None:
        cli.main(arguments, prog_name="asf")

    return run


PROGRAMS = {"server": _server, "command": _command}


class Template:
    """Answers requests over `connection`."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._forked: set[int] = set()

    def serve(self) -> list[str] | None:
        """Answer requests until the other end is closed.

        Returns None then; in each process that is forked, the arguments of what that one is to be.
        """
        while True:
            message, descriptors, _, _ = socket.recv_fds(self._connection, MOST_BYTES, 2)
            if not message:
                break
            request = json.loads(message)
            if "reap" in request:
                self._answer(status=self._reap(request["reap"]))
                continue
            pid = os.fork()
            if pid == 0:
                self._connection.close()
                return self._become(request, descriptors)
            self._forked.add(pid)
            for descriptor in descriptors:
                os.close(descriptor)
            self._answer(pid=pid)
        for pid in self._forked:
            os.kill(pid, signal.SIGKILL)
        return None

    def _answer(self, **answer: int) -> None:
        self._connection.send(json.dumps(answer).encode())

    def _reap(self, pid: int) -> int:
        """Return how a process that has ended has ended, as `subprocess.Popen.returncode` has it."""
        _, status = posix.waitpid(pid, 0)  # Not the one of `os`, which is patched.
        self._forked.discard(pid)
        return os.waitstatus_to_exitcode(status)

    def _become(self, request: dict[str, Any], descriptors: list[int]) -> list[str]:
        for number, descriptor in enumerate(descriptors, 1):
            os.dup2(descriptor, number)
            os.close(descriptor)
        os.chdir(request["directory"])
        os.environ.clear()
        os.environ.update(request["environment"])
        signal.signal(signal.SIGINT, signal.default_int_handler)
        arguments: list[str] = request["arguments"]
        sys.argv = ["asf", *arguments]
        return arguments


def main() -> None:
    """Be a template, or what it has forked."""
    kind, number = sys.argv[1:]
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the tests, which end what they have started.
    template = Template(socket.socket(fileno=int(number)))
    run = PROGRAMS[kind]()
    arguments = template.serve()
    if arguments is not None:
        run(arguments)


if __name__ == "__main__":
    main()
