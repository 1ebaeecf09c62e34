"""Several servers on one Redis count the listeners of all, and one of them reports the first and the last one."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.integration.test_demand import ENDED, FIRST, LEFT, demand_for, generate
from tests.support.bounds import PATIENCE_SECONDS
from tests.support.engineio_wire import join
from tests.support.processes import ServerProcess, eventually
from tests.support.redis_server import RedisServer
from tests.support.webhook_receiver import SECRET, WebhookReceiver

Servers = tuple[ServerProcess, ServerProcess]


@pytest.fixture
def receiver() -> Iterator[WebhookReceiver]:
    """Return a receiver of the webhooks of both servers."""
    with WebhookReceiver() as receiver:
        yield receiver


@pytest.fixture
def grace_seconds() -> float:
    """Return how long a stream must be without listeners."""
    return 1.0


@pytest.fixture
def servers(
    tmp_path: Path, mortal_redis: RedisServer, receiver: WebhookReceiver, grace_seconds: float
) -> Iterator[Servers]:
    """Return two servers on one Redis, whose leases last two seconds."""
    settings = {
        "ASF_REDIS_URL": mortal_redis.url,
        "ASF_WEBHOOK_URL": receiver.url,
        "ASF_WEBHOOK_SECRET": SECRET,
        "TEST_BEAT_SECONDS": "2",
        "TEST_LOOK_SECONDS": "0.5",
        "TEST_GRACE_SECONDS": str(grace_seconds),
        "TEST_CONFIRMATION_SECONDS": str(PATIENCE_SECONDS),
    }
    both = (ServerProcess(tmp_path, settings, observed=True), ServerProcess(tmp_path, settings, observed=True))
    yield both
    for server in both:
        if server.process.poll() is None:  # Some tests kill one.
            assert server.stop() == 0, "".join(server.log)
        assert not any("Traceback (" in line for line in server.log), "".join(server.log)


def test_each_server_knows_the_listeners_of_all(servers: Servers) -> None:
    """And the furthest byte that one of them needs, as it moves."""
    generate(servers[0])
    with closing(join(servers[0], window=5000)) as here, closing(join(servers[1], window=9000)) as there:
        for listener in (here, there):
            listener.receive_until_bytes(4096)
        for server in servers:
            eventually(lambda: demand_for(server) == (2, 9000))  # noqa: B023
        there.emit("audio_ack", {"received": 4096})
        eventually(lambda: demand_for(servers[0]) == (2, 9000 + 4096))
    for server in servers:
        eventually(lambda: demand_for(server) == (0, None))  # noqa: B023


def test_events_are_about_the_cluster(servers: Servers, receiver: WebhookReceiver) -> None:
    """Listeners on both servers: the first one and the last one are reported once, as is the end."""
    path = generate(servers[0])
    with closing(join(servers[1])) as last:
        last.receive_until("start_of_stream")
        receiver.wait_for(1)
        with closing(join(servers[0])) as other:
            other.receive_until("start_of_stream")
            eventually(lambda: demand_for(servers[1])[0] == 2)
        eventually(lambda: demand_for(servers[1])[0] == 1)
        servers[0].notify("s", str(path)).raise_for_status()
        last.receive_until("end_of_stream")
    receiver.wait_for(3)
    servers[0].announce("then", b"audio")  # Whatever was reported before has arrived when this has.
    eventually(lambda: (ENDED, "then") in receiver.events)
    assert receiver.events == [(FIRST, "s"), (ENDED, "s"), (LEFT, "s"), (ENDED, "then")]


def test_the_listeners_of_a_killed_server_count_until_its_lease_ends(
    servers: Servers, receiver: WebhookReceiver
) -> None:
    """Kill -9: another server reports that the last one has left."""
    generate(servers[0])
    with closing(join(servers[1], window=5000)) as listener:
        listener.receive_until_bytes(4096)
        eventually(lambda: demand_for(servers[0]) == (1, 5000))
        assert receiver.wait_for(1)[0].what == (FIRST, "s")
        servers[1].kill()
    eventually(lambda: demand_for(servers[0]) == (0, None))
    eventually(lambda: receiver.events == [(FIRST, "s"), (LEFT, "s")])


class TestMoving:
    """Listeners that resume on another server."""

    @pytest.fixture
    def grace_seconds(self) -> float:
        return PATIENCE_SECONDS

    def test_a_listener_whose_server_was_killed_has_not_left(
        self, servers: Servers, receiver: WebhookReceiver
    ) -> None:
        """It is back in time, and is not the first one there."""
        path = generate(servers[0])
        with closing(join(servers[1], window=5000)) as listener:
            listener.receive_until_bytes(4096)
            receiver.wait_for(1)
            servers[1].kill()
        with closing(join(servers[0], window=5000, offset=4096)) as listener:
            listener.receive_until_bytes(4096)
            eventually(lambda: demand_for(servers[0]) == (1, 9096))
            servers[0].notify("s", str(path)).raise_for_status()
            receiver.wait_for(2)
        assert receiver.events == [(FIRST, "s"), (ENDED, "s")]

    def test_a_server_that_is_stopped_has_no_listeners_at_once(
        self, servers: Servers, mortal_redis: RedisServer
    ) -> None:
        """It gives up its lease."""
        generate(servers[0])
        with closing(join(servers[1], window=5000)) as listener:
            listener.receive_until_bytes(4096)
            eventually(lambda: demand_for(servers[0]) == (1, 5000))
            with closing(mortal_redis.client()) as client:
                assert len(client.keys("asf:1:listeners:server:*")) == 2
                assert servers[1].stop() == 0
                assert len(client.keys("asf:1:listeners:server:*")) == 1
        assert demand_for(servers[0]) == (0, None)


def test_redis_is_killed_under_listeners(servers: Servers, mortal_redis: RedisServer) -> None:
    """They are counted again when it is back, without what it knew."""
    generate(servers[0])
    with closing(join(servers[0], window=5000)) as here, closing(join(servers[1], window=9000)) as there:
        for listener in (here, there):
            listener.receive_until_bytes(4096)
        eventually(lambda: demand_for(servers[0]) == (2, 9000))
        mortal_redis.kill()
        mortal_redis.start()
        generate(servers[0])  # The catalog was lost, too; another epoch would not be that of the listeners.
        eventually(lambda: demand_for(servers[0])[0] == 2)
        eventually(lambda: demand_for(servers[1])[0] == 2)
