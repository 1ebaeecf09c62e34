"""A real Prometheus in a process of its own, with the alert rules of deploy/ at a quicker pace."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import requests
import yaml

from tests.browser.prerequisites import missing
from tests.support.bounds import PATIENCE_SECONDS, START_SECONDS
from tests.support.ports import start_on_free_ports
from tests.support.processes import end_process, eventually

OBSERVABILITY = Path(__file__).parents[2] / "deploy" / "observability"

SCRAPE_INTERVAL, EVALUATION_INTERVAL = "2s", "500ms"
"""A scrape may take as long as until the next one: a server that is slow on a busy machine is not down."""

WINDOW = "30s"
"""What the windows of the rules, minutes long, are here: many scrapes on a machine that is busy."""

ABOUT_THE_MACHINE = {"AsfAudioLate", "AsfEventLoopBlocked", "AsfFirstAudioLate", "AsfUpdatesLate"}
"""Alerts that are right where the machine is so busy that audio and updates come late."""


class PrometheusServer:
    """Scrapes the job `asf` at these addresses, and evaluates the alert rules. Skips where there is no Prometheus.

    The rules are those of deploy/observability, but for their times: windows of `WINDOW`, and alerts at once.
    """

    def __init__(self, directory: Path, targets: list[str]) -> None:
        if shutil.which("prometheus") is None:
            missing("prometheus", "apt-get install prometheus")
        directory.mkdir(parents=True)
        self._directory = directory
        (directory / "alerts.yml").write_text(quickened((OBSERVABILITY / "alerts.yml").read_text()))
        configuration = yaml.safe_load((OBSERVABILITY / "prometheus.yml").read_text())
        configuration["global"] = {"scrape_interval": SCRAPE_INTERVAL, "evaluation_interval": EVALUATION_INTERVAL}
        configuration["scrape_configs"][0]["static_configs"] = [{"targets": targets}]
        (directory / "prometheus.yml").write_text(yaml.safe_dump(configuration))
        start_on_free_ports(1, self._start, lambda: f"Prometheus did not start:\n{self._log.read_text()}")

    def stop(self) -> None:
        """End it."""
        end_process(self._process)

    def query(self, expression: str) -> list[dict[str, Any]]:
        """Return the series that an expression gives now. Fails where the expression is wrong."""
        response = requests.get(f"{self.url}/api/v1/query", {"query": expression}, timeout=PATIENCE_SECONDS)
        answer = response.json()
        assert answer["status"] == "success", answer
        found: list[dict[str, Any]] = answer["data"]["result"]
        return found

    def firing(self) -> set[str]:
        """Return the names of the alerts that are firing, but for those about a busy machine."""
        alerts = requests.get(f"{self.url}/api/v1/alerts", timeout=PATIENCE_SECONDS).json()["data"]["alerts"]
        firing = {alert["labels"]["alertname"] for alert in alerts if alert["state"] == "firing"}
        return firing - ABOUT_THE_MACHINE

    def _start(self, port: int) -> bool:
        self.url = f"http://127.0.0.1:{port}"
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [
                    "prometheus",
                    "--config.file=prometheus.yml",
                    "--storage.tsdb.path=data",
                    f"--web.listen-address=127.0.0.1:{port}",
                ],
                cwd=self._directory,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        return eventually(self._outcome, START_SECONDS) == "ready"

    @property
    def _log(self) -> Path:
        return self._directory / "prometheus.log"

    def _outcome(self) -> str | None:
        if self._process.poll() is not None:
            return "ended"
        try:
            return "ready" if requests.get(f"{self.url}/-/ready", timeout=PATIENCE_SECONDS).ok else None
        except requests.ConnectionError:
            return None


def quickened(rules: str) -> str:
    """Return the rules with short windows, which fire at once."""
    rules, windows = re.subn(r"(\[|offset )\d+m", rf"\g<1>{WINDOW}", rules)
    rules, delays = re.subn(r"(?m)^ +for: \S+\n", "", rules)
    assert windows > 10
    assert delays > 10
    return rules
