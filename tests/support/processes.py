"""Real server processes, each on a free port of the loopback interface."""

import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import requests

from tests.support.bounds import PATIENCE_SECONDS, START_SECONDS, STOP_SECONDS
from tests.support.template import ROOT, ForkedProcess, template

T = TypeVar("T")

WORKER = "asf.entrypoints.supervisor.worker"
"""In the command line of each of several workers."""

ABOUT_THE_MACHINE = re.compile(
    r"The event loop (?:was|is) blocked|This process did not run for|garbage collected objects=|Subscribed to Redis: "
)
"""In lines that a server logs at any time, where the machine is busy or a worker starts, whatever its clients do."""

DEFAULTS: dict[str, str] = {}
"""Settings of all servers but observed ones, unless they have others: see `--workers` in tests/conftest.py."""


def end_process(process: "subprocess.Popen[bytes]") -> None:
    """Ask a process to end, and wait until it has. One that does not end is killed, and the test fails."""
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        raise


class ServerProcess:
    """`asf serve` in a process of its own, started in `directory`, with an audio root in it.

    With `observed`, the same with a few routes and variables more; see `tests.support.observed_server`. `wrapper` is
    a command that runs the command behind it in its own place, such as `unshare`. `python` is the interpreter of
    another installation of ASF, which is run instead of this one.
    """

    def __init__(
        self,
        directory: Path,
        environment: Mapping[str, str] | None = None,
        *,
        observed: bool = False,
        wrapper: Sequence[str] = (),
        python: str | None = None,
    ) -> None:
        self.audio_root = directory / "audio"
        self.audio_root.mkdir(parents=True, exist_ok=True)
        settings = {
            "ASF_HOST": "127.0.0.1",
            "ASF_PORT": "0",
            "ASF_AUDIO_ROOTS": str(self.audio_root),
            "ASF_DRAIN_SECONDS": "0",
            **({} if observed else DEFAULTS),
            **(environment or {}),
        }
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("ASF_")}
        arguments = ["observed"] if observed else ["serve"]
        complete = inherited | settings | ({"PYTHONPATH": str(ROOT)} if python is None else {})
        self.process: ForkedProcess | subprocess.Popen[bytes]
        reading, writing = os.pipe()
        try:
            if wrapper or python:
                module = "tests.support.observed_server" if observed else "asf"
                self.process = subprocess.Popen(
                    [*wrapper, python or sys.executable, "-m", module, "serve"],
                    cwd=directory,
                    env=complete,
                    stdin=subprocess.DEVNULL,
                    stdout=writing,
                    stderr=writing,
                )
            else:
                self.process = template("server").start(arguments, directory, complete, writing, writing)
        finally:
            os.close(writing)
        self.log: list[str] = []
        self._reader = threading.Thread(target=self._read_log, args=[reading], daemon=True)
        self._reader.start()
        self.url = self._wait_for_url()

    @property
    def pid(self) -> int:
        """Id of the process."""
        return self.process.pid

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return int(self.url.rsplit(":", 1)[1])

    def stream_url(self, stream_id: str) -> str:
        """Return the stream's own URL."""
        return f"{self.url}/api/v1/podcasts/stream/{stream_id}"

    def announce(self, stream_id: str, audio: bytes, name: str | None = None) -> Path:
        """Write `audio` below the audio root and announce it. Returns the file."""
        path = self.audio_root / (name or f"{stream_id}.mp3")
        path.write_bytes(audio)
        self.notify(stream_id, str(path)).raise_for_status()
        return path

    def notify(self, stream_id: str, filepath: str, **more: object) -> requests.Response:
        """Announce a path, with more fields of the announcement."""
        body = {"stream_id": stream_id, "filepath": filepath, **more}
        return requests.post(f"{self.url}/asf/internal/notify_new_audio", json=body, timeout=PATIENCE_SECONDS)

    def send_ui_update(self, client_id: str, event_name: str, data: object) -> requests.Response:
        """Send a UI update."""
        body = {"client_id": client_id, "event_name": event_name, "data": data}
        return requests.post(f"{self.url}/asf/internal/send_ui_update", json=body, timeout=PATIENCE_SECONDS)

    def metrics(self) -> str:
        """Return what Prometheus would scrape."""
        return requests.get(f"{self.url}/metrics", timeout=PATIENCE_SECONDS).text

    def metric(self, name: str) -> float:
        """Return the value of one series, given with its labels as Prometheus would scrape it; 0 if there is none."""
        return sum(
            float(line.rpartition(" ")[2]) for line in self.metrics().splitlines() if line.startswith(f"{name} ")
        )

    def pids(self) -> list[int]:
        """Return the ids of the process and of its workers."""
        return [self.pid, *(child for child, command in children_of(self.pid).items() if WORKER in command)]

    def open_files(self) -> list[str]:
        """Return the files that the process and its workers have open below the audio root."""
        return [name for name in self.all_open_files() if name.startswith(str(self.audio_root))]

    def all_open_files(self) -> list[str]:
        """Return what the process and its workers have open, as their descriptors name it."""
        return sorted(name for pid in self.pids() for name in _open_files(pid))

    def memory(self) -> int:
        """Return the resident memory of the process and of its workers, in bytes."""
        sizes = [re.search(r"VmRSS:\s+(\d+) kB", _text_of(pid, "status")) for pid in self.pids()]
        assert sizes[0] is not None
        return sum(int(size[1]) * 1024 for size in sizes if size is not None)

    def sockets(self) -> int:
        """Return how many sockets the process and its workers have open, without those on this machine only."""
        names = [name for name in self.all_open_files() if name.startswith("socket:")]
        local = {f"socket:[{line.split()[6]}]" for line in Path("/proc/net/unix").read_text().splitlines()[1:]}
        return sum(name not in local for name in names)

    def greenlets(self) -> int:
        """Return how many greenlets are alive in the process, which must be an observed one."""
        return int(requests.get(f"{self.url}/tests/greenlets", timeout=PATIENCE_SECONDS).text)

    def pings(self) -> int:
        """Return how many pings of Engine.IO an observed server has sent."""
        return int(requests.get(f"{self.url}/tests/pings", timeout=PATIENCE_SECONDS).text)

    def descriptors(self) -> int:
        """Return how many file descriptors the process and its workers have open."""
        return len(self.all_open_files())

    def logged(self, start: int = 0) -> list[str]:
        """Return the lines of the log from that one on, without those that a busy machine is the reason of."""
        return [line for line in self.log[start:] if not ABOUT_THE_MACHINE.search(line)]

    def break_parts(self, **rates: float) -> None:
        """Let parts of an observed server fail from now on, each so often (0 to 1), and all others never."""
        answer = requests.post(f"{self.url}/tests/faults", json=rates, timeout=PATIENCE_SECONDS)
        assert answer.status_code == 200, answer.text

    def failures(self) -> dict[str, int]:
        """Return how often each part of an observed server has failed, as it was told to."""
        counts: dict[str, int] = requests.get(f"{self.url}/tests/faults", timeout=PATIENCE_SECONDS).json()
        return counts

    def set_clock(self, seconds: float) -> None:
        """Let the wall clock of an observed server be so many seconds ahead of the machine's from now on."""
        answer = requests.post(f"{self.url}/tests/clock", json=seconds, timeout=PATIENCE_SECONDS)
        assert answer.status_code == 200, answer.text

    def kill(self) -> None:
        """End the process without a word (SIGKILL)."""
        self.process.kill()
        self.process.wait(STOP_SECONDS)
        self._reader.join()

    def stop(self) -> int:
        """Ask the process to end, and return its exit code."""
        if self.process.poll() is None:
            self.process.terminate()
        return self.wait()

    def wait(self) -> int:
        """Wait until the process ends by itself, and return its exit code."""
        try:
            code = self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        self._reader.join()
        return code

    def _read_log(self, reading: int) -> None:
        with open(reading, encoding="utf-8") as stream:
            for line in stream:
                self.log.append(line)

    def _wait_for_url(self) -> str:
        def url() -> str | None:
            for line in self.log:
                if match := re.search(r"Listening on (http://\S+)", line):
                    return match[1]
            if self.process.poll() is not None:
                self._reader.join()  # So that all is there that it has said.
                raise RuntimeError("The server did not start:\n" + "".join(self.log))
            return None

        return eventually(url, START_SECONDS)


def children_of(pid: int) -> dict[int, str]:
    """Return the children of a process: their ids, and their command lines."""
    children = map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
    return {child: _text_of(child, "cmdline").replace("\0", " ") for child in children}


def _text_of(pid: int, name: str) -> str:
    """Return a file of a process in /proc; nothing if it has ended."""
    with suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/{name}").read_text()
    return ""


def _open_files(pid: int) -> Iterator[str]:
    """Yield what a process has open; nothing if it has ended."""
    with suppress(FileNotFoundError):
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(FileNotFoundError):
                yield str(descriptor.readlink())


def eventually(condition: Callable[[], T | None], seconds: float = PATIENCE_SECONDS) -> T:
    """Return what `condition` returns, as soon as that is true. Fails after so many seconds."""
    end = time.monotonic() + seconds
    while not (result := condition()):
        if time.monotonic() > end:
            raise AssertionError(f"Still {result!r} after {seconds} seconds")
        time.sleep(0.01)
    return result
