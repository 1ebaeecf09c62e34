"""What the documents tell to type can be typed: every code block runs, against a real server."""

import io
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from dotenv import dotenv_values
from sybil import Document, Example, Sybil
from sybil.parsers.markdown import CodeBlockParser

from asf.settings import read_settings
from tests.browser.prerequisites import missing
from tests.support.bounds import COMMAND_SECONDS, PATIENCE_SECONDS
from tests.support.fixtures import StartServer
from tests.support.ports import free_ports
from tests.support.processes import eventually
from tests.support.redis_server import RedisServer
from tests.support.secret_values import SECRET_KEY

ROOT = Path(__file__).parents[2]
DOCUMENTS = [
    "README.md",
    "docs/quickstart-listen.md",
    "docs/quickstart-front-end.md",
    "docs/quickstart-backend.md",
    "docs/tutorial.md",
    "docs/backend.md",
    "docs/production.md",
    "docs/migration.md",
]
LISTEN = ROOT / "docs" / "quickstart-listen.md"
OWN_SERVER = "docs/quickstart-operator.md"
"""The document that starts a server itself, on the default port."""
ADDRESS = "http://127.0.0.1:5006"
REDIS = "redis://127.0.0.1:6379/0"
VOICE = "def voice():\n    yield b'audio'\n"
"""What docs/backend.md defines at its beginning, and uses in later examples."""
RUN_ELSEWHERE = {"console", "html", "js", "mermaid"}
"""Languages of blocks that browsers run (tests/browser/test_readme.py), that are pictures, or that change a machine:
with systemd or a container engine (test_service.py, test_container.py), or packages (test_installed_packages.py)."""


class Reader:
    """Types what a document says, in a directory of its own, with a server on a port other than the default one."""

    def __init__(self, port: int, directory: Path, redis_url: str = "") -> None:
        self._port = port
        self._redis_url = redis_url
        self._directory = directory
        self._environment = os.environ | {
            "ASF_URL": f"http://127.0.0.1:{port}",
            "ASF_PORT": str(port),
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        }
        self.read = 0
        self._defines_voice = False

    def read_all(self, path: Path) -> None:
        """Run all code blocks of a document, in order."""
        for example in self.document(path).examples():
            example.evaluate()
        languages = re.findall(r"^```(\w+)$", path.read_text(), re.MULTILINE)
        assert self.read == len([language for language in languages if language not in RUN_ELSEWHERE])

    def document(self, path: Path) -> Document:
        """Return a document whose examples can be evaluated."""
        evaluators = {"python": self._run_python, "sh": self._run_shell, "ini": self._read_settings}
        parsers = [CodeBlockParser(language, evaluator) for language, evaluator in evaluators.items()]
        return Sybil(parsers=parsers).parse(path)

    def _run_python(self, example: Example) -> None:
        program = self._here(example)
        if self._defines_voice and "voice()" in program and "def voice(" not in program:
            program = f"{VOICE}\n{program}"
        self._defines_voice |= "def voice(" in program
        self._run([sys.executable, "-c", program])

    def _run_shell(self, example: Example) -> None:
        if "espeak-ng" in example.parsed and shutil.which("espeak-ng") is None:
            if os.environ.get("CI"):
                missing("espeak-ng", "apt-get install espeak-ng")
            self.read += 1
            return
        self._run(["bash", "-euo", "pipefail", "-c", self._here(example)])

    def _read_settings(self, example: Example) -> None:
        self.read += 1
        values = dotenv_values(stream=io.StringIO(example.parsed))
        read_settings({"ASF_SECRET_KEY": SECRET_KEY} | {name: value or "" for name, value in values.items()})

    def _here(self, example: Example) -> str:
        address = str(example.parsed).replace(ADDRESS, self._environment["ASF_URL"])
        return address.replace("ASF_PORT=5006", f"ASF_PORT={self._port}").replace(REDIS, self._redis_url)

    def _run(self, command: list[str]) -> None:
        self.read += 1
        done = subprocess.run(
            command,
            cwd=self._directory,
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=COMMAND_SECONDS,
        )
        assert done.returncode == 0, f"{command[-1]}\n{done.stdout}{done.stderr}"


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_code_block_runs(
    name: str, start_server: StartServer, tmp_path: Path, mortal_redis: RedisServer
) -> None:
    """In order, as a reader would. Where a document has a Redis, the server has it as well."""
    for folder in ("shared_audio", "demo"):
        (tmp_path / folder).mkdir()
    (tmp_path / "shared_audio" / "episode-1.mp3").write_bytes(b"audio")
    shutil.copy(ROOT / "demo" / "welcome.mp3", tmp_path / "demo")
    settings = {"ASF_AUDIO_ROOTS": "shared_audio"}
    url = f"{mortal_redis.plain_url}?socket_timeout={PATIENCE_SECONDS}"  # without a sign that a shell would read
    if REDIS in (ROOT / name).read_text():
        settings["ASF_REDIS_URL"] = url
    Reader(start_server(settings).port, tmp_path, url).read_all(ROOT / name)


def test_an_operator_starts_and_stops_a_server(tmp_path: Path) -> None:
    """As in production. It writes no traceback, and has ended when it was told to."""
    reader = Reader(free_ports(1)[0], tmp_path)
    pid_file = tmp_path / "asf.pid"
    try:
        reader.read_all(ROOT / OWN_SERVER)
        eventually(lambda: not alive(int(pid_file.read_text())))
    finally:
        if pid_file.exists() and alive(int(pid_file.read_text())):
            os.kill(int(pid_file.read_text()), signal.SIGKILL)
    assert "Traceback (" not in (tmp_path / "asf.log").read_text()


def alive(pid: int) -> bool:
    """Return whether a process runs. One that has ended may wait for its parent, but has no command line."""
    try:
        return bool(Path(f"/proc/{pid}/cmdline").read_bytes())
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.mark.long
def test_the_demo_is_heard_and_watched(start_server: StartServer, tmp_path: Path) -> None:
    """As somebody types it: each line in a terminal of its own, when the one before has printed what comes next."""
    for folder in ("shared_audio", "demo"):
        (tmp_path / folder).mkdir()
    shutil.copy(ROOT / "demo" / "welcome.mp3", tmp_path / "demo")
    server = start_server({"ASF_AUDIO_ROOTS": "shared_audio"})
    block = re.search(r"## In terminals\n.*?\n\n((?: {4}[^\n]*\n)+)", LISTEN.read_text(), re.DOTALL)
    assert block is not None
    generate, listen, watch, compare = block[1].splitlines()
    environment = os.environ | {"ASF_URL": server.url, "PYTHONUNBUFFERED": "1"}
    environment["PATH"] = f"{Path(sys.executable).parent}:{environment['PATH']}"

    def terminal(line: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            ["bash", "-c", f"exec {line}"],
            cwd=tmp_path,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    with terminal(generate) as generating:
        assert generating.stdout is not None
        assert "Generating stream" in generating.stdout.readline()
        with terminal(listen) as listening, terminal(watch) as watching:
            assert watching.stdout is not None
            try:
                assert any("task_completed" in line for line in watching.stdout)
                heard, _ = listening.communicate(timeout=COMMAND_SECONDS)
                assert listening.returncode == 0, heard
                shown, _ = generating.communicate(timeout=COMMAND_SECONDS)
            finally:
                for process in (listening, watching, generating):
                    process.kill()
    assert re.search(r"Speaking: +\d+ %\|", shown), shown
    with terminal(compare) as comparing:
        assert comparing.wait(COMMAND_SECONDS) == 0
