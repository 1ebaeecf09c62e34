"""Audio that a voice agent puts into a queue, heard on real servers over real sockets."""

import random
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
import requests

from tests.support.bounds import PATIENCE_SECONDS
from tests.support.engineio_wire import join
from tests.support.faults import LOST_REDIS_OF_QUEUES
from tests.support.fixtures import StartServer, audio_of
from tests.support.plain_websocket import PlainListener
from tests.support.processes import ServerProcess, eventually
from tests.support.queue_producer import QueueProducer
from tests.support.redis_server import RedisServer

AUDIO = audio_of(600_001)

Servers = tuple[ServerProcess, ServerProcess]


@pytest.fixture
def servers(tmp_path: Path, persistent_redis: RedisServer) -> Iterator[Servers]:
    """Return two servers on one Redis."""
    settings = {
        "ASF_REDIS_URL": persistent_redis.url,
        "ASF_STALL_SECONDS": "60",
        "ASF_STREAM_SLEEP_INTERVAL": "0",
    }
    both = ServerProcess(tmp_path, settings), ServerProcess(tmp_path, settings)
    yield both
    for server in both:
        assert server.stop() == 0, "".join(server.log)
        assert not any("Traceback (" in line for line in server.log), "".join(server.log)


def uneven_cuts(length: int, pieces: int) -> list[int]:
    """Return where pieces of uneven length end."""
    return [*sorted(random.Random(length).sample(range(1, length), pieces - 1)), length]


def test_any_server_serves_anyone_from_anywhere(servers: Servers, persistent_redis: RedisServer) -> None:
    """While it is made, by every door, from any offset; and by its URL, with ranges, when it is done."""
    first, second = servers
    producer = QueueProducer(persistent_redis.client(), "episode-1.mp3")
    epoch = first.notify("s", producer.locator, state="generating").json()["epoch"]
    early = [join(server) for server in servers]
    for listener in early:
        start = listener.receive_until("start_of_stream")
        assert (start["total_bytes"], start["state"], start["epoch"]) == (None, "generating", epoch)
        assert start["content_type"] == "audio/mpeg"
    over_http: list[requests.Response] = []
    fetching = threading.Thread(
        target=lambda: over_http.append(requests.get(second.stream_url("s"), timeout=PATIENCE_SECONDS)), daemon=True
    )
    fetching.start()
    plain = PlainListener(second.url, "s")
    for stop in uneven_cuts(len(AUDIO) // 3, 40):  # Each piece is heard before the next one is made.
        producer.put(AUDIO[producer.offset : stop])
        plain.receive_until_bytes(stop)
    late = [join(server, offset=offset, epoch=epoch) for server in servers for offset in (1, 123_456, 500_000)]
    for stop in uneven_cuts(len(AUDIO), 150):
        if stop > producer.offset:
            producer.put(AUDIO[producer.offset : stop])
    assert first.notify("s", producer.locator, state="complete").json()["epoch"] == epoch
    again = [join(server, offset=offset) for server in servers for offset in (0, 123_456, len(AUDIO))]
    plain.receive_until_bytes(len(AUDIO))
    time_of_end = time.monotonic()
    producer.end()
    for listener in early + late + again:
        assert listener.receive_until("end_of_stream")["total_bytes"] == len(AUDIO)
    assert time.monotonic() - time_of_end < PATIENCE_SECONDS
    assert plain.receive_to_the_end() == 1000
    fetching.join(PATIENCE_SECONDS)
    assert all(listener.audio == AUDIO for listener in early)
    assert plain.audio == over_http[0].content == AUDIO
    for listener, offset in zip(late + again, [1, 123_456, 500_000] * 2 + [0, 123_456, len(AUDIO)] * 2, strict=True):
        assert listener.audio == AUDIO[offset:]
        listener.close()
    heads = [requests.head(server.stream_url("s"), timeout=PATIENCE_SECONDS) for server in servers]
    assert {head.headers["Content-Length"] for head in heads} == {str(len(AUDIO))}
    assert {head.headers["Accept-Ranges"] for head in heads} == {"bytes"}
    assert len({head.headers["ETag"] for head in heads}) == 1
    for server in servers:
        part = requests.get(
            server.stream_url("s"), headers={"Range": "bytes=400000-400099"}, timeout=PATIENCE_SECONDS
        )
        assert (part.status_code, part.content) == (206, AUDIO[400_000:400_100])
    for listener in early:
        listener.close()


def test_a_failure_is_told_behind_what_there_is(servers: Servers, persistent_redis: RedisServer) -> None:
    """As the queue says it, on every server, whatever was announced; and to those who come later, too."""
    producer = QueueProducer(persistent_redis.client(), "episode-2")
    servers[0].notify("s", producer.locator).raise_for_status()  # Announced as complete, before it is begun.
    early = join(servers[1])
    early.receive_until_status("joined")
    producer.put_all(AUDIO)
    producer.end("failed", "The voice is lost.")
    late = join(servers[0])
    for listener in (early, late):
        error = listener.receive_until("stream_error")
        assert error["error_code"] == "ASF_GENERATION_FAILED"
        assert listener.audio == AUDIO
        listener.close()


def test_a_queue_that_is_announced_as_failed_ends_where_it_is(
    servers: Servers, persistent_redis: RedisServer
) -> None:
    """Where a voice agent has died, and somebody else knows."""
    producer = QueueProducer(persistent_redis.client(), "episode-6")
    servers[0].notify("s", producer.locator, state="generating").raise_for_status()
    early = join(servers[1])
    producer.put_all(AUDIO)
    early.receive_until_bytes(len(AUDIO))
    servers[0].notify("s", producer.locator, state="failed", reason="It is gone.").raise_for_status()
    for listener in (early, join(servers[0])):
        assert listener.receive_until("stream_error")["error_code"] == "ASF_GENERATION_FAILED"
        assert listener.audio == AUDIO
        listener.close()


def test_ranges_of_a_queue_that_grows(servers: Servers, persistent_redis: RedisServer) -> None:
    """What exists is answered by every server, whether or not anybody listens to it there."""
    producer = QueueProducer(persistent_redis.client(), "episode-7.mp3")
    servers[0].notify("s", producer.locator, state="generating").raise_for_status()
    producer.put_all(AUDIO)
    for server in servers:
        for header, part in (("bytes=0-1", AUDIO[:2]), ("bytes=-500", AUDIO[-500:]), ("bytes=1000-", AUDIO[1000:])):
            answer = requests.get(server.stream_url("s"), headers={"Range": header}, timeout=PATIENCE_SECONDS)
            assert (answer.status_code, answer.content) == (206, part)
            assert answer.headers["Content-Range"].endswith(f"-{len(AUDIO) - 1}/*") or header == "bytes=0-1"
    producer.end()


def has_noticed(server: ServerProcess) -> bool:
    """Tell whether the server has said that it has lost Redis, wherever it waits for something to come from it."""
    log = "".join(server.log)
    return "Audio queues cannot be read" in log and "Not subscribed to Redis" in log


@LOST_REDIS_OF_QUEUES
@pytest.mark.parametrize("harm", ["kill", "hang"])
def test_redis_may_be_gone_for_a_while(servers: Servers, persistent_redis: RedisServer, harm: str) -> None:
    """Nothing is lost or doubled for those who listen, and servers answer meanwhile."""
    producer = QueueProducer(persistent_redis.client(), "episode-3")
    servers[0].notify("s", producer.locator, state="generating").raise_for_status()
    listeners = [join(server) for server in servers]
    producer.put_all(AUDIO[:300_000])
    for listener in listeners:
        listener.receive_until_bytes(300_000)
    if harm == "kill":
        persistent_redis.kill()
    else:
        persistent_redis.hang()
    for server in servers:
        eventually(partial(has_noticed, server))
        assert requests.get(server.url + "/asf/health", timeout=PATIENCE_SECONDS).status_code == 200
    if harm == "kill":
        persistent_redis.start()
    else:
        persistent_redis.resume()
    again = QueueProducer(persistent_redis.client(), producer.name)
    again.offset = 290_000  # It does not know how much has arrived.
    again.put_all(AUDIO[290_000:])
    again.end()
    for listener in listeners:
        assert listener.receive_until("end_of_stream")["total_bytes"] == len(AUDIO)
        assert listener.audio == AUDIO
        listener.close()


def test_a_queue_begun_anew_is_an_error_and_never_a_mixture(servers: Servers, persistent_redis: RedisServer) -> None:
    """For those who listen; who comes then hears the new one."""
    client = persistent_redis.client()
    producer = QueueProducer(client, "episode-4")
    servers[0].notify("s", producer.locator, state="generating").raise_for_status()
    producer.put_all(AUDIO[:300_000])
    listeners = [join(server) for server in servers]
    for listener in listeners:
        listener.receive_until_bytes(300_000)
    client.flushall()  # As a Redis that has come back empty: the catalog is lost as well.
    producer.offset = 0
    producer.put_all(AUDIO[::-1])
    producer.end()
    for listener in listeners:
        error = listener.receive_until("stream_error")
        assert (error["error_code"], error["retryable"]) == ("ASF_AUDIO_UNAVAILABLE", False)
        assert error["offset"] == 300_000
        assert listener.audio == AUDIO[:300_000]
        listener.close()
    servers[1].notify("s", producer.locator).raise_for_status()
    new = join(servers[0])
    new.receive_until("end_of_stream")
    assert new.audio == AUDIO[::-1]
    new.close()


@pytest.mark.one_process("workers have a Redis")
def test_without_redis_there_are_no_queues(start_server: StartServer) -> None:
    """Whoever announces one is told so."""
    answer = start_server().notify("s", "queue:episode-1")
    assert answer.status_code == 400
    assert answer.json()["error_code"] == "ASF_NOTIFY_INVALID_FILEPATH"
    assert "not set up" in answer.json()["details"]


def test_a_long_queue_is_heard_by_many_at_different_places(servers: Servers, persistent_redis: RedisServer) -> None:
    """Who begins far behind the beginning waits until it is known where that is."""
    audio = audio_of(12_000_000, seed=4)
    producer = QueueProducer(persistent_redis.client(), "episode-5")
    producer.put_all(audio, 16_384)
    producer.end()
    servers[0].notify("s", producer.locator).raise_for_status()
    parts: dict[int, bytes] = {}

    def fetch(start: int) -> None:
        server = servers[start // 500_000 % 2]
        headers = {"Range": f"bytes={start}-{start + 1_499_999}"}
        answer = requests.get(server.stream_url("s"), headers=headers, timeout=PATIENCE_SECONDS)
        parts[start] = answer.content if answer.status_code == 206 else answer.text.encode()

    threads = [threading.Thread(target=fetch, args=[start]) for start in range(0, len(audio), 500_000)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(parts) == 24
    for start, part in parts.items():
        assert part == audio[start : start + 1_500_000], (start, len(part), part[:300] if len(part) < 3000 else 0)
    eventually(lambda: "asf_listeners 0.0" in servers[0].metrics())
