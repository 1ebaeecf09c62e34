"""Redis by way of real Sentinels, with a password, and what `asf doctor` says about them."""

import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import redis

from asf.adapters.redis_store.connection import connect, tasks_of
from asf.application.diagnosis.examination import examine
from asf.application.diagnosis.finding import Finding, Severity
from tests.support.bounds import HUNG_SECONDS, PATIENCE_SECONDS, START_SECONDS
from tests.support.processes import eventually
from tests.support.redis_server import RedisServer
from tests.support.sentinels import MASTER, SentinelProcess, SentinelTrio

DEPLOY = Path(__file__).parents[2] / "deploy"
PASSWORD = "sesame"  # noqa: S105 - of the test


@pytest.fixture
def trio(tmp_path: Path) -> Iterator[SentinelTrio]:
    """Return Sentinels with a password."""
    trio = SentinelTrio(tmp_path, password=PASSWORD)
    yield trio
    trio.stop()


def findings(url: str, tmp_path: Path, *subjects: str) -> list[Finding]:
    """Return what the doctor says about those subjects."""
    environment = {"ASF_REDIS_URL": url, "ASF_AUDIO_ROOTS": str(tmp_path), "ASF_PORT": "0"}
    return [finding for finding in examine(environment) if finding.subject in subjects]


def test_it_follows_the_master(trio: SentinelTrio) -> None:
    """All connections are closed when the Sentinels name another one, although none has failed."""
    with closing(connect(trio.url)) as client:
        pool: Any = client.connection_pool
        (watch,) = tasks_of(client)
        threading.Thread(target=watch, daemon=True).start()
        client.set("number", 1)
        eventually(lambda: client.wait(1, 100) >= 1)  # The replica has it.
        connection = pool.get_connection()
        pool.release(connection)
        after = trio.fail_over()
        eventually(lambda: pool.problem == "Redis has failed over.")
        assert not connection.is_connected
        eventually(lambda: client.info("server")["tcp_port"] == after.port)
        assert client.get("number") == b"1"


def test_a_wrong_password_of_the_sentinels(
    trio: SentinelTrio, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The errors, the log and the doctor name the problem, and no password."""
    url = trio.url.replace(PASSWORD, "open-barley")
    with (
        closing(connect(url)) as client,
        pytest.raises(redis.ConnectionError, match="invalid username-pass") as error,
    ):
        client.set("number", 1)
    found = findings(url, tmp_path, "sentinel", "redis")
    assert {finding.severity for finding in found} == {Severity.PROBLEM}
    said = f"{error.value} {caplog.text} {found}"
    assert "does not name" in caplog.text
    assert "open-barley" not in said
    assert PASSWORD not in said


def test_the_doctor_examines_sentinels(trio: SentinelTrio, tmp_path: Path) -> None:
    """All well; one hangs and one is gone; they do not know the master; the master is down."""
    url = trio.url_with(HUNG_SECONDS)
    found = findings(url, tmp_path, "sentinel")
    assert [finding.severity for finding in found] == [Severity.OK] * 3
    assert f"names 127.0.0.1:{trio.master.port} as 'mymaster'" in found[0].text
    assert [one.text for one in findings(url, tmp_path, "redis")] == ["readable, writable and durable"]
    unknown = findings(url.replace(MASTER, "other"), tmp_path, "sentinel")
    assert [finding.severity for finding in unknown] == [Severity.PROBLEM] * 3
    assert "No such master" in unknown[0].text
    first, second, _third = trio.sentinels
    first.hang()
    second.kill()
    trio.redis[1].kill()
    trio.be_hasty()

    def texts() -> list[str]:
        advice = [one for one in findings(url, tmp_path, "sentinel") if one.severity is Severity.ADVICE]
        assert all(finding.remedy for finding in advice)
        return [finding.text for finding in advice]

    # The last one must notice first that it is alone.
    eventually(lambda: any("no failover is possible" in text for text in texts()))
    assert any(f"{first.port} does not name" in text for text in texts())
    assert any(f"{second.port} does not name" in text for text in texts())
    trio.redis[0].kill()
    eventually(lambda: any("the master down" in one.text for one in findings(url, tmp_path, "sentinel")))


def test_the_doctor_misses_a_replica(tmp_path: Path, mortal_redis: RedisServer) -> None:
    """One Sentinel, which knows of none."""
    sentinel = SentinelProcess(tmp_path / "sentinel", mortal_redis.port)
    url = f"redis+sentinel://127.0.0.1:{sentinel.port}/{MASTER}?socket_timeout={PATIENCE_SECONDS}"
    texts = [finding.text for finding in findings(url, tmp_path, "sentinel")]
    sentinel.stop()
    assert any("no replica" in text for text in texts)


def test_the_example_configuration_is_valid(tmp_path: Path, mortal_redis: RedisServer) -> None:
    """A real Sentinel runs with it."""
    text = (DEPLOY / "sentinel.conf").read_text()
    for old, new in {
        "port 26379": "port {port}",
        "dir /tmp": f"dir {tmp_path}",
        "10.0.0.1 6379": f"127.0.0.1 {mortal_redis.port}",
    }.items():
        assert text.count(f"\n{old}\n") or text.count(old) == 1
        text = text.replace(old, new)
    sentinel = SentinelProcess(tmp_path / "sentinel", mortal_redis.port, text=text)
    eventually(lambda: sentinel.state()["flags"] == "master", START_SECONDS)
    state = sentinel.state()
    sentinel.stop()
    assert (state["port"], state["quorum"]) == (str(mortal_redis.port), "2")
    assert state["down-after-milliseconds"] == "5000"
