"""Several servers on one Redis are one: what is announced on one is heard on each."""

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
import requests

from tests.support.bounds import PATIENCE_SECONDS
from tests.support.engineio_wire import WireListener, join
from tests.support.fixtures import StartServer, audio_of
from tests.support.plain_websocket import PlainListener
from tests.support.processes import ServerProcess, eventually
from tests.support.redis_server import RedisServer

AUDIO = audio_of(300_001)
PATIENT = {"TEST_CONFIRMATION_SECONDS": str(PATIENCE_SECONDS)}

Servers = tuple[ServerProcess, ServerProcess]


@pytest.fixture
def servers(tmp_path: Path, persistent_redis: RedisServer) -> Iterator[Servers]:
    """Return two servers on one Redis and one audio root."""
    settings = {"ASF_REDIS_URL": persistent_redis.url, "ASF_STALL_SECONDS": "3600"} | PATIENT
    first, second = (ServerProcess(tmp_path, settings, observed=True) for _ in range(2))
    both = first, second
    yield both
    for server in both:
        if server.process.poll() is None:  # Some tests kill one.
            assert server.stop() == 0, "".join(server.log)
        assert not any("Traceback (" in line for line in server.log), "".join(server.log)


def receive(listener: WireListener, length: int) -> None:
    """Let the listener receive until it has so many bytes."""
    while len(listener.audio) < length:
        listener.receive()


def status_of(server: ServerProcess, route: str) -> int:
    """Return the status that a route answers with."""
    return requests.get(server.url + route, timeout=PATIENCE_SECONDS).status_code


def test_who_waits_on_one_server_hears_what_is_announced_on_another(servers: Servers) -> None:
    """From its first byte to its end, as it is written."""
    first, second = servers
    waiting = join(second, wait=True)
    assert waiting.receive_until("stream_status")["status"] == "waiting"
    path = first.audio_root / "s.mp3"
    path.write_bytes(AUDIO[:100_000])
    epoch = first.notify("s", str(path), state="generating").json()["epoch"]
    assert waiting.receive_until("start_of_stream")["epoch"] == epoch
    late = PlainListener(first.url, "s")
    late.receive_until_bytes(100_000)
    with path.open("ab") as file:
        file.write(AUDIO[100_000:])
    assert second.notify("s", str(path), state="complete").json()["epoch"] == epoch
    assert waiting.receive_until("end_of_stream")["total_bytes"] == len(AUDIO)
    assert late.receive_to_the_end() == 1000
    assert waiting.audio == late.audio == AUDIO
    waiting.close()


def test_what_one_server_gives_up_has_failed_on_all(start_server: StartServer, persistent_redis: RedisServer) -> None:
    """Its listener waits for the producer in vain; one elsewhere ends with it, and later ones receive the reason."""
    settings = {"ASF_REDIS_URL": persistent_redis.url} | PATIENT
    hasty = start_server(settings | {"ASF_STALL_GIVE_UP_SECONDS": "1"}, observed=True)
    other = start_server(settings | {"ASF_STALL_GIVE_UP_SECONDS": "3600"}, observed=True)
    path = hasty.audio_root / "s.mp3"
    path.write_bytes(AUDIO)
    other.notify("s", str(path), state="generating").raise_for_status()
    elsewhere, first = PlainListener(other.url, "s"), PlainListener(hasty.url, "s")
    for listener in (first, elsewhere):
        assert listener.receive_to_the_end() == 4410
        assert listener.audio == AUDIO
    assert first.messages[-1]["error_code"] == "ASF_STREAM_STALLED"
    later = PlainListener(other.url, "s")
    assert later.receive_to_the_end() == 4410
    for listener in (elsewhere, later):
        error = listener.messages[-1]
        assert error["error_code"] == "ASF_GENERATION_FAILED"
        assert error["details"] == "The audio has not grown for 1 s."


@pytest.mark.parametrize(
    ("what", "error_code"),
    [
        ("failed", "ASF_GENERATION_FAILED"),
        ("deleted", "ASF_STREAM_NOT_FOUND"),
        ("made anew", "ASF_EPOCH_CHANGED"),
    ],
)
def test_what_becomes_of_a_stream_is_heard_everywhere(servers: Servers, what: str, error_code: str) -> None:
    """On the server where it was said as well as on the other, and after all that there is of it."""
    path = servers[0].audio_root / "s.mp3"
    path.write_bytes(AUDIO[:50_000])
    servers[0].notify("s", str(path), state="generating")
    listeners = [join(server) for server in servers]
    for listener in listeners:
        listener.receive_until("start_of_stream")
    say: dict[str, Callable[[], requests.Response]] = {
        "failed": lambda: servers[1].notify("s", str(path), state="failed", reason="Out of voice."),
        "deleted": lambda: requests.delete(f"{servers[1].url}/asf/internal/streams/s", timeout=PATIENCE_SECONDS),
        "made anew": lambda: servers[1].notify("s", str(path.with_name("other.mp3")), state="generating"),
    }
    say[what]().raise_for_status()
    for listener in listeners:
        error = listener.receive_until("stream_error")
        assert error["error_code"] == error_code
        assert listener.audio == AUDIO[:50_000]
        assert error["offset"] == 50_000
        listener.close()


def test_a_listener_goes_on_at_another_server(servers: Servers) -> None:
    """With the offset and the epoch that it has; and by URL with the same ETag."""
    servers[0].announce("s", AUDIO)
    listener = join(servers[0])
    epoch = listener.receive_until("start_of_stream")["epoch"]
    receive(listener, 30_000)
    heard = bytes(listener.audio)
    servers[0].kill()
    listener.close()
    listener = join(servers[1], offset=len(heard), epoch=epoch)
    listener.receive_until("end_of_stream")
    assert heard + listener.audio == AUDIO
    listener.close()


def test_audio_goes_on_while_redis_is_killed(servers: Servers, persistent_redis: RedisServer) -> None:
    """What needs the catalog says that it is not available; when Redis is back, so is everything."""
    servers[0].announce("whole", AUDIO)
    path = servers[0].audio_root / "s.mp3"
    path.write_bytes(AUDIO[:50_000])
    servers[0].notify("s", str(path), state="generating")
    growing = [join(server) for server in servers]
    whole = [join(server, "whole") for server in servers]
    for listener in growing + whole:
        listener.receive_until("start_of_stream")
    persistent_redis.kill()
    for server in servers:
        refused = server.notify("s", str(path), state="complete")
        assert (refused.status_code, refused.json()["error_code"]) == (503, "ASF_CATALOG_UNAVAILABLE")
        with closing(join(server, "whole")) as listener:
            error = listener.receive_until("stream_error")
        assert (error["error_code"], error["retryable"]) == ("ASF_CATALOG_UNAVAILABLE", True)
        assert "redis" in requests.get(f"{server.url}/asf/ready", timeout=PATIENCE_SECONDS).json()["details"]
        assert status_of(server, "/asf/health") == 200
        assert "asf_redis_connected 0.0" in server.metrics()
    with path.open("ab") as file:
        file.write(AUDIO[50_000:])
    for listener in whole:
        listener.receive_until("end_of_stream")
    for listener in growing:
        receive(listener, len(AUDIO))
    persistent_redis.start()
    eventually(lambda: {status_of(server, "/asf/ready") for server in servers} == {200})
    assert all("asf_redis_connected 1.0" in server.metrics() for server in servers)
    assert servers[0].notify("s", str(path), state="complete").status_code == 200
    for listener in growing + whole:
        if listener in growing:
            listener.receive_until("end_of_stream")
        assert listener.audio == AUDIO
        listener.close()


def test_commands_go_on_while_redis_does_not_answer(servers: Servers, persistent_redis: RedisServer) -> None:
    """Those of a connection whose stream is being looked up: none waits for the look-up, and none is refused."""
    servers[0].announce("s", AUDIO)
    listener = join(servers[0], "other")
    listener.receive_until("stream_error")
    persistent_redis.hang()
    listener.emit("join_stream", {"stream_id": "s"})
    listener.emit("pause_stream")
    listener.receive_until_status("paused")
    persistent_redis.resume()
    listener.receive_until("start_of_stream")
    listener.emit("resume_stream")
    listener.receive_until("end_of_stream")
    assert listener.audio == AUDIO
    assert "error" not in [name for name, _payload in listener.events]
    listener.close()


def test_what_was_announced_while_a_server_heard_nothing_is_heard_afterwards(
    servers: Servers, persistent_redis: RedisServer
) -> None:
    """A connection that is lost loses the news of the meantime, but nobody waits for ever."""
    waiting = join(servers[1], wait=True)
    assert waiting.receive_until("stream_status")["status"] == "waiting"
    with closing(persistent_redis.client()) as client:
        assert client.client_kill_filter(_type="pubsub")  # whoever follows anything
    servers[0].announce("s", AUDIO)
    waiting.receive_until("end_of_stream")
    assert waiting.audio == AUDIO
    waiting.close()
