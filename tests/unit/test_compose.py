"""deploy/compose.yaml agrees with the settings, the image, and the proxy's configuration. No engine is needed."""

import json
import os
import re
import shutil
import subprocess
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml

from asf.entrypoints.shutdown import FLUSH_SECONDS
from asf.settings import VARIABLES, Settings, read_settings
from tests.browser.prerequisites import missing
from tests.support.images import instructions_of
from tests.support.secret_values import API_TOKEN, SECRET_KEY

DEPLOY = Path(__file__).parents[2] / "deploy"
FILE = DEPLOY / "compose.yaml"
ASKED_FOR = {
    "ASF_SECRET_KEY": SECRET_KEY,
    "ASF_INTERNAL_API_TOKEN": API_TOKEN,
    "ASF_CORS_ALLOWED_ORIGINS": "https://app.example.com",
}
NODES = ["asf1", "asf2", "asf3"]
SERVICES: dict[str, Any] = yaml.safe_load(FILE.read_text())["services"]
HAPROXY = (DEPLOY / "haproxy.cfg").read_text()
IMAGE = instructions_of((DEPLOY / "Dockerfile").read_text())


def _environment(service: dict[str, Any]) -> dict[str, str]:
    """Return the environment with what Compose puts in place of `${NAME:?message}` and `${NAME:-default}`."""

    def value(match: re.Match[str]) -> str:
        name, operator, text = match.groups()
        return ASKED_FOR[name] if operator == ":?" else ASKED_FOR.get(name, text)

    return {name: re.sub(r"\$\{(\w+)(:[?-])([^}]*)\}", value, text) for name, text in service["environment"].items()}


def _settings(service: dict[str, Any]) -> Settings:
    said = dict(re.findall(r"(ASF_\w+)=(\S+)", dict(IMAGE)["ENV"]))
    return read_settings(said | _environment(service))


def test_the_format_is_right() -> None:
    """As Docker Compose itself checks it; without what is asked for it says so."""
    if shutil.which("docker-compose") is None:
        missing("docker-compose", "apt-get install --no-install-recommends docker-compose")
    command = ["docker-compose", "-f", str(FILE), "config", "--quiet"]
    bare = {name: value for name, value in os.environ.items() if not name.startswith("ASF_")}
    checked = subprocess.run(command, env=bare | ASKED_FOR, capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stderr) == (0, "")
    for name in ASKED_FOR:
        rest = {other: value for other, value in ASKED_FOR.items() if other != name}
        refused = subprocess.run(command, env=bare | rest, capture_output=True, text=True, check=False)
        assert refused.returncode != 0
        assert name in refused.stderr


@pytest.mark.parametrize("name", NODES)
def test_a_node_starts_with_its_settings(name: str) -> None:
    """Every variable is a setting, and they are right for production; there is time enough to drain."""
    node = SERVICES[name]
    assert {variable for variable in node["environment"] if variable.startswith("ASF_")} <= VARIABLES
    settings = _settings(node)
    assert not settings.debug_mode
    assert settings.require_tokens
    assert settings.internal_trusted_networks == []
    assert int(node["stop_grace_period"].removesuffix("s")) > settings.drain_seconds + FLUSH_SECONDS
    assert node["ulimits"]["nofile"] >= settings.open_files


@pytest.mark.parametrize("name", NODES)
def test_a_node_runs_as_one_container_does(name: str) -> None:
    """The image's command, user and health check; its audio, read-only; nothing to write to but a shared volume."""
    node = SERVICES[name]
    assert not {"command", "entrypoint", "user", "healthcheck", "privileged", "ports"} & set(node)
    built = DEPLOY / node["build"]["context"] / node["build"]["dockerfile"]
    assert built.resolve() == (DEPLOY / "Dockerfile").resolve()
    folders = json.loads(dict(IMAGE)["VOLUME"])
    assert node["volumes"] == [f"audio:{folders[0]}:ro", f"uploads:{folders[1]}"]
    assert str(_settings(node).upload_directory) == f"{folders[1]}/uploads"
    assert node["read_only"] is True
    assert node["cap_drop"] == ["ALL"]
    assert node["security_opt"] == ["no-new-privileges"]


def test_the_nodes_share_a_redis_that_forgets_nothing() -> None:
    """The one that is started; by its name and port."""
    urls = {_settings(SERVICES[name]).redis_url for name in NODES}
    assert urls == {"redis://redis:6379/0"}
    options = set(pairwise(SERVICES["redis"]["command"]))
    assert {("--appendonly", "yes"), ("--maxmemory-policy", "noeviction")} <= options
    assert SERVICES["redis"]["volumes"] == ["redis:/data"]
    assert "ports" not in SERVICES["redis"]


def test_haproxy_knows_the_nodes() -> None:
    """By the names and the port that they have; strangers cannot reach the way of the backends."""
    port = _settings(SERVICES["asf1"]).port
    assert dict(IMAGE)["EXPOSE"] == str(port)
    for backend in re.split(r"^backend ", HAPROXY, flags=re.MULTILINE)[1:]:
        assert re.findall(r"^    server (\S+) (\S+)", backend, re.MULTILINE) == [
            (name, f"{name}:{port}") for name in NODES
        ]
    haproxy = SERVICES["haproxy"]
    (mount,) = haproxy["volumes"]
    assert (DEPLOY / mount.split(":")[0]).read_text() == HAPROXY
    binds = re.findall(r"^    bind :(\d+)", HAPROXY, re.MULTILINE)
    published = [entry.rsplit(":", 1) for entry in haproxy["ports"]]
    assert [inside for _, inside in published] == binds
    assert [outside for outside, _ in published] == ["80", "127.0.0.1:5006"]
    assert haproxy["depends_on"] == NODES
