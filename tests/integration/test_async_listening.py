"""`listen` and `watch` of the asyncio client: as the blocking ones."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import pytest

from asf.client import Missed, RequestRejected, ServerUnreachable, StreamRejected, Subscribed, Update
from asf.client.aio import AsyncBackendClient, listen, watch
from tests.support.bounds import PATIENCE_SECONDS
from tests.support.cutting_proxy import CuttingProxy
from tests.support.fixtures import StartServer, audio_of
from tests.support.processes import ServerProcess, eventually

# A response that is cut while it is read is left unclosed by python-engineio; aiohttp closes it, and warns.
pytestmark = pytest.mark.filterwarnings("ignore:Unclosed connection:ResourceWarning")

FAST = {"ASF_STREAM_SLEEP_INTERVAL": "0"}
AUDIO = audio_of(8_000_001)
SUBSCRIPTIONS, SESSIONS = "asf_ui_subscriptions {}.0\n", "asf_listeners {}.0\n"
CUES = [{"start": number / 10, "text": str(number), "id": str(number)} for number in range(1200)]


def test_every_byte_and_every_cue_comes_once_however_often_the_connection_is_cut(start_server: StartServer) -> None:
    """In order: it resumes where it was. What takes the audio may take its time."""
    server = start_server(FAST)
    server.announce("s", AUDIO)
    heard, cues, starts = bytearray(), list[Any](), list[Any]()
    proxy = CuttingProxy(server.port, iter((1_000_000, 3_000_000, 6_000_000)))

    async def write(piece: bytes) -> None:
        await asyncio.sleep(0)
        heard.extend(piece)

    async def scenario() -> None:
        async with AsyncBackendClient(server.url) as backend:
            await backend.add_cues("s", CUES)
        await listen(proxy.url, "s", write, starts.append, on_cues=lambda received: cues.extend(received.cues))

    asyncio.run(scenario())
    proxy.close()
    assert proxy.cuts_made == 3
    assert heard == AUDIO
    assert [cue["id"] for cue in cues] == [cue["id"] for cue in CUES]
    assert [(start.stream_id, start.total_bytes) for start in starts] == [("s", len(AUDIO))]


def test_updates_that_were_missed_come_after_a_cut(server: ServerProcess) -> None:
    """The caller is told once that it is subscribed."""

    async def scenario() -> list[object]:
        seen: list[object] = []
        async with aclosing(watch(proxy.url, "cut")) as items, AsyncBackendClient(server.url) as backend:
            async for item in items:
                seen.append(item)
                if len(seen) == 3:
                    return seen
                await backend.send_ui_update("cut", "e", len(seen))
                proxy.cut()
        return seen

    proxy = CuttingProxy(server.port, iter([]))
    first, *updates = asyncio.run(asyncio.wait_for(scenario(), PATIENCE_SECONDS))
    assert first == Subscribed()
    assert [(one.event_name, one.data) for one in updates if isinstance(one, Update)] == [("e", 1), ("e", 2)]
    assert Missed() not in updates
    proxy.close()


def test_a_cancelled_task_leaves_nothing_behind(server: ServerProcess) -> None:
    """Neither a session nor a subscription, nor tasks."""

    async def collect(items: AsyncIterator[object]) -> None:
        async for _ in items:
            pass

    async def scenario() -> None:
        before = len(asyncio.all_tasks())
        watching = watch(server.url, "cancelled")
        tasks = [
            asyncio.ensure_future(listen(server.url, "later", lambda _piece: None, wait=True)),
            asyncio.ensure_future(collect(watching)),
        ]
        await asyncio.to_thread(eventually, lambda: SUBSCRIPTIONS.format(1) in server.metrics())
        await asyncio.to_thread(eventually, lambda: SESSIONS.format(1) in server.metrics())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.to_thread(eventually, lambda: SUBSCRIPTIONS.format(0) in server.metrics())
        await asyncio.to_thread(eventually, lambda: SESSIONS.format(0) in server.metrics())
        while len(asyncio.all_tasks()) > before:  # noqa: ASYNC110 - the library's tasks tell nobody of their end
            await asyncio.sleep(0.01)

    asyncio.run(asyncio.wait_for(scenario(), PATIENCE_SECONDS))


def test_errors_are_those_of_the_blocking_client(server: ServerProcess) -> None:
    """At once where nothing was joined; one that a callback raises ends it."""

    async def listening(url: str, stream_id: str, **options: Any) -> None:
        await listen(url, stream_id, lambda _piece: None, **options)

    def fail(_start: object) -> None:
        raise ZeroDivisionError

    async def first(url: str, client_id: str) -> None:
        async with aclosing(watch(url, client_id)) as items:
            await anext(items)

    server.announce("s", AUDIO[:10])
    with pytest.raises(StreamRejected, match="ASF_STREAM_NOT_FOUND"):
        asyncio.run(listening(server.url, "unknown"))
    with pytest.raises(ZeroDivisionError):
        asyncio.run(listening(server.url, "s", on_start=fail))
    with pytest.raises(RequestRejected, match="ASF_SUBSCRIBE_INVALID_PAYLOAD"):
        asyncio.run(first(server.url, "x" * 256))
    for attempt in (listening, first):
        with pytest.raises(ServerUnreachable, match=r"No ASF server responded at http://127.0.0.1:9: .*[^.]\.$"):
            asyncio.run(attempt("http://127.0.0.1:9", "s"))
