"""deploy/asf.service: what it says agrees with the server, and systemd takes it for a safe one."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

from asf.entrypoints.serving import EXIT_USAGE
from asf.entrypoints.shutdown import FLUSH_SECONDS
from asf.settings import VARIABLES, read_settings
from tests.browser.prerequisites import missing
from tests.support.bounds import COMMAND_SECONDS
from tests.support.secret_values import SECRET_KEY

ROOT = Path(__file__).parents[2]
UNIT = (ROOT / "deploy" / "asf.service").read_text()
PROGRAM = "/opt/asf/bin/asf"
MOST_EXPOSURE = 1.5
"""Highest exposure by systemd's count, 0 to 10. A service without any restriction has 9.6."""


def values_of(directive: str) -> list[str]:
    """Return all values of a directive, in order."""
    return re.findall(rf"^{directive}=(.*)$", UNIT, re.MULTILINE)


def analyze(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Let systemd-analyze look at the unit, with a program that is there in place of the installed one."""
    if shutil.which("systemd-analyze") is None:
        missing("systemd-analyze", "apt-get install systemd")
    here = folder / "asf.service"
    here.write_text(UNIT.replace(PROGRAM, str(Path(sys.executable).with_name("asf"))))
    command = ["systemd-analyze", *arguments, str(here)]
    return subprocess.run(command, capture_output=True, text=True, timeout=COMMAND_SECONDS, check=False)


def test_systemd_knows_all_of_it(tmp_path: Path) -> None:
    """Without a word of warning; and a directive that does not exist would be one."""
    found = analyze(tmp_path, "verify", "--man=no")
    assert (found.returncode, found.stderr) == (0, "")


def test_little_is_exposed(tmp_path: Path) -> None:
    """By systemd's own count."""
    found = analyze(tmp_path, "security", "--offline=yes", "--no-pager")
    level = re.search(r"Overall exposure level for asf\.service: ([0-9.]+)", found.stdout)
    assert level is not None, found.stdout + found.stderr
    assert float(level[1]) <= MOST_EXPOSURE


def test_it_agrees_with_the_server() -> None:
    """Variables, times, limits and exit codes; the state is where it may write."""
    assignments = dict(one.split("=", 1) for one in values_of("Environment"))
    named = set(re.findall(r"ASF_[A-Z_]+", UNIT))
    assert set(assignments) < named
    assert named <= VARIABLES
    settings = read_settings(assignments | {"ASF_SECRET_KEY": SECRET_KEY})
    assert not settings.debug_mode
    (stop,) = values_of("TimeoutStopSec")
    assert float(stop.removesuffix("s")) > settings.drain_seconds + FLUSH_SECONDS
    (files,) = values_of("LimitNOFILE")
    assert int(files) >= settings.open_files
    assert values_of("RestartPreventExitStatus") == [str(EXIT_USAGE)]
    assert values_of("ExecStart") == [f"{PROGRAM} serve"]
    (state,) = values_of("StateDirectory")
    assert Path(settings.database).parent == Path("/var/lib") / state
