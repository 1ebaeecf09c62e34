"""deploy/Dockerfile: what it says, and how that runs. Its steps are performed without an engine, in bubblewrap."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest
import requests

from asf import __version__, client
from asf.adapters.jwt_tokens import JwtTokens
from asf.domain.access.grant import Grant
from asf.entrypoints.shutdown import FLUSH_SECONDS
from asf.settings import VARIABLES, read_settings
from tests.browser.prerequisites import missing
from tests.support.bounds import PATIENCE_SECONDS, START_SECONDS, STOP_SECONDS
from tests.support.fixtures import audio_of
from tests.support.images import (
    Container,
    Image,
    RunningContainer,
    Volume,
    build,
    context_of,
    instructions_of,
    sandbox_problem,
)
from tests.support.plain_websocket import PlainListener
from tests.support.processes import eventually
from tests.support.secret_values import API_TOKEN, SECRET_KEY

pytestmark = pytest.mark.long  # One of them builds the image.

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "deploy" / "Dockerfile").read_text()
AUDIO = audio_of(3_000_000)  # seven seconds at the default pace
WRITABLE = {"/var/lib/asf", "/tmp"}  # noqa: S108
"""Where a container may write: its volume for that, and what lies in memory."""

OF_THE_KERNEL = ("/dev", "/proc")
"""Places that every container has and that keep nothing."""

WITHOUT_WRITABLE_CODE = """
import ctypes, os, sys
PR_SET_MDWE, REFUSE_EXEC_GAIN = 65, 1
if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_MDWE, REFUSE_EXEC_GAIN, 0, 0, 0):
    sys.exit(f"MDWE: {os.strerror(ctypes.get_errno())}")
os.execv(sys.argv[1], sys.argv[1:])
"""
"""Runs a program that can make no memory both writable and executable, as MemoryDenyWriteExecute= has it."""

FIND_WRITABLE = """
import os
with open("/proc/self/mountinfo") as mounts:
    fields = [line.split() for line in mounts]
for mount in (field[4] for field in fields if "rw" in field[5].split(",")):
    print("mount", mount)
for folder in ("/", "/etc", "/opt/asf/bin", "/opt/asf/lib", "/usr/bin", "/srv/audio", "/var/lib", "/var/lib/asf"):
    try:
        os.close(os.open(f"{folder}/try", os.O_CREAT | os.O_WRONLY))
        print("file", folder)
    except OSError as error:
        print("refused", folder, error.strerror)
"""


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    """Return what deploy/Dockerfile makes."""
    for program, how in (("bwrap", "apt-get install bubblewrap"), ("npm", "install Node.js with npm")):
        if shutil.which(program) is None:
            missing(program, how)
    if problem := sandbox_problem():
        pytest.skip(f"bubblewrap makes no sandbox here: {problem}")
    return build(DOCKERFILE, ROOT, tmp_path_factory.mktemp("image"))


@dataclass
class Deployed:
    """A container that serves, with its volumes, as docs/production.md starts it."""

    container: Container
    running: RunningContainer
    url: str
    audio: Path

    @property
    def token(self) -> str:
        """A token for every stream."""
        return JwtTokens(SECRET_KEY).mint(Grant("anybody", time.time() + 600, frozenset({"*"}), frozenset()))

    def announce(self, stream_id: str, audio: bytes) -> None:
        """Write audio where the container reads it, and announce it."""
        (self.audio / f"{stream_id}.mp3").write_bytes(audio)
        with client.BackendClient(self.url, token=API_TOKEN) as backend:
            backend.notify_new_audio(stream_id, f"/srv/audio/{stream_id}.mp3")

    def join(self, stream_id: str) -> PlainListener:
        """Return a listener that hears the stream."""
        listener = PlainListener(self.url, stream_id, token=self.token)
        listener.receive_until("start_of_stream")
        return listener


Deploy = Callable[..., Deployed]


@pytest.fixture
def deploy(image: Image, tmp_path: Path) -> Iterator[Deploy]:
    """Return a function that starts a container, with settings more than those that production wants."""
    started: list[RunningContainer] = []

    def start(before: list[str] | None = None, **settings: str) -> Deployed:
        for name in ("audio", "state"):
            (tmp_path / name).mkdir()
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        environment = {
            "ASF_HOST": "127.0.0.1",
            "ASF_PORT": str(port),
            "ASF_SECRET_KEY": SECRET_KEY,
            "ASF_REQUIRE_TOKENS": "True",
            "ASF_INTERNAL_API_TOKEN": API_TOKEN,
            "ASF_INTERNAL_TRUSTED_NETWORKS": "none",
            **settings,
        }
        volumes = {
            "/srv/audio": Volume(tmp_path / "audio"),
            "/var/lib/asf": Volume(tmp_path / "state", writable=True),
        }
        container = Container(image, volumes, environment)
        assert container.run(image.health_check).returncode == 1, "nobody serves yet"
        running = container.start(before or [])
        started.append(running)
        url = f"http://127.0.0.1:{port}"
        eventually(lambda: running.has_ended() or answers(url), START_SECONDS)
        assert not running.has_ended(), running.wait(STOP_SECONDS)
        return Deployed(container, running, url, tmp_path / "audio")

    yield start
    for running in started:
        running.kill()


def answers(url: str) -> bool:
    """Return whether a server is ready."""
    try:
        return requests.get(f"{url}/asf/ready", timeout=PATIENCE_SECONDS).ok
    except requests.ConnectionError:
        return False


def test_it_serves_and_drains_with_nothing_but_its_volumes(image: Image, deploy: Deploy, tmp_path: Path) -> None:
    """As a user without rights, on files that cannot be changed: the bytes are right, and nobody is cut off."""
    deployed = deploy(ASF_DRAIN_SECONDS="0.5")
    status = deployed.running.status()
    assert set(status["Uid"].split()) == ({"10001"} if os.geteuid() == 0 else {str(os.geteuid())})
    rights = {name: int(status[name], 16) for name in ("CapEff", "CapPrm", "CapInh", "CapAmb", "CapBnd")}
    assert set(rights.values()) == {0}
    assert status["NoNewPrivs"] == "1"
    assert status["NSpid"].split()[-1] == "1"

    deployed.announce("s", AUDIO[:200_000])
    received = bytearray()
    client.listen(deployed.url, "s", received.extend, token=deployed.token)
    assert received == AUDIO[:200_000]
    checked = deployed.container.run(image.health_check)
    assert (checked.returncode, checked.stdout) == (0, f"{deployed.url} is ok (ASF {__version__})\n"), checked.stderr

    deployed.announce("long", AUDIO)
    listener = deployed.join("long")
    deployed.running.send_signal(signal.SIGTERM)
    assert listener.receive_until("stream_status")["status"] == "server_draining"
    heard_before = len(listener.audio)
    assert listener.receive_to_the_end() == 1001
    assert listener.audio == AUDIO[: len(listener.audio)]
    assert len(listener.audio) > heard_before
    code, log = deployed.running.wait(STOP_SECONDS)
    assert code == 0, log
    assert "Traceback" not in log
    assert (tmp_path / "state" / "asf.sqlite3").is_file()
    assert deployed.container.run(image.health_check).returncode == 1


def test_several_workers_serve_in_a_container(deploy: Deploy, tmp_path: Path) -> None:
    """With a Redis of their own, in the volume; process 1 supervises them."""
    deployed = deploy(ASF_WORKERS="2", ASF_DRAIN_SECONDS="0.5")
    deployed.announce("s", AUDIO[:200_000])
    received = bytearray()
    client.listen(deployed.url, "s", received.extend, token=deployed.token)
    assert received == AUDIO[:200_000]
    doctor = deployed.container.run(["/opt/asf/bin/asf", "doctor"])
    assert "2, which share a private Redis (/usr/bin/redis-server)" in doctor.stdout, doctor.stdout
    deployed.running.send_signal(signal.SIGTERM)
    code, log = deployed.running.wait(STOP_SECONDS)
    assert code == 0, log
    assert "Traceback" not in log
    assert (tmp_path / "state" / "asf.sqlite3.workers").is_dir()


def test_nothing_else_can_be_written(deploy: Deploy) -> None:
    """Neither by the mounts' rights nor by trying."""
    deployed = deploy()
    found = deployed.container.run(["/opt/asf/bin/python", "-c", FIND_WRITABLE])
    assert found.returncode == 0, found.stderr
    lines = [line.split(maxsplit=2) for line in found.stdout.splitlines()]
    mounts = {line[1] for line in lines if line[0] == "mount"}
    assert {mount for mount in mounts if not mount.startswith(OF_THE_KERNEL)} == WRITABLE
    assert [line[1] for line in lines if line[0] == "file"] == ["/var/lib/asf"]
    refused = {line[1]: line[2] for line in lines if line[0] == "refused"}
    assert len(refused) == 7
    assert set(refused.values()) <= {"Read-only file system", "Permission denied"}


def test_a_second_signal_ends_a_container_at_once(deploy: Deploy) -> None:
    """The kernel gives process 1 no signal that it does not handle."""
    deployed = deploy(ASF_DRAIN_SECONDS="3600")
    deployed.announce("s", AUDIO)
    listener = deployed.join("s")
    deployed.running.send_signal(signal.SIGTERM)
    listener.receive_until("stream_status")
    deployed.running.send_signal(signal.SIGTERM)
    code, _ = deployed.running.wait(STOP_SECONDS)
    assert code == 128 + signal.SIGTERM
    listener.close()


def test_it_needs_no_memory_that_is_writable_and_executable(deploy: Deploy) -> None:
    """What deploy/asf.service refuses (MemoryDenyWriteExecute=)."""
    release = tuple(int(part) for part in os.uname().release.split(".")[:2])
    if release < (6, 3):
        pytest.skip("the kernel cannot refuse it: Linux 6.3 can")
    deployed = deploy(["/opt/asf/bin/python", "-c", WITHOUT_WRITABLE_CODE])
    deployed.announce("s", AUDIO[:50_000])
    received = bytearray()
    client.listen(deployed.url, "s", received.extend, token=deployed.token)
    assert received == AUDIO[:50_000]


def test_how_a_container_runs(image: Image) -> None:
    """A user by number, no shell that would keep signals, a health check, volumes; every variable is a setting."""
    user, group = image.user.split(":")
    assert int(user) > 0
    assert int(group) > 0
    assert image.command == ["/opt/asf/bin/asf", "serve", "--trial"]
    assert image.health_check == ["/opt/asf/bin/asf", "health"]
    assert image.said["STOPSIGNAL"] == "SIGTERM"
    assert 'org.opencontainers.image.licenses="Apache-2.0"' in image.said["LABEL"]
    assert image.said["VOLUME"] == '["/srv/audio", "/var/lib/asf"]'
    assert {name for name in image.environment if name != "PATH"} <= VARIABLES
    assert not (image.root / "opt/asf/bin/pip").exists()


def test_an_engine_is_sent_no_more_than_it_needs(tmp_path: Path) -> None:
    """Neither secrets nor audio nor what was made here, wherever they are."""
    shutil.copy(ROOT / ".dockerignore", tmp_path)
    needed = {
        "requirements-image.txt",
        "src/asf/entrypoints/server.py",
        "clients/js/src/client.ts",
        "demo/welcome.mp3",
    }
    kept_here = {".env", "asf.env", "src/.env", "var/asf.sqlite3", "shared_audio/talk.mp3", ".git/config"}
    made_here = {"clients/js/node_modules/m/index.js", "clients/js/dist/index.js", "src/asf/console/static/.built"}
    for name in needed | kept_here | made_here | {"src/asf/__pycache__/server.pyc", "tests/conftest.py"}:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    assert {name for name in context_of(tmp_path) if (tmp_path / name).is_file()} == needed | {".dockerignore"}


def test_the_documented_commands_agree() -> None:
    """Time enough to drain, the volumes that the image has, and what the tests here run it with."""
    blocks = re.findall(
        r"^```console\n(.*?)^```", (ROOT / "docs" / "production.md").read_text(), re.MULTILINE | re.DOTALL
    )
    for block in blocks:
        assert subprocess.run(["bash", "-n"], input=block, capture_output=True, text=True, check=False).stderr == ""
    (line,) = (
        line for line in "".join(blocks).replace("\\\n", " ").splitlines() if line.startswith("docker run -d ")
    )
    words = line.split()
    options = list(pairwise(words))
    (stop,) = (int(value) for name, value in options if name == "--stop-timeout")
    assert stop > read_settings({}).drain_seconds + FLUSH_SECONDS
    volumes = [value.split(":")[1:] for name, value in options if name == "-v"]
    said = dict(instructions_of(DOCKERFILE))
    assert [volume[0] for volume in volumes] == json.loads(said["VOLUME"])
    assert volumes[0][1:] == ["ro"]
    assert {("--cap-drop", "ALL"), ("--tmpfs", "/tmp"), ("--security-opt", "no-new-privileges")} <= set(options)  # noqa: S108
    assert "--read-only" in words
    (published,) = (value for name, value in options if name == "-p")
    assert published.rsplit(":", 1)[1] == said["EXPOSE"] == str(read_settings({}).port)
