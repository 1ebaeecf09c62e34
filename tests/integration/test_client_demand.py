"""What a program that generates audio learns of those who wait for it."""

import asyncio
from types import SimpleNamespace

import pytest

from asf.client import demand
from asf.client.aio import demand as async_demand
from asf.client.aio.demand import AsyncDemandPoll
from asf.client.aio.internal_api import AsyncInternalApi
from asf.client.demand import POLL_SECONDS, DemandPoll
from asf.client.generated_audio import GeneratedAudio
from asf.client.internal_api import InternalApi
from asf.client.responses import Demand
from tests.support.processes import eventually
from tests.support.scripted_server import ScriptedServer

WANTED = (200, {"stream_id": "s", "epoch": "e", "listeners": 2, "needed_until": 5000})
UNWANTED = (200, {"stream_id": "s", "epoch": "e", "listeners": 0, "needed_until": None})
OTHERS = (200, {"stream_id": "s", "epoch": "other", "listeners": 7, "needed_until": 1})
OLD = (200, {"stream_id": "s", "epoch": "e"})
BROKEN = (500, {"error_code": "ASF_INTERNAL_ERROR", "message": "No."})

ANSWERS = (WANTED, UNWANTED, OTHERS, BROKEN, OLD)
EXPECTED = [Demand("s", "e", 2, 5000), Demand("s", "e", 0, None), None, None, None]


class Clock:
    """Stands in for the module `time`."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        """Return the time that was set."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds

    async def sleep_in_task(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds


def test_it_is_asked_for_by_reading_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """At most once a second. It is unknown until there is an answer, after an error, and if the server is older."""
    clock = Clock()
    monkeypatch.setattr(demand, "time", clock)
    with ScriptedServer(*ANSWERS) as server, InternalApi(server.url, None, 0) as api:
        poll = DemandPoll(api, "s", "e")
        audio = GeneratedAudio("s", "e", poll)
        assert audio.listeners is None
        seen: list[Demand | None] = []
        for _answer in ANSWERS:
            eventually(lambda: poll.is_answered)
            clock.now += POLL_SECONDS * 0.99
            seen.append(poll.latest)
            known = seen[-1] and (seen[-1].listeners, seen[-1].needed_until)
            assert (audio.listeners, audio.needed_until) == (known or (None, None))
            clock.now += POLL_SECONDS * 0.02
            assert poll.latest in {seen[-1], *EXPECTED}
        eventually(lambda: poll.is_answered)
    assert seen == EXPECTED
    assert len(server.requests) == len(ANSWERS) + 1
    assert {request["path"] for request in server.requests} == {"/asf/internal/streams/s"}


def test_an_asyncio_program_reads_it_likewise(monkeypatch: pytest.MonkeyPatch) -> None:
    """A task asks."""
    clock = Clock()
    monkeypatch.setattr(async_demand, "time", clock)

    async def run(url: str) -> list[Demand | None]:
        api = AsyncInternalApi(url, None, 0)
        poll = AsyncDemandPoll(api, "s", "e")
        assert poll.latest is None
        seen: list[Demand | None] = []
        for _answer in ANSWERS:
            await asyncio.to_thread(eventually, lambda: poll.is_answered)
            clock.now += POLL_SECONDS * 0.99
            seen.append(poll.latest)
            clock.now += POLL_SECONDS * 0.02
            assert poll.latest == seen[-1]
        await asyncio.to_thread(eventually, lambda: poll.is_answered)
        await api.close()
        return seen

    with ScriptedServer(*ANSWERS) as server:
        assert asyncio.run(run(server.url)) == EXPECTED
    assert len(server.requests) == len(ANSWERS) + 1


def test_audio_that_nobody_asks_about_is_unknown() -> None:
    """As in programs that make a `GrowingAudio` themselves."""
    audio = GeneratedAudio("s", "e")
    assert (audio.listeners, audio.needed_until) == (None, None)


ANNOUNCED = (200, {"stream_id": "s", "state": "generating", "epoch": "e"})
PATIENT_ANSWERS = (UNWANTED, UNWANTED, UNWANTED, ANNOUNCED, WANTED)
"""With an announcement after two seconds."""


def test_a_program_can_wait_for_demand(monkeypatch: pytest.MonkeyPatch) -> None:
    """Once a second, and the stream is announced again meanwhile; or for a limited time."""
    clock = Clock()
    monkeypatch.setattr(demand, "time", clock)
    monkeypatch.setattr(demand, "KEEP_SECONDS", 2.0)
    with ScriptedServer(*PATIENT_ANSWERS) as server, InternalApi(server.url, None, 0) as api:
        audio = GeneratedAudio("s", "e", DemandPoll(api, "s", "e", "/s.mp3"))
        assert audio.wait_until_wanted()
        assert clock.now == 103
        wanted = [audio.is_wanted]
        audio.total_bytes = 5000
        assert [*wanted, audio.is_wanted] == [True, False]
        assert not audio.wait_until_wanted(1.5)
        assert clock.now == 104.5
    assert [request["method"] for request in server.requests[:5]] == ["GET", "GET", "GET", "POST", "GET"]
    announcement = {"stream_id": "s", "filepath": "/s.mp3", "state": "generating"}
    assert server.requests[3]["body"] == announcement


def test_a_task_can_wait_for_demand(monkeypatch: pytest.MonkeyPatch) -> None:
    """Likewise."""
    clock = Clock()
    monkeypatch.setattr(async_demand, "time", clock)
    monkeypatch.setattr(demand, "KEEP_SECONDS", 2.0)
    monkeypatch.setattr(async_demand, "asyncio", SimpleNamespace(sleep=clock.sleep_in_task))

    async def run(url: str) -> None:
        api = AsyncInternalApi(url, None, 0)
        poll = AsyncDemandPoll(api, "s", "e")
        assert await poll.wait_until_beyond(0, None)
        assert clock.now == 103
        assert not await poll.wait_until_beyond(5000, 1.5)
        assert clock.now == 104.5
        await api.close()

    with ScriptedServer(*PATIENT_ANSWERS) as server:
        asyncio.run(run(server.url))
    assert [request["method"] for request in server.requests[:5]] == ["GET", "GET", "GET", "POST", "GET"]


def test_nobody_waits_for_a_server_that_does_not_answer() -> None:
    """Audio is generated as if everybody wanted it."""
    with InternalApi("http://127.0.0.1:9", None, 0) as api:
        audio = GeneratedAudio("s", "e", DemandPoll(api, "s", "e"))
        assert audio.wait_until_wanted()
        assert audio.is_wanted
