"""deploy/Dockerfile, built by buildah and run by podman."""

import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from asf import __version__, client
from asf.adapters.jwt_tokens import JwtTokens
from asf.domain.access.grant import Grant
from tests.support.bounds import PATIENCE_SECONDS, START_SECONDS
from tests.support.container_engine import ContainerEngine
from tests.support.fixtures import audio_of
from tests.support.plain_websocket import PlainListener
from tests.support.ports import free_ports
from tests.support.processes import eventually
from tests.support.secret_values import API_TOKEN, SECRET_KEY

pytestmark = pytest.mark.soak  # It makes a Debian, and builds the image.

ROOT = Path(__file__).parents[2]
DOCKERFILE = ROOT / "deploy" / "Dockerfile"
TAG = "asf"
AUDIO = audio_of(3_000_000)  # seven seconds at the default pace
PRODUCTION = {
    "ASF_SECRET_KEY": SECRET_KEY,
    "ASF_INTERNAL_API_TOKEN": API_TOKEN,
    "ASF_INTERNAL_TRUSTED_NETWORKS": "none",
    "ASF_REQUIRE_TOKENS": "True",
    "ASF_DRAIN_SECONDS": "0.5",
}
LOCKED = ["--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL", "--security-opt", "no-new-privileges"]  # noqa: S108

Start = Callable[..., str]


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ContainerEngine]:
    """Return an engine that has the image."""
    made = ContainerEngine(tmp_path_factory.mktemp("engine"))
    made.make_base_images(DOCKERFILE.read_text())
    made.build(DOCKERFILE, ROOT, TAG)
    yield made
    made.close()


@pytest.fixture
def start(engine: ContainerEngine) -> Iterator[Start]:
    """Return a function that starts a container on a free port, and returns its URL once it answers."""
    started: list[str] = []

    def run(name: str, options: list[str] | None = None, **settings: str) -> str:
        [port] = free_ports(1)
        engine.start(TAG, name, options or [], ASF_HOST="127.0.0.1", ASF_PORT=str(port), **settings)
        started.append(name)
        url = f"http://127.0.0.1:{port}"
        eventually(lambda: answers(url) or not is_running(engine, name), START_SECONDS)
        assert is_running(engine, name), engine.log(name)
        return url

    yield run
    for name in started:
        engine.remove(name)


def is_running(engine: ContainerEngine, name: str) -> bool:
    """Return whether a container runs."""
    state = engine.inspect(name)["State"]
    assert isinstance(state, dict)
    return bool(state["Running"])


def answers(url: str) -> bool:
    """Return whether a server is alive."""
    try:
        return requests.get(f"{url}/asf/health", timeout=PATIENCE_SECONDS).ok
    except requests.ConnectionError:
        return False


def test_it_plays_and_drains_as_the_manual_starts_it(engine: ContainerEngine, start: Start, tmp_path: Path) -> None:
    """Read-only, without capabilities, as another user than root; every byte is right."""
    audio = tmp_path / "audio"
    audio.mkdir()
    (audio / "s.mp3").write_bytes(AUDIO)
    url = start("asf-production", [*LOCKED, "-v", f"{audio}:/srv/audio:ro"], **PRODUCTION)
    assert engine.execute("asf-production", "id", "-u") == "10001"
    assert engine.execute("asf-production", "asf", "--version").endswith(__version__)
    assert "asf.sqlite3" in engine.execute("asf-production", "ls", "/var/lib/asf")
    with client.BackendClient(url, token=API_TOKEN) as backend:
        backend.notify_new_audio("s", "/srv/audio/s.mp3")
    token = JwtTokens(SECRET_KEY).mint(Grant("anybody", time.time() + 600, frozenset({"*"}), frozenset()))
    received = bytearray()
    client.listen(url, "s", received.extend, token=token)
    assert received == AUDIO

    listener = PlainListener(url, "s", token=token)
    listener.receive_until("start_of_stream")
    with ThreadPoolExecutor(1) as pool:  # Who does not receive meanwhile is disconnected without a close code.
        stopping = pool.submit(engine.stop, "asf-production", 30)
        assert listener.receive_to_the_end() == 1001
        stopping.result()
    assert listener.audio == AUDIO[: len(listener.audio)]
    assert engine.exit_code("asf-production") == 0
    assert "Traceback" not in engine.log("asf-production")


def test_several_workers_share_the_redis_of_the_image(engine: ContainerEngine, start: Start) -> None:
    """As another user than root, on a volume of its own."""
    url = start("asf-workers", LOCKED, **PRODUCTION, ASF_WORKERS="2")
    with client.BackendClient(url, token=API_TOKEN) as backend:
        assert list(backend.streams()) == []
    assert "redis.sock" in engine.execute("asf-workers", "ls", "/var/lib/asf/asf.sqlite3.workers")
    engine.stop("asf-workers", 30)
    assert engine.exit_code("asf-workers") == 0
    assert "Traceback" not in engine.log("asf-workers")


def test_without_settings_it_is_a_trial(engine: ContainerEngine, start: Start) -> None:
    """Which says so. The console is there, and the internal API wants the token that was printed."""
    url = start("asf-trial")
    log = engine.log("asf-trial")
    assert "TRIAL MODE" in log
    assert f"{url}/" in log
    [token] = re.findall(r"Internal API token: (\S+)", log)
    assert requests.get(url, timeout=PATIENCE_SECONDS).ok
    assert requests.get(f"{url}/asf/internal/streams", timeout=PATIENCE_SECONDS).status_code == 401
    with client.BackendClient(url, token=token) as backend:
        assert list(backend.streams()) == []
    assert "is ok" in engine.execute("asf-trial", "asf", "health")
    engine.execute("asf-trial", "asf", "demo", "--url", url, "--token", token)
    received = bytearray()
    client.listen(url, "demo", received.extend)
    assert len(received) > 100_000


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"ASF_REQUIRE_TOKENS": "True"}, "ASF_SECRET_KEY must have"),
        (PRODUCTION | {"ASF_MAX_LISTENERS": "many"}, "ASF_MAX_LISTENERS must be"),
        (PRODUCTION | {"ASF_DATABASE": "/proc/asf.sqlite3"}, "ASF_DATABASE"),
    ],
    ids=["no secret", "wrong value", "volume that cannot be written"],
)
def test_a_wrong_setting_ends_it_with_one_clear_line(
    engine: ContainerEngine, settings: dict[str, str], said: str
) -> None:
    """And with an exit code that says that a restart does not help."""
    engine.start(TAG, "asf-wrong", ASF_HOST="127.0.0.1", ASF_PORT="0", **settings)
    try:
        assert engine.exit_code("asf-wrong") in {1, 2}
        log = engine.log("asf-wrong")
        assert said in log
        assert "Traceback" not in log
        assert "TRIAL" not in log
    finally:
        engine.remove("asf-wrong")
