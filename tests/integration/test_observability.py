"""The alert rules and the dashboard of deploy/observability, against a real Prometheus and real faults."""

import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.browser.prerequisites import missing
from tests.support.bounds import COMMAND_SECONDS
from tests.support.fixtures import StartServer, audio_of
from tests.support.plain_websocket import PlainListener
from tests.support.processes import ServerProcess, eventually
from tests.support.prometheus_server import OBSERVABILITY, PrometheusServer
from tests.support.redis_server import RedisServer
from tests.support.uploader import put

RUNBOOK = Path(__file__).parents[2] / "docs" / "runbook.md"
METRIC = re.compile(r"\b(?:asf|process)_[a-z_]+")

StartPrometheus = Callable[[list[ServerProcess]], PrometheusServer]


@pytest.fixture
def start_prometheus(tmp_path: Path) -> Iterator[StartPrometheus]:
    """Return a function that starts a Prometheus that scrapes these servers."""
    started: list[PrometheusServer] = []

    def start(servers: list[ServerProcess]) -> PrometheusServer:
        started.append(PrometheusServer(tmp_path / "prometheus", [f"127.0.0.1:{server.port}" for server in servers]))
        return started[-1]

    yield start
    for one in started:
        one.stop()


def rules() -> list[dict[str, Any]]:
    """Return the alert rules."""
    groups = yaml.safe_load((OBSERVABILITY / "alerts.yml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def panels() -> list[dict[str, Any]]:
    """Return the panels of the dashboard that show something."""
    found = json.loads((OBSERVABILITY / "dashboard.json").read_text())["panels"]
    return [panel for panel in found if panel["type"] != "row"]


def dashboard_expressions() -> list[str]:
    """Return the expressions of the dashboard, with values for Grafana's variables."""
    texts = [target["expr"] for panel in panels() for target in panel["targets"]]
    return [text.replace("$__rate_interval", "1m").replace("$instance", ".*") for text in texts]


@pytest.mark.parametrize(
    "arguments",
    [
        ["check", "rules", "alerts.yml"],
        ["check", "config", "--syntax-only", "prometheus.yml"],
        ["test", "rules", "alerts_test.yml"],
    ],
    ids=lambda arguments: "-".join(arguments[:2]),
)
def test_promtool_accepts_the_files(arguments: list[str]) -> None:
    """The rules and the configuration are valid, and the rules' own tests pass."""
    if shutil.which("promtool") is None:
        missing("promtool", "apt-get install prometheus")
    done = subprocess.run(
        ["promtool", *arguments],
        cwd=OBSERVABILITY,
        capture_output=True,
        text=True,
        timeout=COMMAND_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_each_alert_leads_to_its_section_of_the_runbook() -> None:
    """And the section names it."""
    sections = dict(re.findall(r"(?ms)^## ([^\n]+)\n(.*?)(?=^## |\Z)", RUNBOOK.read_text()))
    by_anchor = {title.lower().replace(" ", "-"): text for title, text in sections.items()}
    for rule in rules():
        path, _, anchor = rule["annotations"]["runbook"].partition("#")
        assert path == "docs/runbook.md"
        assert f"`{rule['alert']}`" in by_anchor[anchor].strip().split("\n\n")[0], rule["alert"]
    named = set(re.findall(r"`(Asf\w+)`", RUNBOOK.read_text()))
    assert named == {rule["alert"] for rule in rules()}


def test_all_that_is_watched_exists(
    start_server: StartServer, shared_redis: RedisServer, start_prometheus: StartPrometheus
) -> None:
    """Each metric of the rules and of the dashboard is one of the server's, and each expression can be evaluated."""
    server = start_server({"ASF_REDIS_URL": shared_redis.url})
    server.announce("s", audio_of(10_000))
    exposed = set(re.findall(r"(?m)^([a-z_]+)(?:\{| )", server.metrics()))
    expressions = [*(rule["expr"] for rule in rules()), *dashboard_expressions()]
    for expression in expressions:
        assert set(METRIC.findall(expression)) <= exposed, expression
    prometheus = start_prometheus([server])
    eventually(lambda: prometheus.query('up{job="asf"} == 1'))
    for expression in expressions:
        prometheus.query(expression)
    assert len(prometheus.query("asf_max_listeners")) == 1


def test_real_faults_fire_their_alerts(
    start_server: StartServer, mortal_redis: RedisServer, start_prometheus: StartPrometheus, tmp_path: Path
) -> None:
    """Missing audio, uploads without room, Redis killed, a server killed: each its own alert, and none before."""
    server = start_server({"ASF_REDIS_URL": mortal_redis.url, "ASF_UPLOAD_TOTAL_BYTES": "100000"})
    mortal = ServerProcess(tmp_path, {})
    server.announce("s", audio_of(10_000))
    prometheus = start_prometheus([server, mortal])
    eventually(lambda: len(prometheus.query('up{job="asf"} == 1')) == 2)
    PlainListener(server.url, "s").receive_to_the_end()
    eventually(lambda: prometheus.query("asf_joins_total == 1"))
    assert prometheus.firing() == set()

    PlainListener(server.url, "unknown").receive_to_the_end()
    eventually(lambda: prometheus.firing() == {"AsfJoinsRefused"})

    assert put(server.url, "large", audio_of(200_000)).status_code == 507
    eventually(lambda: "AsfStorageFull" in prometheus.firing())

    mortal_redis.kill()
    eventually(lambda: "AsfRedisGone" in prometheus.firing())
    assert "AsfServerDown" not in prometheus.firing()

    mortal.kill()
    eventually(lambda: "AsfServerDown" in prometheus.firing())
