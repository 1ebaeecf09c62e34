"""The Python clients while updates are fast: they send them by line, and lose, repeat and reorder nothing."""

import asyncio
import threading
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import requests

from asf.client import BackendClient, Delivered, RequestRejected, ServerUnreachable, line_pace
from asf.client import update_sender as blocking
from asf.client.aio import AsyncBackendClient, line_request
from asf.client.line_pace import FAST_UPDATES
from tests.integration.test_update_lines import TOKEN, recovered
from tests.support.bounds import PATIENCE_SECONDS
from tests.support.cutting_proxy import CuttingProxy
from tests.support.fixtures import StartServer
from tests.support.mortal_server import MortalServer
from tests.support.plain_proxies import PlainProxy
from tests.support.processes import ServerProcess, eventually
from tests.support.proxies import Nginx
from tests.support.redis_server import RedisServer
from tests.support.scripted_server import ScriptedServer

Updates = list[tuple[str, str, Any]]
Results = list[Delivered | Exception]
SendAll = Callable[..., Results]

DELIVERED = {"status": "success", "seq": 3, "epoch": "e", "subscribers": 2, "duplicate": False}


@pytest.fixture(autouse=True)
def _fast_on_any_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let updates be fast however long they take."""
    monkeypatch.setattr(line_pace, "FAST_SECONDS", 3600.0)


def send_blocking(url: str, updates: Updates, **options: Any) -> Results:
    """Send updates one after the other."""
    results: Results = []
    with BackendClient(url, **options) as backend:
        for update in updates:
            try:
                results.append(backend.send_ui_update(*update))
            except (RequestRejected, ServerUnreachable) as error:
                results.append(error)
    return results


def send_concurrently(url: str, updates: Updates, **options: Any) -> Results:
    """Send updates all at once, after enough that the client knows the server."""

    async def send_all() -> list[Delivered | BaseException]:
        async with AsyncBackendClient(url, **options) as backend:
            first = [await caught(backend, update) for update in updates[: FAST_UPDATES + 2]]
            return first + list(await asyncio.gather(*(caught(backend, one) for one in updates[FAST_UPDATES + 2 :])))

    return asyncio.run(send_all())  # type: ignore[arg-type]


def send_in_turns(url: str, updates: Updates, **options: Any) -> Results:
    """Send updates one after the other, from a task."""

    async def send_all() -> Results:
        async with AsyncBackendClient(url, **options) as backend:
            return [await caught(backend, update) for update in updates]

    return asyncio.run(send_all())


async def caught(backend: AsyncBackendClient, update: tuple[str, str, Any]) -> Any:
    """Return the result of an update, or its error."""
    try:
        return await backend.send_ui_update(*update)
    except (RequestRejected, ServerUnreachable) as error:
        return error


WAYS = pytest.mark.parametrize("send_all", [send_blocking, send_in_turns, send_concurrently])


def requests_to(server: ServerProcess, route: str) -> float:
    """Return how many requests a route has answered."""
    prefix = f'asf_http_requests_total{{route="/asf/internal/{route}"'
    return sum(float(line.rsplit(" ", 1)[1]) for line in server.metrics().splitlines() if line.startswith(prefix))


def numbers(client_id: str, total: int) -> Updates:
    """Return updates with numbers."""
    return [(client_id, "n", number) for number in range(total)]


def sequence(results: Results) -> list[int]:
    """Return the numbers that the server gave to updates, all of which were delivered."""
    assert not [result for result in results if not isinstance(result, Delivered)], results
    return [result.seq for result in results if isinstance(result, Delivered)]


@WAYS
def test_fast_updates_share_a_request(start_server: StartServer, send_all: SendAll) -> None:
    """After the first ones: one request finds out whether the server knows lines."""
    server = start_server()
    assert sequence(send_all(server.url, numbers("fast", 300))) == list(range(1, 301))
    assert requests_to(server, "send_ui_update") == FAST_UPDATES - 1
    assert requests_to(server, "send_ui_updates") == 2
    assert recovered(server, "fast") == list(range(300))


@WAYS
def test_an_error_reaches_its_sender(server: ServerProcess, send_all: SendAll) -> None:
    """And nobody else; one that is too long for a line has a request of its own."""
    client_id = f"errors-{send_all.__name__}"
    updates: Updates = []
    for number in range(60):
        updates += [(client_id, "n", number), (client_id, "connect", number)]
    updates.append((client_id, "n", "x" * 1024 * 1024))
    results = send_all(server.url, updates)
    assert sequence(results[:-1:2]) == list(range(1, 61))
    for error in results[1:-1:2]:
        assert isinstance(error, RequestRejected)
        assert (error.error_code, error.status) == ("ASF_SENDUI_INVALID_EVENT_NAME", 400)
    assert isinstance(results[-1], RequestRejected)
    assert results[-1].error_code == "ASF_PAYLOAD_TOO_LARGE"


@WAYS
@pytest.mark.parametrize("status", [400, 404, 406, 415])
def test_a_server_that_knows_no_lines(send_all: SendAll, status: int) -> None:
    """Each update has a request of its own, and the same key as the attempt."""
    rejection = (status, {"error_code": "ASF_SENDUI_INVALID_PAYLOAD", "message": "No."})
    answers = [*[(200, DELIVERED)] * (FAST_UPDATES - 1), rejection, (200, DELIVERED)]
    with ScriptedServer(*answers) as server:
        assert sequence(send_all(server.url, numbers("old", 30))) == [3] * 30
    paths = [request["path"].rsplit("/", 1)[1] for request in server.requests]
    assert paths.count("send_ui_updates") == 1
    assert paths.count("send_ui_update") == 30
    attempt = next(request for request in server.requests if request["path"].endswith("updates"))
    following = server.requests[server.requests.index(attempt) + 1]
    assert following["body"] == attempt["body"]


@WAYS
@pytest.mark.parametrize("towards_server", [False, True], ids=["answers", "lines"])
def test_cuts_lose_and_repeat_nothing(server: ServerProcess, send_all: SendAll, towards_server: bool) -> None:
    """In order: what was not answered is sent again with its key."""
    client_id = f"cuts-{send_all.__name__}-{towards_server}"
    proxy = CuttingProxy(server.port, count(2500, 7919), towards_server=towards_server)
    try:
        results = send_all(proxy.url, numbers(client_id, 400))
    finally:
        proxy.close()
    assert proxy.cuts_made >= 3
    assert sequence(results) == list(range(1, 401))
    assert recovered(server, client_id) == list(range(400))


@WAYS
def test_a_server_that_is_killed(tmp_path: Path, send_all: SendAll) -> None:
    """And comes back: every update is delivered, by the first or the second, in the order of the calls."""
    with MortalServer(tmp_path) as server:
        url = server.process.url
        done: list[Results] = []
        sending = threading.Thread(target=lambda: done.append(send_all(url, numbers("mortal", 3000), retries=20)))
        sending.start()
        eventually(lambda: requests_to(server.process, "send_ui_updates") >= 2)
        server.kill_and_restart()
        sending.join()
        (results,) = done
        assert [result for result in results if not isinstance(result, Delivered)] == []
        epochs = [result.epoch for result in results if isinstance(result, Delivered)]
        if len(set(epochs)) == 2:  # Else the first had answered all of them in time.
            after = epochs.index(epochs[-1])
            assert epochs == [epochs[0]] * after + [epochs[-1]] * (len(epochs) - after)
            assert sequence(results[after:]) == list(range(1, len(results) - after + 1))


@WAYS
def test_a_server_that_drains(tmp_path: Path, send_all: SendAll) -> None:
    """Its requests by line end; the rest of the updates go on one by one, and reach it."""
    server = ServerProcess(tmp_path, {"ASF_DRAIN_SECONDS": "3600"})
    server.announce("s", b"x" * 10_000_000)
    done: list[Results] = []
    sending = threading.Thread(target=lambda: done.append(send_all(server.url, numbers("drain", 1500))))
    sending.start()
    eventually(lambda: requests_to(server, "send_ui_updates") >= 2)
    with requests.get(server.stream_url("s"), stream=True, timeout=PATIENCE_SECONDS) as listener:
        listener.raw.read(1)
        server.process.terminate()
        sending.join()
    assert sequence(done[0]) == list(range(1, 1501))
    assert server.wait() == 0


@WAYS
def test_a_redis_that_is_away_for_a_while(
    start_server: StartServer, mortal_redis: RedisServer, send_all: SendAll
) -> None:
    """Updates are sent again until it takes them."""
    server = start_server({"ASF_REDIS_URL": mortal_redis.url})
    done: list[Results] = []
    sending = threading.Thread(target=lambda: done.append(send_all(server.url, numbers("redis", 200), retries=20)))
    lines = len(server.log)
    mortal_redis.hang()
    sending.start()
    eventually(lambda: any("ASF_REDIS_URL" in line or "Redis" in line for line in server.log[lines:]))
    mortal_redis.resume()
    sending.join()
    assert sorted(set(sequence(done[0]))) == list(range(1, 201))


@pytest.fixture
def impatience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the clients wait for the first answer only briefly."""
    for module in (blocking, line_request):
        monkeypatch.setattr(module, "FIRST_ANSWER_SECONDS", 0.2)


@WAYS
@pytest.mark.usefixtures("impatience")
def test_a_proxy_that_keeps_lines_back(start_server: StartServer, tmp_path: Path, send_all: SendAll) -> None:
    """As nginx does by default. After one attempt each update has a request of its own."""
    server = start_server({"ASF_INTERNAL_API_TOKEN": TOKEN})
    proxy = PlainProxy("nginx", tmp_path / "nginx", server.port)
    try:
        results = send_all(proxy.url, numbers("kept", 60), token=TOKEN)
    finally:
        proxy.stop()
    assert sequence(results) == list(range(1, 61))
    assert recovered(server, "kept") == list(range(60))
    assert requests_to(server, "send_ui_updates") == 1
    assert requests_to(server, "send_ui_update") == 59


@WAYS
def test_through_a_proxy_that_passes_lines_on(start_server: StartServer, tmp_path: Path, send_all: SendAll) -> None:
    """HAProxy with its defaults."""
    server = start_server({"ASF_INTERNAL_API_TOKEN": TOKEN})
    proxy = PlainProxy("haproxy", tmp_path / "haproxy", server.port)
    try:
        assert sequence(send_all(proxy.url, numbers("passed", 100), token=TOKEN)) == list(range(1, 101))
    finally:
        proxy.stop()
    assert requests_to(server, "send_ui_updates") == 2


@WAYS
def test_through_the_proxy_of_deploy(start_server: StartServer, tmp_path: Path, send_all: SendAll) -> None:
    """nginx.conf passes lines on as they come."""
    server = start_server({"ASF_INTERNAL_API_TOKEN": TOKEN})
    proxy = Nginx(tmp_path / "nginx", [server.port] * 3)
    try:
        results = send_all(proxy.internal_url, numbers("deploy", 100), token=TOKEN)
    finally:
        proxy.stop()
    assert sequence(results) == list(range(1, 101))
    assert requests_to(server, "send_ui_updates") == 2


def test_a_pause_ends_the_request(server: ServerProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that no connection stays open for updates that are rare."""
    for module in (blocking, line_request):
        monkeypatch.setattr(module, "IDLE_SECONDS", 0.1)
    with BackendClient(server.url) as backend:
        for number in range(20):
            backend.send_ui_update("pause", "n", number)
        before = requests_to(server, "send_ui_update")
        time.sleep(0.2)
        monkeypatch.setattr(line_pace, "FAST_SECONDS", 0.0)
        backend.send_ui_update("pause", "n", 20)
        assert requests_to(server, "send_ui_update") == before + 1

    async def scenario() -> None:
        monkeypatch.setattr(line_pace, "FAST_SECONDS", 3600.0)
        async with AsyncBackendClient(server.url) as client:
            for number in range(20):
                await client.send_ui_update("pause", "n", number)
            others = asyncio.all_tasks() - {asyncio.current_task()}
            await asyncio.gather(*others, return_exceptions=True)  # until that of the request has ended
            before = requests_to(server, "send_ui_update")
            monkeypatch.setattr(line_pace, "FAST_SECONDS", 0.0)
            await client.send_ui_update("pause", "n", 20)
            assert requests_to(server, "send_ui_update") == before + 1

    asyncio.run(scenario())


def test_a_sender_that_is_cancelled(server: ServerProcess) -> None:
    """The others have their own results; so have those that wait when the client is closed."""

    async def scenario() -> None:
        client = AsyncBackendClient(server.url)
        for number in range(20):
            await client.send_ui_update("cancel", "n", number)
        tasks = [asyncio.create_task(client.send_ui_update("cancel", "n", number)) for number in range(20, 60)]
        await asyncio.sleep(0)
        for task in tasks[::2]:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(isinstance(result, asyncio.CancelledError) for result in results[::2])
        kept = [result.seq for result in results[1::2] if isinstance(result, Delivered)]
        assert len(kept) == 20
        assert kept == sorted(kept)
        late = asyncio.create_task(client.send_ui_update("cancel", "n", 60))
        await asyncio.sleep(0)
        await client.close()
        (result,) = await asyncio.gather(late, return_exceptions=True)
        assert isinstance(result, Delivered | ServerUnreachable)

    asyncio.run(scenario())
