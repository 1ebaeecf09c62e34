"""What `asf doctor` finds, and the fixes that it suggests."""

import os
import resource
import socket
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from asf.adapters.sqlite_catalog import SqliteCatalogStore
from asf.adapters.sqlite_cues import SqliteCueStore
from asf.application.diagnosis import deadline
from asf.application.diagnosis.examination import examine
from asf.application.diagnosis.finding import Finding, Severity
from asf.application.diagnosis.network import examine_address, examine_file_limit, examine_webhook_receiver
from asf.application.diagnosis.security import examine_exposure, examine_files, examine_posture
from asf.application.diagnosis.storage import (
    examine_audio_root,
    examine_cues,
    examine_database,
    examine_object_stores,
    examine_redis,
    examine_uploads,
)
from asf.domain.streams.stream import AudioStream, FileLocator
from asf.settings import read_settings, url_of
from tests.support.bounds import PATIENCE_SECONDS
from tests.support.redis_server import RedisServer
from tests.support.secret_values import API_TOKEN, SECRET_KEY
from tests.support.swift_server import BUCKET, SwiftServer
from tests.support.webhook_receiver import SECRET as WEBHOOK_SECRET
from tests.support.webhook_receiver import WebhookReceiver


def severities(findings: list[Finding]) -> dict[str, set[Severity]]:
    """Return the severities that each subject has."""
    found: dict[str, set[Severity]] = {}
    for finding in findings:
        found.setdefault(finding.subject, set()).add(finding.severity)
    return found


def test_a_problem_has_a_remedy(tmp_path: Path) -> None:
    """As has advice; what is OK has none."""
    environment = {
        "ASF_AUDIO_ROOTS": f"{tmp_path}:{tmp_path / 'missing'}",
        "ASF_DATABASE": str(tmp_path / "x" / "y.sqlite3"),
        "ASF_PORT": "0",
        "ASF_UI_UPDATES_NAMESPACE": "",
        "ASF_MAX_LISTENERS": "1",
    }
    findings = list(examine(environment))
    assert all(bool(finding.remedy) == (finding.severity is not Severity.OK) for finding in findings)
    assert severities(findings) == {
        "settings": {Severity.OK, Severity.ADVICE},
        "internal API": {Severity.ADVICE},
        "listeners": {Severity.ADVICE},
        "audio root": {Severity.OK, Severity.PROBLEM},
        "database": {Severity.OK},
        "uploads": {Severity.OK},
        "port": {Severity.OK},
        "open files": {Severity.OK},
    }
    assert list(tmp_path.iterdir()) == [], "nothing is made by looking"


def test_production_without_advice(tmp_path: Path) -> None:
    """With secure settings."""
    environment = {
        "ASF_AUDIO_ROOTS": str(tmp_path),
        "ASF_DATABASE": str(tmp_path / "y.sqlite3"),
        "ASF_PORT": "0",
        "ASF_DEBUG_MODE": "False",
        "ASF_REQUIRE_TOKENS": "True",
        "ASF_SECRET_KEY": SECRET_KEY,
        "ASF_INTERNAL_API_TOKEN": API_TOKEN,
        "ASF_CORS_ALLOWED_ORIGINS": "https://app.example.com",
        "ASF_MAX_LISTENERS": "1",
    }
    assert {finding.severity for finding in examine(environment)} == {Severity.OK}


@pytest.mark.parametrize(
    ("opened", "subject", "said"),
    [
        ({"ASF_REQUIRE_TOKENS": "False"}, "listeners", "listen to that stream"),
        (
            {"ASF_INTERNAL_TRUSTED_NETWORKS": "127.0.0.1,10.1.0.0/16,fd00::/8"},
            "internal API",
            "10.1.0.0/16, fd00::/8 can",
        ),
        (
            {"ASF_INTERNAL_TRUSTED_NETWORKS": "127.0.0.1"},
            "internal API",
            "a proxy on it that adds no forwarding header",
        ),
        (
            {"ASF_DEBUG_MODE": "True", "ASF_INTERNAL_TRUSTED_NETWORKS": "none", "ASF_SECRET_KEY": "x"},
            "listeners",
            "can be guessed",
        ),
        ({"ASF_CORS_ALLOWED_ORIGINS": "*"}, "origins", "any web origin"),
    ],
)
def test_each_unsafe_setting_in_production_is_one_advice(opened: dict[str, str], subject: str, said: str) -> None:
    """And no other."""
    locked = {
        "ASF_DEBUG_MODE": "False",
        "ASF_REQUIRE_TOKENS": "True",
        "ASF_SECRET_KEY": SECRET_KEY,
        "ASF_CORS_ALLOWED_ORIGINS": "https://app.example.com",
        "ASF_INTERNAL_API_TOKEN": API_TOKEN,
        "ASF_INTERNAL_TRUSTED_NETWORKS": "none",
    }
    assert list(examine_posture(read_settings(locked))) == []
    (finding,) = examine_exposure(read_settings(locked | opened))
    assert finding in list(examine_posture(read_settings(locked | opened)))
    assert (finding.subject, finding.severity) == (subject, Severity.ADVICE)
    assert said in finding.text
    assert list(opened)[-1] in finding.text + finding.remedy


def test_files_that_all_users_can_read_are_advice(tmp_path: Path) -> None:
    """A .env with a secret, and the database; not a .env without one, nor a missing file."""
    dotenv, database = tmp_path / ".env", tmp_path / "d.sqlite3"
    settings = read_settings({"ASF_DATABASE": str(database)})
    assert list(examine_files(settings, dotenv)) == []
    dotenv.write_text("ASF_PORT=5006\nASF_SECRET_KEY=\n")
    dotenv.chmod(0o644)
    assert list(examine_files(settings, dotenv)) == []
    dotenv.write_text("ASF_REDIS_URL=redis://:password@redis.example\n")
    database.touch()
    database.chmod(0o644)
    assert [
        str(path) in finding.text
        for path, finding in zip((dotenv, database), examine_files(settings, dotenv), strict=True)
    ]
    assert list(examine_files(read_settings({"ASF_DATABASE": ":memory:"}), tmp_path)) == []
    for path in (dotenv, database):
        path.chmod(0o640)
    assert list(examine_files(settings, dotenv)) == []


def test_invalid_settings_end_the_checks() -> None:
    """With one finding for each. A secret is not repeated."""
    findings = list(examine({"ASF_PORT": "x", "ASF_DEBUG_MODE": "False", "ASF_SECRET_KEY": "hunter2"}))
    assert [(finding.subject, finding.severity) for finding in findings] == [("settings", Severity.PROBLEM)] * 2
    assert not any("hunter2" in finding.text for finding in findings)


def test_unknown_variables_are_advice(tmp_path: Path) -> None:
    """Also where another setting is invalid: one may be the cause of the other."""
    environment = {"ASF_PROT": "7", "ASF_AUDIO_ROOTS": str(tmp_path), "ASF_PORT": "0", "ASF_DATABASE": ":memory:"}
    for more in ({}, {"ASF_CHUNK_SIZE": "0"}):
        advice = next(iter(examine(environment | more)))
        assert (advice.subject, advice.severity) == ("settings", Severity.ADVICE)
        assert "ASF_PROT is not a setting and is ignored. Did you mean ASF_PORT?" in advice.text


def test_audio_roots(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Missing, not a directory, not readable."""
    (tmp_path / "file").write_bytes(b"")
    assert examine_audio_root(tmp_path).severity is Severity.OK
    assert "does not exist" in examine_audio_root(tmp_path / "missing").text
    assert "mkdir -p" in examine_audio_root(tmp_path / "missing").remedy
    assert "not a directory" in examine_audio_root(tmp_path / "file").text
    monkeypatch.setattr(os, "access", lambda *_arguments: False)  # The tests may run as root, who may do all.
    assert "cannot be read" in examine_audio_root(tmp_path).text


@pytest.mark.parametrize("examine_one", [examine_audio_root, lambda path: examine_database(str(path / "asf.db"))])
def test_a_disk_that_hangs_is_named(
    examine_one: Callable[[Path], Finding], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The doctor does not wait for it."""
    answers = threading.Event()
    monkeypatch.setattr(deadline, "ANSWER_SECONDS", 0.05)
    monkeypatch.setattr(Path, "exists", lambda _path: answers.wait(PATIENCE_SECONDS))
    finding = examine_one(tmp_path)
    answers.set()
    assert finding.severity is Severity.PROBLEM
    assert f"{tmp_path}" in finding.text
    assert "does not answer" in finding.text


def test_what_a_check_raises_is_raised() -> None:
    """Nothing is hidden by the thread."""
    with pytest.raises(ZeroDivisionError):
        deadline.examine_in_time("audio root", "/", lambda: 1 // 0)  # type: ignore[arg-type, return-value]


def test_redis(tmp_path: Path, mortal_redis: RedisServer) -> None:
    """With default settings, with durable ones, for a user without permission to publish, and stopped."""
    assert examine_redis(mortal_redis.url).text.startswith("a restart loses streams")
    with closing(mortal_redis.client()) as client:
        client.config_set("maxmemory-policy", "allkeys-lru")
        assert "may evict streams" in examine_redis(mortal_redis.url).text
        client.config_set("maxmemory-policy", "noeviction")
        client.config_set("appendonly", "yes")
        client.acl_setuser("asf", enabled=True, nopass=True, keys=["*"], categories=["+@all"], reset_channels=True)
    assert examine_redis(mortal_redis.url).severity is Severity.OK
    finding = examine_redis(mortal_redis.url.replace("redis://", "redis://asf:any@"))
    assert finding.severity is Severity.PROBLEM
    assert "channel" in finding.text
    mortal_redis.kill()
    environment = {
        "ASF_REDIS_URL": mortal_redis.url.replace("redis://", "redis://:sesame@"),
        "ASF_AUDIO_ROOTS": str(tmp_path),
        "ASF_PORT": "0",
    }
    (finding,) = [finding for finding in examine(environment) if finding.subject == "redis"]
    assert finding.severity is Severity.PROBLEM
    assert "sesame" not in finding.text


def test_databases(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In memory, missing, impossible to create, good, damaged, not writable."""
    path = tmp_path / "d.sqlite3"
    assert examine_database(":memory:").severity is Severity.ADVICE
    assert examine_database(str(path)).severity is Severity.OK
    (tmp_path / "file").write_bytes(b"no database" * 1000)
    assert "cannot be created" in examine_database(str(tmp_path / "file" / "d.sqlite3")).text
    assert examine_database(str(tmp_path / "file")).severity is Severity.PROBLEM
    store = SqliteCatalogStore(str(path))
    assert store.put(AudioStream("s", FileLocator("/x.mp3")), None, 10)
    assert examine_database(str(path)).text.endswith("streams: 1"), "while a server has it open"
    store.close()
    monkeypatch.setattr(os, "access", lambda *_arguments: False)
    assert "is not writable" in examine_database(str(path)).text


def test_cues(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """None yet, good while a server has them open, damaged, not writable."""
    database = tmp_path / "d.sqlite3"
    path = tmp_path / "d.sqlite3.cues"
    assert examine_cues(":memory:") is None
    assert examine_cues(str(database)) is None
    with closing(SqliteCueStore(str(path), lambda work: work())) as store:
        store.page("s", "e", 0, 1, 1)
        assert examine_cues(str(database)) == Finding("cues", Severity.OK, f"{path} can be opened")
    environment = {"ASF_DATABASE": str(database), "ASF_AUDIO_ROOTS": str(tmp_path), "ASF_PORT": "0"}
    path.write_bytes(b"no database" * 1000)
    (damaged,) = [finding for finding in examine(environment) if finding.subject == "cues"]
    assert (damaged.severity, damaged.remedy.startswith("Move it away")) == (Severity.PROBLEM, True)
    monkeypatch.setattr(os, "access", lambda *_arguments: False)
    found = examine_cues(str(database))
    assert found is not None
    assert "is not writable" in found.text


def test_addresses() -> None:
    """Free, in use, unavailable."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        taken.settimeout(0)
        port = taken.getsockname()[1]
        taken.close()
        assert examine_address("127.0.0.1", port).severity is Severity.OK
    assert examine_address("127.0.0.1", 0).severity is Severity.OK
    nowhere = examine_address("no.such.host.invalid", 5006)
    assert (nowhere.severity, nowhere.subject) == (Severity.PROBLEM, "port")
    assert examine_address("no.such.host.invalid", 0).severity is Severity.PROBLEM, "with any port"
    assert examine_address("192.0.2.1", 5006).severity is Severity.PROBLEM, "an address of another machine"


def test_the_receiver_of_webhooks(tmp_path: Path) -> None:
    """Whether it can be reached, without a request, and without what may be secret in its URL."""
    with socket.create_server(("127.0.0.1", 0)) as receiver:
        port = receiver.getsockname()[1]
        found = examine_webhook_receiver(f"http://127.0.0.1:{port}/secret")
        assert (found.severity, found.text) == (Severity.OK, f"127.0.0.1:{port} accepts connections")
        receiver.accept()[0].close()
    settings = {"ASF_WEBHOOK_URL": f"http://127.0.0.1:{port}/secret", "ASF_WEBHOOK_SECRET": WEBHOOK_SECRET}
    environment = {"ASF_AUDIO_ROOTS": str(tmp_path), "ASF_DATABASE": ":memory:", "ASF_PORT": "0", **settings}
    (advice,) = [finding for finding in examine(environment) if finding.subject == "webhooks"]
    assert (advice.severity, advice.text) == (
        Severity.ADVICE,
        f"127.0.0.1:{port} cannot be reached: Connection refused",
    )


def test_a_receiver_without_encryption_is_advice() -> None:
    """Where HTTPS is expected of it."""
    with WebhookReceiver() as receiver:
        found = examine_webhook_receiver(f"https://127.0.0.1:{receiver.port}/secret")
    assert found.severity is Severity.ADVICE
    assert "secret" not in found.text


def test_open_files() -> None:
    """The hard limit counts; it may be infinite."""
    assert examine_file_limit(10_200, 10_200).severity is Severity.OK
    assert examine_file_limit(10_200, resource.RLIM_INFINITY).severity is Severity.OK
    short = examine_file_limit(10_200, 4096)
    assert short.severity is Severity.PROBLEM
    assert "10200" in short.text
    assert "ASF_MAX_LISTENERS" in short.remedy


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("0.0.0.0", "http://127.0.0.1:80"),  # noqa: S104
        ("::", "http://[::1]:80"),
        ("10.0.0.5", "http://10.0.0.5:80"),
        ("asf.example", "http://asf.example:80"),
    ],
)
def test_where_a_server_can_be_reached(host: str, url: str) -> None:
    """At an address that can be connected to."""
    assert url_of(host, 80) == url


def test_object_stores(swift: SwiftServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bucket that exists, a missing one, wrong credentials, and an unusable configuration."""
    for name, value in swift.environment.items():
        monkeypatch.setenv(name, value)
    settings = read_settings(swift.environment | {"ASF_S3_BUCKETS": f"{BUCKET},other"})
    right, missing = examine_object_stores(settings)
    assert (right.severity, right.text) == (Severity.OK, f"s3://{BUCKET} is reachable")
    assert (missing.severity, missing.text) == (Severity.PROBLEM, "s3://other: There is no such bucket.")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    refused, _missing = examine_object_stores(settings)
    assert "SignatureDoesNotMatch" in refused.text
    monkeypatch.delenv("AZURE_STORAGE_ACCOUNT_NAME", raising=False)
    (wrong,) = examine_object_stores(read_settings({"ASF_AZ_CONTAINERS": "four"}))
    assert "Account must be specified" in wrong.text


def test_a_directory_that_takes_no_uploads_is_advice(tmp_path: Path) -> None:
    """One that exists, and one that cannot be created; not where uploads go to queues."""
    writable = tmp_path / "a" / "b"
    assert examine_uploads(writable).severity is Severity.OK
    writable.mkdir(parents=True)
    assert examine_uploads(writable).text.endswith("is writable")
    file = tmp_path / "file"
    file.write_text("")
    for path in (file, file / "uploads"):
        finding = examine_uploads(path)
        assert (finding.severity, finding.remedy.startswith("To take uploads")) == (Severity.ADVICE, True)
