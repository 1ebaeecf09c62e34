"""The tools of the tests themselves: forked programs, the ledger, and what a run may leave behind."""

import json
import os
import re
import signal
import subprocess
from pathlib import Path

import pytest

from tests.support.bounds import COMMAND_SECONDS
from tests.support.command_line import asf
from tests.support.processes import ServerProcess, eventually
from tests.support.template import ROOT, Template

PLUGINS = """
import tests.support.tidiness
pytest_plugins = ["tests.support.ledger", "tests.support.tidiness"]
def pytest_addoption(parser):
    parser.addoption("--soak", action="store_true")
    parser.addoption("--fuzz-seconds", type=float, default=10.0)
    parser.addoption("--ledger", type=__import__("pathlib").Path)
"""


def test_a_forked_program_is_one_of_its_own(tmp_path: Path) -> None:
    """Its directory, environment, exit code and signals; a second one knows nothing of the first."""
    (tmp_path / ".env").write_text("ASF_CHUNK_SIZE=0\n")
    wrong = asf("doctor", cwd=tmp_path)
    assert b"ASF_CHUNK_SIZE" in wrong.stdout + wrong.stderr
    (tmp_path / "other").mkdir()
    other = asf("doctor", cwd=tmp_path / "other")
    assert b"ASF_CHUNK_SIZE" not in other.stdout + other.stderr
    servers = [ServerProcess(tmp_path / name) for name in ("a", "b")]
    assert os.getpgid(servers[0].pid) == os.getpgid(0)
    assert [str(Path(f"/proc/{server.pid}/cwd").readlink()) for server in servers] == [
        str(tmp_path / "a"),
        str(tmp_path / "b"),
    ]
    servers[0].kill()
    assert servers[0].process.returncode == -signal.SIGKILL
    assert servers[1].stop() == 0


def test_a_forked_server_shares_nothing_with_its_template(tmp_path: Path) -> None:
    """Neither the descriptors with which it waits, nor sockets."""
    first, second = ServerProcess(tmp_path / "a"), ServerProcess(tmp_path / "b")
    try:
        targets = [
            {str(path.readlink()) for path in Path(f"/proc/{server.pid}/fd").iterdir()} for server in (first, second)
        ]
        assert not {name for name in targets[0] & targets[1] if name.startswith("socket:")}
    finally:
        assert first.stop() == second.stop() == 0


def test_what_was_forked_ends_with_the_tests(server: ServerProcess, tmp_path: Path) -> None:
    """Also where they end without stopping it."""
    template = Template("command")
    with (tmp_path / "out").open("wb") as out:
        environment = {**os.environ, "ASF_URL": server.url}
        process = template.start(["watch", "alice"], tmp_path, environment, out.fileno(), out.fileno())
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0)
        template.close()
    eventually(lambda: not Path(f"/proc/{process.pid}").exists() or _is_gone(process.pid))


def test_the_ledger_is_one_in_the_order_of_the_tests(pytester: pytest.Pytester) -> None:
    """Whichever processes they ran in."""
    pytester.makeconftest(PLUGINS)
    (pytester.mkdir("faults") / "test_it.py").write_text(
        """
import pytest, time
@pytest.mark.parametrize("number", range(6))
def test_it(ledger, number):
    time.sleep(0.1 if number % 2 else 0)
    ledger.note(f"fault {number}", tried=1, unit="kills", must_hold="It holds.", lost=0)
        """
    )
    (pytester.path / "test_others.py").write_text(
        """
import pytest
@pytest.mark.fault("marked", "It holds, too.")
@pytest.mark.parametrize("number", range(3))
def test_a_fault(number):
    pass
def test_no_fault():
    assert False, "not a part of such a run"
        """
    )
    for options in (["-n", "2", "--dist", "worksteal"], ["-n", "1"], ["-p", "no:xdist"]):
        assert _run(pytester, *options, "--ledger=var/ledger.json").ret == 0
        entries = json.loads((pytester.path / "var/ledger.json").read_text())["entries"]
        assert [entry["fault"] for entry in entries] == [*(f"fault {number}" for number in range(6)), "marked"]
        assert (entries[-1]["tried"], entries[-1]["unit"]) == (3, "runs")


@pytest.fixture(autouse=True)
def _importable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a run of tests in another directory find these."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))


@pytest.mark.parametrize("options", [["-n", "2"], ["-p", "no:xdist"]], ids=["side by side", "one"])
def test_a_run_that_leaves_a_process_fails(pytester: pytest.Pytester, options: list[str]) -> None:
    """And names it."""
    pytester.makeconftest(PLUGINS + "tests.support.tidiness.STOP_SECONDS = 0.2\n")
    pytester.makepyfile(
        """
        import subprocess
        def test_it():
            subprocess.Popen(["sleep", "600"])
        """
    )
    result = _run(pytester, *options)
    (left,) = re.findall(
        r"^ERROR: this run leaves a process running: (\d+) sleep 600", str(result.stdout), re.MULTILINE
    )
    os.kill(int(left), signal.SIGKILL)
    assert result.ret == 1


def test_a_full_disk_is_said_before_a_run(pytester: pytest.Pytester) -> None:
    """In one line that says what to do."""
    pytester.makeconftest(PLUGINS + "tests.support.tidiness.NEEDED_BYTES = 1 << 60\n")
    result = _run(pytester)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*Free some, or name another directory: TMPDIR=*"])


def _run(pytester: pytest.Pytester, *options: str) -> pytest.RunResult:
    bare = [f"-p no:{plugin}" for plugin in ("cacheprovider", "schemathesis", "hypothesispytest", "anyio")]
    return pytester.runpytest_subprocess(*options, *bare, timeout=COMMAND_SECONDS)


def _is_gone(pid: int) -> bool:
    """Return whether a process has ended, though nobody has asked how."""
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
