"""Readiness: the problems that keep the server from accepting listeners."""

from pathlib import Path

import pytest

from asf.adapters.audio_files import FileAudioSources
from asf.adapters.memory import InMemoryCatalogStore
from asf.adapters.memory_cues import InMemoryCueStore
from asf.application.readiness import OVERDUE_SECONDS, Readiness
from asf.domain.errors import CatalogUnavailable, CuesUnavailable
from tests.support.virtual import VirtualServer


def test_a_ready_server_has_no_problems(tmp_path: Path) -> None:
    """Whatever its sources are."""
    server = VirtualServer({})
    assert (
        Readiness(
            server.store, InMemoryCueStore(), FileAudioSources([tmp_path]), server.service, server.pump, server.clock
        ).problems()
        == []
    )
    assert (
        Readiness(
            server.store, InMemoryCueStore(), server.sources, server.service, server.pump, server.clock
        ).problems()
        == []
    )


def test_each_problem_is_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By component, with the reason."""

    def fail(_store: InMemoryCatalogStore) -> None:
        raise CatalogUnavailable("It is locked.")

    def fail_too(_store: InMemoryCueStore) -> None:
        raise CuesUnavailable("It is damaged.")

    monkeypatch.setattr(InMemoryCatalogStore, "check", fail)
    monkeypatch.setattr(InMemoryCueStore, "check", fail_too)
    server = VirtualServer({})
    server.service.drain()
    (tmp_path / "file").write_bytes(b"")
    sources = FileAudioSources([tmp_path, tmp_path / "missing", tmp_path / "file"])
    problems = Readiness(
        server.store, InMemoryCueStore(), sources, server.service, server.pump, server.clock
    ).problems()
    assert [str(problem) for problem in problems] == [
        "server: It is being shut down.",
        "catalog: It is locked.",
        "cues: It is damaged.",
        f"audio root {tmp_path / 'missing'}: No such file or directory.",
        f"audio root {tmp_path / 'file'}: Not a directory.",
    ]
    assert [problem.kind for problem in problems] == ["server", "catalog", "cues", "audio root", "audio root"]


def test_a_pump_that_does_not_turn_is_a_problem() -> None:
    """Until it turns again. A server that is busy, or has nothing to send, is ready."""
    server = VirtualServer({"s": bytes(100_000)})
    readiness = Readiness(server.store, InMemoryCueStore(), server.sources, server.service, server.pump, server.clock)
    server.clock.advance(100.0)
    assert readiness.problems() == []
    server.join("s")
    server.clock.advance(OVERDUE_SECONDS)
    assert readiness.problems() == []
    server.clock.advance(3.0)
    (problem,) = readiness.problems()
    assert str(problem) == "pump: Work has been due for 8 s and is not done: the log has the reason."
    server.run(1.0)
    assert readiness.problems() == []
