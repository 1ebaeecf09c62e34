"""The server that is disturbed, and the listeners beside it."""

import json
import os
import random
import re
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import requests

from benchmarks.processes import LOAD_CORE, SERVER_CORE, TOOLS, free_port, on_core, wait_until_it_listens

BYSTANDERS_TOOL = "bystanders"
BYSTANDERS = 500
JOINS_PER_SECOND = 150
STREAM_ID = "live"
IMPORTANT, LESS_IMPORTANT = -20, -10
"""Priorities of the server and the bystanders, and of the other clients, where they may be set: other processes of
the machine, and what a crowd of clients costs, are no part of the server."""

MINUTES = 20
CONTENT_BYTES = MINUTES * 60 * 16_000
"""The audio that the bystanders listen to while it is written, at 128 kbit/s."""

MOST_BEHIND_BYTES = 8_000
"""What a listener at the live edge may lack: half a second."""

SETTLE_SECONDS = 5.0
"""Time after which no listener that has caught up is held back by the pace any more."""

TIMEOUT_SECONDS = 120.0


class Subject:
    """A running server with one audio root, `directory`/audio. `url` is its address."""

    def __init__(self, process: "subprocess.Popen[bytes]", port: int, directory: Path) -> None:
        self.process = process
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self.audio_root = directory / "audio"
        self._turns = directory / "turns"

    def notify(self, stream_id: str, filepath: object, **more: object) -> requests.Response:
        """Announce a stream, and return the response."""
        body = {"stream_id": stream_id, "filepath": str(filepath), **more}
        return requests.post(f"{self.url}/asf/internal/notify_new_audio", json=body, timeout=TIMEOUT_SECONDS)

    def publish(self, updates: Sequence[Mapping[str, object]]) -> requests.Response:
        """Send UI updates in one request, and return the response."""
        return requests.post(
            f"{self.url}/asf/internal/send_ui_updates", json={"updates": updates}, timeout=TIMEOUT_SECONDS
        )

    def wait_for_answer(self) -> None:
        """Wait until the server answers: a turn of its event loop that lasts on is over."""
        requests.get(f"{self.url}/asf/health", timeout=TIMEOUT_SECONDS).raise_for_status()

    def slow_turns(self) -> list[dict[str, Any]]:
        """Return the slow turns of the event loop so far: `seconds`, `cpu`, `waited`, and the `calls`.

        What the loop's thread has waited for a core does not count in `seconds`.
        """
        turns = [json.loads(line) for line in self._turns.read_text().splitlines()]
        return [turn | {"seconds": turn["seconds"] - turn["waited"]} for turn in turns]


@contextmanager
def running(directory: Path, environment: Mapping[str, str], wrapper: Sequence[str] = ()) -> Iterator[Subject]:
    """Run a server with these settings. `wrapper` is a command that runs the command behind it in its own place."""
    port = free_port()
    audio_root = directory / "audio"
    audio_root.mkdir(exist_ok=True)
    (directory / "turns").touch()
    settings = {
        "ASF_HOST": "127.0.0.1",
        "ASF_PORT": str(port),
        "ASF_AUDIO_ROOTS": str(audio_root),
        "ASF_DATABASE": ":memory:",
        "ASF_DRAIN_SECONDS": "4",
        "ASF_STREAM_SLEEP_INTERVAL": "0.16",  # 205 kbit/s: faster than it is generated
        "BENCHMARK_TURNS": str(directory / "turns"),
        **environment,
    }
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("ASF_")}
    with (directory / "server.log").open("wb") as log:
        process = subprocess.Popen(
            [*wrapper, sys.executable, "-W", "ignore", "-m", "benchmarks.stalls.watched_server"],
            env=inherited | settings,
            stdout=log,
            stderr=log,
            preexec_fn=partial(prioritize, SERVER_CORE, IMPORTANT),
        )
    try:
        wait_until_it_listens(process, port)
        yield Subject(process, port, directory)
    except BaseException:
        print("".join((directory / "server.log").read_text().splitlines(keepends=True)[-20:]), file=sys.stderr)
        raise
    finally:
        process.terminate()
        try:
            process.wait(TIMEOUT_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


class Tool:
    """A load tool that runs until its input is closed, or its work is done."""

    def __init__(self, name: str, *arguments: object) -> None:
        self._process = subprocess.Popen(
            [str(TOOLS / name), *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            preexec_fn=partial(prioritize, LOAD_CORE, IMPORTANT if name == BYSTANDERS_TOOL else LESS_IMPORTANT),
        )

    def wait_for_ramp(self) -> None:
        """Wait until all its connections are up."""
        assert self._read() == {"ramped": True}

    def ask(self, command: str = "") -> dict[str, Any]:
        """Send a line, and return the answer."""
        assert self._process.stdin is not None
        self._process.stdin.write(command + "\n")
        self._process.stdin.flush()
        return self._read()

    def result(self) -> dict[str, Any]:
        """Wait until its work is done, and return the last line of its output."""
        return self._read()

    def end(self) -> None:
        """End it now."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.communicate()

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer


def content_in(directory: Path) -> Path:
    """Return a file with the audio that the bystanders expect."""
    path = directory / "content"
    if not path.exists():
        path.write_bytes(random.Random(1).randbytes(CONTENT_BYTES))
    return path


@contextmanager
def bystanders(subject: Subject, directory: Path) -> Iterator[Tool]:
    """Let listeners receive a stream that is being generated while the context lasts."""
    growing = subject.audio_root / f"{STREAM_ID}.mp3"
    growing.write_bytes(b"")
    subject.notify(STREAM_ID, growing, state="generating").raise_for_status()
    tool = Tool("bystanders", subject.port, BYSTANDERS, JOINS_PER_SECOND, STREAM_ID, content_in(directory), growing)
    try:
        tool.wait_for_ramp()
        while tool.ask()["behind"] > MOST_BEHIND_BYTES:
            time.sleep(0.5)
        time.sleep(SETTLE_SECONDS)
        yield tool
    finally:
        tool.end()


def culprits(turns: Iterable[Mapping[str, Any]]) -> str:
    """Return which of the server's own functions the slow turns were in, the longest turn first."""
    names: dict[str, None] = {}
    for turn in sorted(turns, key=lambda one: -one["seconds"]):
        for name, place in re.findall(r"([\w.<>]+) \(([^)]*)\)", turn["calls"]):
            if place.startswith(("eventlet_runtime/loop_watchdog", "hubs/")):
                continue
            names[f"{name.replace('.<locals>', '')}"] = None
            break
    return ", ".join(list(names)[:2])


def prioritize(core: int, niceness: int) -> None:
    """Bind the calling process to a core, and set its priority where that is permitted."""
    on_core(core)()
    with suppress(OSError):
        # Priorities count within a session only, and then there are those of sessions (sched(7), autogroup).
        if os.getsid(0) != os.getpid():
            os.setsid()
        os.nice(niceness)
        Path("/proc/self/autogroup").write_text(str(niceness))
