"""Servers under measurement, each on a core of its own, and the load tools on another one."""

import grp
import json
import os
import pwd
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
TOOLS = HERE / "load" / "build"
SERVER_CORE, LOAD_CORE = 0, 1
START_SECONDS = 20.0
START_TRIES = 3
STREAM_ID = "benchmark"


class Server:
    """A server process. `cpu` and `memory` are its own, as the kernel counts them."""

    def __init__(self, process: "subprocess.Popen[bytes]", port: int) -> None:
        self.process = process
        self.port = port

    def cpu(self) -> float:
        """Return the CPU time of all its threads so far, in seconds."""
        return cpu_of(self.process.pid)

    def memory(self) -> int:
        """Return its resident memory, in bytes."""
        match = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{self.process.pid}/status").read_text())
        assert match is not None
        return int(match[1]) * 1024


class Load:
    """A load tool at work. `wait_for_ramp` returns when all its connections are up, `result` when it has ended.

    By then `cpu` is its CPU time, in seconds. It runs on `cores`, by default the one that servers do not use.
    """

    def __init__(self, tool: str, *arguments: object, cores: Collection[int] = (LOAD_CORE,)) -> None:
        command = [str(TOOLS / tool), *map(str, arguments)]
        self.cpu = 0.0
        self._process = subprocess.Popen(
            command, stdout=subprocess.PIPE, text=True, preexec_fn=partial(os.sched_setaffinity, 0, cores)
        )

    def wait_for_ramp(self) -> None:
        """Wait for the line that says so."""
        assert self._process.stdout is not None
        assert json.loads(self._process.stdout.readline()) == {"ramped": True}

    def result(self) -> dict[str, Any]:
        """Return what the tool measured."""
        assert self._process.stdout is not None
        with self._process.stdout as output:
            lines = output.read().splitlines()
        _, status, usage = os.wait4(self._process.pid, 0)
        self._process.returncode = os.waitstatus_to_exitcode(status)
        self.cpu = usage.ru_utime + usage.ru_stime
        result: dict[str, Any] = json.loads(lines[-1])
        return result


def build_load_tools() -> None:
    """Compile them, where they are not up to date. Needs make and a C compiler."""
    subprocess.run(["make", "-s", "-C", str(HERE / "load")], check=True)


@contextmanager
def asf(audio: Path, environment: Mapping[str, str] | None = None) -> Iterator[Server]:
    """Run ASF with `audio` announced as the stream `STREAM_ID`."""
    settings = {
        "ASF_HOST": "127.0.0.1",
        "ASF_AUDIO_ROOTS": str(audio.parent),
        "ASF_DATABASE": ":memory:",
        **(environment or {}),
    }
    command = [sys.executable, "-m", "asf", "serve"]
    with _running(lambda port: (command, settings | {"ASF_PORT": str(port)})) as server:
        import requests  # noqa: PLC0415

        body = {"stream_id": STREAM_ID, "filepath": str(audio)}
        url = f"http://127.0.0.1:{server.port}/asf/internal/notify_new_audio"
        requests.post(url, json=body, timeout=10).raise_for_status()
        yield server


@contextmanager
def ordinary(audio: Path, environment: Mapping[str, str] | None = None) -> Iterator[Server]:
    """Run the ordinary Flask-SocketIO server."""
    script = str(HERE / "peers" / "ordinary.py")
    with _running(
        lambda port: ([sys.executable, "-W", "ignore", script, str(port), str(audio)], environment or {})
    ) as server:
        yield server


@contextmanager
def node(audio: Path, environment: Mapping[str, str] | None = None) -> Iterator[Server]:
    """Run socket.io on Node.js."""
    script = str(HERE / "peers" / "node.mjs")
    with _running(lambda port: (["node", script, str(port), str(audio)], environment or {})) as server:
        yield server


@contextmanager
def icecast(audio: Path, bytes_per_second: float) -> Iterator[Server]:
    """Run Icecast with one live mount, /live, that is fed at that rate."""
    with tempfile.TemporaryDirectory() as directory:
        Path(directory).chmod(0o777)
        user = pwd.getpwuid(os.geteuid()) if os.geteuid() else pwd.getpwnam("nobody")  # It refuses to be root.
        group = grp.getgrgid(user.pw_gid).gr_name
        template = (HERE / "peers" / "icecast.xml").read_text()
        config = Path(directory) / "icecast.xml"

        def command(port: int) -> tuple[list[str], Mapping[str, str]]:
            values = {"@PORT@": str(port), "@DIRECTORY@": directory, "@USER@": user.pw_name, "@GROUP@": group}
            config.write_text(re.sub("@[A-Z]+@", lambda match: values[match[0]], template))
            return ["icecast2", "-c", str(config)], {}

        with _running(command) as server:
            script = str(HERE / "peers" / "icecast_source.py")
            source = subprocess.Popen(
                [sys.executable, script, str(server.port), str(audio), str(bytes_per_second)],
                preexec_fn=on_core(LOAD_CORE),
            )
            time.sleep(3)  # until its burst buffer is full
            try:
                yield server
            finally:
                source.terminate()
                source.wait()


def has_node() -> bool:
    """Whether the Node.js peer can run: install its package with `npm ci` where there is npm."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        return False
    if not (HERE / "peers" / "node_modules" / "socket.io").is_dir():
        command = [
            "npm",
            "ci",
            "--prefix",
            str(HERE / "peers"),
            "--ignore-scripts",
            "--no-audit",
            "--no-fund",
            "--silent",
        ]
        return subprocess.run(command, check=False).returncode == 0
    return True


def has_icecast() -> bool:
    """Whether Icecast is installed."""
    return shutil.which("icecast2") is not None


@contextmanager
def _running(command_on: Callable[[int], tuple[list[str], Mapping[str, str]]]) -> Iterator[Server]:
    process, port = _started(command_on)
    try:
        yield Server(process, port)
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _started(
    command_on: Callable[[int], tuple[list[str], Mapping[str, str]]],
) -> "tuple[subprocess.Popen[bytes], int]":
    """Start a server. Another program may take the port first, so there are `START_TRIES`."""
    for left in reversed(range(START_TRIES)):
        port = free_port()
        command, environment = command_on(port)
        process = subprocess.Popen(
            command,
            env={name: value for name, value in os.environ.items() if not name.startswith("ASF_")}
            | dict(environment),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            preexec_fn=on_core(SERVER_CORE),
        )
        try:
            wait_until_it_listens(process, port)
        except RuntimeError:
            process.kill()
            process.wait()
            if not left:
                raise
        else:
            break
    return process, port


def free_port() -> int:
    """Return a port of the loopback interface that is free now."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


def wait_until_it_listens(process: "subprocess.Popen[bytes]", port: int) -> None:
    """Wait until the process accepts connections on the port. Raises RuntimeError."""
    end = time.monotonic() + START_SECONDS
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            if process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"{process.args!r} does not listen") from None
            time.sleep(0.05)
        else:
            return


def cpu_of(pid: int) -> float:
    """Return the CPU time of all threads of a process so far, in seconds."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9


def on_core(core: int) -> Callable[[], None]:
    """Return a function that binds the calling process to a core."""
    return partial(os.sched_setaffinity, 0, {core})
