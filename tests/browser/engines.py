"""Three browser engines, driven alike: Chromium and Firefox by Puppeteer, WebKitGTK by WebDriver (engines.mjs).

Firefox and WebKit need a sound device: each run has a PulseAudio of its own, whose sound goes nowhere.
"""

import fcntl
import json
import os
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from queue import Empty, Queue
from typing import Any

from tests.browser.ears import listening
from tests.browser.prerequisites import missing
from tests.support.bounds import PATIENCE_SECONDS, START_SECONDS, STOP_SECONDS
from tests.support.ports import free_ports
from tests.support.processes import eventually

DRIVER = Path(__file__).parent / "engines.mjs"

ENGINES = ["chromium", "firefox", "webkit"]

PROGRAMS = {
    "chromium": ["chromium"],
    "firefox": ["firefox-esr"],
    "webkit": ["WebKitWebDriver", "Xvfb", "pulseaudio", "parec"],
}
"""Programs that an engine needs, besides PulseAudio and node."""

PACKAGES = {
    "chromium": "chromium",
    "firefox": "firefox-esr pulseaudio",
    "webkit": "webkit2gtk-driver xvfb pulseaudio pulseaudio-utils",
}

MINI_BROWSERS = ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/libexec"]
"""Where WebKitGTK's browser for tests may be."""


class PageError(AssertionError):
    """A command of a page failed: it raised, or an element was not found."""


class Engine:
    """One running browser, with one page at a time. `ears`: URL of what hears its sound device; None for nothing."""

    def __init__(self, name: str, process: "subprocess.Popen[str]", ears: str | None = None) -> None:
        self.name = name
        self.ears = ears
        self._process = process
        self._answers: Queue[dict[str, Any] | None] = Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self._answer(START_SECONDS)

    def open(self, url: str) -> None:
        """Leave the page, and open another one."""
        self._run("open", url=url)

    def click(self, selector: str) -> None:
        """Click an element, as a user does."""
        self._run("click", selector=selector)

    def press(self, selector: str, key: str) -> None:
        """Press a key in an element."""
        self._run("press", selector=selector, key=key)

    def resize(self, width: int, height: int) -> None:
        """Give the page that size, in pixels."""
        self._run("resize", width=width, height=height)

    def evaluate(self, expression: str) -> Any:
        """Return the value of an expression (or of its promise) in the page, as JSON."""
        return self._run("evaluate", expression=expression)

    def wait_for(self, expression: str, seconds: float = PATIENCE_SECONDS, watched: str = "null") -> Any:
        """Wait until an expression is true; return its value. When it fails, `watched` is told."""
        end = time.monotonic() + seconds
        while not (value := self.evaluate(expression)):
            if time.monotonic() > end:
                raise PageError(f"{self.name}: {expression} has not become true; {self.evaluate(watched)}")
            time.sleep(0.05)
        return value

    def wait_for_page(self, expression: str) -> None:
        """Wait until an expression is true in the page to which this one is leading."""
        end = time.monotonic() + PATIENCE_SECONDS
        while True:
            with suppress(PageError):  # The page that is left has no answer.
                if self.evaluate(expression):
                    return
            if time.monotonic() > end:
                raise PageError(f"{self.name}: no page has come where {expression}")
            time.sleep(0.05)

    def close(self) -> None:
        """End the browser."""
        with suppress(PageError):
            self._run("close")
        self._process.wait(STOP_SECONDS)

    def _run(self, command: str, **parameters: object) -> Any:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"command": command, **parameters}) + "\n")
        self._process.stdin.flush()
        return self._answer(PATIENCE_SECONDS).get("value")

    def _answer(self, seconds: float) -> dict[str, Any]:
        try:
            answer = self._answers.get(timeout=seconds)
        except Empty:
            raise PageError(f"{self.name} does not answer") from None
        if answer is None:
            raise PageError(f"{self.name} has ended")
        if "error" in answer:
            raise PageError(f"{self.name}: {answer['error']}")
        return answer

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._answers.put(json.loads(line))
        self._answers.put(None)


@contextmanager
def only_one(name: str) -> Iterator[None]:
    """Wait until no other process of this machine's tests uses such an engine: two would only slow each other."""
    with Path(tempfile.gettempdir(), f"asf-{name}-{os.getuid()}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def running(name: str) -> Iterator[Engine]:
    """Start an engine. Skips with one line if it is missing."""
    for program in ["node", *PROGRAMS[name]]:
        if shutil.which(program) is None:
            missing(program, f"apt-get install {PACKAGES[name]}")
    with tempfile.TemporaryDirectory(prefix="asf-engine-") as home, _sound(Path(home)) as sound:
        # Firefox and WebKit keep files in the home directory.
        environment = {**os.environ, "HOME": home, **sound}
        if name == "webkit":
            with (
                _display() as screen,
                _web_driver({**environment, "DISPLAY": screen}) as url,
                listening(environment) as ears,
            ):
                yield from _driven(name, [_mini_browser(), url], environment, ears)
        else:
            yield from _driven(name, [str(shutil.which(PROGRAMS[name][0]))], environment)


def _driven(
    name: str, arguments: list[str], environment: dict[str, str], ears: str | None = None
) -> Iterator[Engine]:
    process = subprocess.Popen(
        ["node", str(DRIVER), name, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment,
        text=True,
    )
    with process:
        engine = Engine(name, process, ears)
        try:
            yield engine
        finally:
            engine.close()


@contextmanager
def _sound(folder: Path) -> Iterator[dict[str, str]]:
    """Run a PulseAudio without devices; yield the variables by which programs find it. Chromium works without."""
    program = shutil.which("pulseaudio")
    if program is None:
        yield {}
        return
    socket = folder / "sound"
    command = [program, "-n", "--daemonize=no", "--use-pid-file=no", "--exit-idle-time=-1", "--disable-shm=yes"]
    command += ["-L", "module-null-sink sink_name=null"]
    command += ["-L", f"module-native-protocol-unix socket={socket} auth-anonymous=1"]
    with _program(command, {**os.environ, "HOME": str(folder), "XDG_RUNTIME_DIR": str(folder)}):
        eventually(socket.exists)
        yield {"PULSE_SERVER": f"unix:{socket}"}


@contextmanager
def _display() -> Iterator[str]:
    """Run a virtual screen; yield its name."""
    reading, writing = os.pipe()
    command = ["Xvfb", "-displayfd", str(writing), "-screen", "0", "1280x1024x24", "-nolisten", "tcp"]
    with _program(command, dict(os.environ), keep=writing), os.fdopen(reading) as numbers:
        os.close(writing)
        yield f":{numbers.readline().strip()}"


@contextmanager
def _web_driver(environment: dict[str, str]) -> Iterator[str]:
    [port] = free_ports(1)
    with _program(["WebKitWebDriver", f"--port={port}"], environment):
        yield f"http://127.0.0.1:{port}"


@contextmanager
def _program(command: list[str], environment: dict[str, str], keep: int | None = None) -> Iterator[None]:
    kept = () if keep is None else (keep,)
    with subprocess.Popen(
        command, env=environment, pass_fds=kept, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            yield
        finally:
            process.terminate()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()


def _mini_browser() -> str:
    found = [path for folder in MINI_BROWSERS for path in Path(folder).glob("webkit2gtk-4*/MiniBrowser")]
    if not found:
        missing("WebKitGTK's MiniBrowser", f"apt-get install {PACKAGES['webkit']}")
    return str(max(found))
