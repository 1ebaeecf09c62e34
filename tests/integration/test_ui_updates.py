"""UI updates, from a backend's POST to exactly the client that waits."""

import asyncio
from collections.abc import Callable
from typing import Any, Self

import pytest
import socketio

from tests.support.bounds import PATIENCE_SECONDS
from tests.support.fixtures import StartServer
from tests.support.processes import ServerProcess, eventually

Events = list[tuple[Any, ...]]


class Subscriber:
    """A browser tab: connects, subscribes, keeps what it is sent."""

    def __init__(self, url: str, transports: list[str], namespace: str = "/ui_updates") -> None:
        self.events: Events = []
        self._changed = asyncio.Condition()
        self._url = url
        self._transports = transports
        self._namespace = namespace
        self._client = socketio.AsyncClient(reconnection=False, request_timeout=PATIENCE_SECONDS)

    async def __aenter__(self) -> Self:
        self._client.on("*", self._take, namespace=self._namespace)
        await self._client.connect(
            self._url, namespaces=[self._namespace], transports=self._transports, wait_timeout=PATIENCE_SECONDS
        )
        return self

    async def __aexit__(self, *_exception: object) -> None:
        await self._client.disconnect()

    async def subscribe(self, *payload: Any) -> None:
        await self._client.emit("subscribe_to_ui_updates", *payload, namespace=self._namespace)

    async def unsubscribe(self, *payload: Any) -> None:
        await self._client.emit("unsubscribe_from_ui_updates", *payload, namespace=self._namespace)

    async def until(self, condition: Callable[[Events], Any]) -> None:
        async with self._changed:
            await asyncio.wait_for(self._changed.wait_for(lambda: condition(self.events)), PATIENCE_SECONDS)

    async def _take(self, *event: Any) -> None:
        self.events.append(event)
        async with self._changed:
            self._changed.notify_all()


def has(name: str) -> Callable[[Events], bool]:
    """Return whether an event of that name came."""
    return lambda events: any(event[0] == name for event in events)


@pytest.mark.parametrize("transports", [["polling"], ["websocket"], ["polling", "websocket"]])
def test_an_update_reaches_its_client_and_nobody_else(server: ServerProcess, transports: list[str]) -> None:
    """With the documented greetings, and exactly one argument."""

    async def scenario() -> None:
        async with Subscriber(server.url, transports) as alice, Subscriber(server.url, transports) as bob:
            await alice.subscribe({"client_id": "alice"})
            await bob.subscribe({"client_id": "bob"})
            await alice.until(has("subscribed_ui_updates"))
            await bob.until(has("subscribed_ui_updates"))
            data = {"percentage": 50, "step": "ümläut", "nested": [None, {"a": 1.5}]}
            answer = await asyncio.to_thread(server.send_ui_update, "alice", "generation_progress", data)
            assert answer.status_code == 200
            assert answer.json()["subscribers"] == 1
            await asyncio.to_thread(server.send_ui_update, "bob", "task_completed", None)
            await alice.until(has("generation_progress"))
            await bob.until(has("task_completed"))
            greeting = {"message": "Connected to ASF UI updates on namespace /ui_updates."}
            confirmation = {
                "status": "success",
                "client_id": "alice",
                "subscribed_to_room": "alice",
                "epoch": answer.json()["epoch"],
                "seq": answer.json()["seq"] - 1,
            }
            assert alice.events == [
                ("ui_connection_ack", greeting),
                ("subscribed_ui_updates", confirmation),
                ("generation_progress", data),
            ]
            assert bob.events[2:] == [("task_completed", None)]

    asyncio.run(scenario())


def test_updates_arrive_in_order_on_every_tab(server: ServerProcess) -> None:
    """Two tabs of one client, more updates than one poll may carry."""

    async def scenario() -> None:
        async with Subscriber(server.url, ["polling"]) as first, Subscriber(server.url, ["websocket"]) as second:
            for tab in (first, second):
                await tab.subscribe({"client_id": "carol"})
                await tab.until(has("subscribed_ui_updates"))

            def send_all() -> list[int]:
                return [server.send_ui_update("carol", "n", number).json()["subscribers"] for number in range(60)]

            assert await asyncio.to_thread(send_all) == [2] * 60
            for tab in (first, second):
                await tab.until(lambda events: len(events) == 62)
                assert tab.events[2:] == [("n", number) for number in range(60)]

    asyncio.run(scenario())


def test_nobody_subscribed_is_no_error(server: ServerProcess) -> None:
    """The answer tells."""
    answer = server.send_ui_update("nobody", "e", 1)
    assert (answer.status_code, answer.json()["subscribers"]) == (200, 0)


@pytest.mark.parametrize(
    "payload",
    [
        (),
        (None,),
        ("alice",),
        (5,),
        ([],),
        ({},),
        ({"client_id": 5},),
        ({"client_id": " "},),
        ({"client_id": "x" * 256},),
    ],
)
def test_subscriptions_of_the_wrong_shape(server: ServerProcess, payload: tuple[Any, ...]) -> None:
    """Each gets the contract's error, and the connection goes on."""

    async def scenario() -> None:
        async with Subscriber(server.url, ["websocket"]) as subscriber:
            await subscriber.subscribe(*payload)
            await subscriber.until(has("ui_error"))
            error = subscriber.events[-1][1]
            assert error["message"] == "client_id is required for UI update subscription."
            assert error["error_code"] == "ASF_SUBSCRIBE_INVALID_PAYLOAD"
            await subscriber.subscribe({"client_id": "dave"})
            await subscriber.until(has("subscribed_ui_updates"))

    asyncio.run(scenario())


def test_a_connection_that_is_gone_does_not_count(server: ServerProcess) -> None:
    """Its subscriptions go with it."""

    async def scenario() -> None:
        async with Subscriber(server.url, ["websocket"]) as tab:
            await tab.subscribe({"client_id": "erin"})
            await tab.until(has("subscribed_ui_updates"))

        def subscribers() -> int:
            return int(server.send_ui_update("erin", "e", 1).json()["subscribers"])

        await asyncio.to_thread(eventually, lambda: subscribers() == 0)

    asyncio.run(scenario())


def test_the_namespace_is_configurable(start_server: StartServer) -> None:
    """And its greeting names it."""
    server = start_server({"ASF_UI_UPDATES_NAMESPACE": "/progress"})

    async def scenario() -> None:
        async with Subscriber(server.url, ["websocket"], "/progress") as tab:
            await tab.until(has("ui_connection_ack"))
            assert tab.events[0][1]["message"] == "Connected to ASF UI updates on namespace /progress."
            await tab.subscribe({"client_id": "alice"})
            await tab.until(has("subscribed_ui_updates"))
            assert (await asyncio.to_thread(server.send_ui_update, "alice", "e", 1)).json()["subscribers"] == 1
            await tab.until(has("e"))

    asyncio.run(scenario())


def test_a_server_without_a_namespace_refuses_updates(start_server: StartServer) -> None:
    """With the documented code; audio is not concerned."""
    server = start_server({"ASF_UI_UPDATES_NAMESPACE": ""})
    answer = server.send_ui_update("alice", "e", 1)
    assert (answer.status_code, answer.json()["error_code"]) == (500, "ASF_CONFIG_ERROR_UI_NAMESPACE")
