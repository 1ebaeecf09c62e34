"""Audio from an object store that checks signatures, over every transport."""

import json
import subprocess
import sys
from http import HTTPStatus
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import requests

from asf.adapters.object_store.blocks import BLOCK_BYTES
from tests.support.bounds import COMMAND_SECONDS, PATIENCE_SECONDS
from tests.support.engineio_wire import join
from tests.support.fixtures import StartServer, audio_of
from tests.support.plain_websocket import PlainListener
from tests.support.processes import ServerProcess, eventually
from tests.support.store_proxy import StoreProxy
from tests.support.swift_server import BUCKET, SwiftServer

AUDIO = audio_of(3 * BLOCK_BYTES + 12_345)
LISTENERS = 50


@pytest.fixture
def object_server(start_server: StartServer, swift: SwiftServer, store_proxy: StoreProxy) -> ServerProcess:
    """Return a server that reads from the object store through the proxy, as fast as its listeners take it."""
    settings = {"ASF_S3_ENDPOINT_URL": store_proxy.url, "ASF_STREAM_SLEEP_INTERVAL": "0"}
    return start_server(swift.environment | settings)


def put(swift: SwiftServer, audio: bytes = AUDIO) -> str:
    """Put audio into the store, under a name of its own, and return its URL."""
    return swift.put(f"shows/{uuid4().hex} ä.mp3", audio)


def test_an_object_is_heard_byte_for_byte(object_server: ServerProcess, swift: SwiftServer) -> None:
    """Over Socket.IO and the plain WebSocket, from the beginning and from an offset."""
    url = put(swift)
    object_server.notify("s", url).raise_for_status()
    shown = requests.get(f"{object_server.url}/asf/internal/streams/s", timeout=PATIENCE_SECONDS).json()
    assert shown["filepath"] == url
    listener = join(object_server, "s")
    start = listener.receive_until("start_of_stream")
    assert (start["total_bytes"], start["content_type"], start["state"]) == (len(AUDIO), "audio/mpeg", "complete")
    assert listener.receive_until("end_of_stream")["total_bytes"] == len(AUDIO)
    assert listener.audio == AUDIO
    listener.close()
    late = PlainListener(object_server.url, "s", offset=BLOCK_BYTES + 77)
    late.receive_to_the_end()
    assert late.audio == AUDIO[BLOCK_BYTES + 77 :]


def test_an_object_can_be_played_by_its_url(object_server: ServerProcess, swift: SwiftServer) -> None:
    """In ranges, pinned to an ETag."""
    object_server.notify("s", put(swift)).raise_for_status()
    url = object_server.stream_url("s")
    whole = requests.get(url, timeout=PATIENCE_SECONDS)
    assert whole.content == AUDIO
    assert whole.headers["Content-Type"] == "audio/mpeg"
    assert requests.head(url, timeout=PATIENCE_SECONDS).headers["Content-Length"] == str(len(AUDIO))
    first = BLOCK_BYTES - 100
    part = requests.get(url, headers={"Range": f"bytes={first}-{first + 999}"}, timeout=PATIENCE_SECONDS)
    assert part.status_code == HTTPStatus.PARTIAL_CONTENT
    assert part.content == AUDIO[first : first + 1000]
    assert part.headers["ETag"] == whole.headers["ETag"]
    assert requests.get(url, headers={"Range": f"bytes={len(AUDIO)}-"}, timeout=PATIENCE_SECONDS).status_code == 416
    assert (
        requests.get(url, headers={"If-None-Match": whole.headers["ETag"]}, timeout=PATIENCE_SECONDS).status_code
        == 304
    )
    object_server.notify("s", put(swift, b"other")).raise_for_status()
    changed = {"Range": "bytes=3-4", "If-Range": whole.headers["ETag"]}
    assert requests.get(url, headers=changed, timeout=PATIENCE_SECONDS).content == b"other"


@pytest.mark.one_process("each worker asks the store for its listeners")
def test_listeners_share_what_is_read(
    object_server: ServerProcess, swift: SwiftServer, store_proxy: StoreProxy
) -> None:
    """Each block is requested once, and the object looked up a few times only."""
    url = put(swift)
    object_server.notify("s", url).raise_for_status()
    listeners = [join(object_server, "s") for _ in range(LISTENERS)]
    for listener in listeners:
        listener.receive_until("end_of_stream")
        assert listener.audio == AUDIO
        listener.close()
    path = next(path for method, path, _part in store_proxy.asked if method == "HEAD")
    blocks = store_proxy.blocks(path)
    assert sorted(blocks.values()) == [1, 1, 1, 1]
    assert f"bytes=0-{BLOCK_BYTES - 1}" in blocks


def test_a_replaced_object_is_never_mixed(object_server: ServerProcess, swift: SwiftServer) -> None:
    """A listener gets a part of the old one and an error; a later one gets the new one."""
    url = put(swift)
    object_server.notify("s", url).raise_for_status()
    listener = join(object_server, "s", window=BLOCK_BYTES // 4)
    while len(listener.audio) < BLOCK_BYTES // 4:
        listener.receive()
    other = bytes(len(AUDIO))
    swift.put(url.removeprefix(f"s3://{BUCKET}/"), other)
    while not any(name == "stream_error" for name, _payload in listener.events):
        listener.emit("audio_ack", {"received": len(listener.audio)})
        listener.receive()
    error = listener.receive_until("stream_error")
    assert (error["error_code"], error["retryable"]) == ("ASF_AUDIO_UNAVAILABLE", False)
    assert error["offset"] == len(listener.audio)
    assert AUDIO.startswith(bytes(listener.audio))
    listener.close()
    again = join(object_server, "s")
    again.receive_until("end_of_stream")
    assert again.audio == other
    again.close()


def test_an_object_need_not_be_there_when_it_is_announced(object_server: ServerProcess, swift: SwiftServer) -> None:
    """It is looked up when a listener joins."""
    object_server.notify("s", f"s3://{BUCKET}/later.mp3").raise_for_status()
    listener = join(object_server, "s")
    error = listener.receive_until("stream_error")
    assert (error["error_code"], error["retryable"]) == ("ASF_AUDIO_UNAVAILABLE", True)
    assert "no such object" in error["details"]
    swift.put("later.mp3", AUDIO)
    listener.emit("join_stream", {"stream_id": "s"})
    listener.receive_until("end_of_stream")
    assert listener.audio == AUDIO
    listener.close()


@pytest.mark.one_process("each worker asks the store for its listeners")
def test_many_who_waited_for_an_object_are_served(
    object_server: ServerProcess, swift: SwiftServer, store_proxy: StoreProxy
) -> None:
    """It is looked up once for all of them."""
    listeners = [join(object_server, "s", wait=True) for _ in range(LISTENERS)]
    for listener in listeners:
        listener.receive_until_status("waiting")
    object_server.notify("s", put(swift)).raise_for_status()
    for listener in listeners:
        listener.receive_until("end_of_stream")
        assert listener.audio == AUDIO
        listener.close()
    assert [method for method, _path, _part in store_proxy.asked].count("HEAD") == 1


@pytest.mark.parametrize(
    ("filepath", "state", "details"),
    [
        ("s3://other/one.mp3", "complete", "not in ASF_S3_BUCKETS"),
        (f"s3://{BUCKET}/", "complete", "names no object"),
        (f"s3://{BUCKET}/one.mp3", "generating", "complete or not at all"),
        ("gs://bucket/one.mp3", "complete", "not in ASF_GS_BUCKETS"),
        ("ftp://bucket/one.mp3", "complete", "not a known scheme"),
    ],
)
def test_what_may_not_be_announced_is_refused(
    object_server: ServerProcess, filepath: str, state: str, details: str
) -> None:
    """With the code of the contract, and the reason."""
    answer = object_server.notify("s", filepath, state=state)
    assert answer.status_code == HTTPStatus.BAD_REQUEST
    assert answer.json()["error_code"] == "ASF_NOTIFY_INVALID_FILEPATH"
    assert details in answer.json()["details"]


def test_without_object_stores_their_urls_are_refused(start_server: StartServer) -> None:
    """The server says that it is not set up for them."""
    answer = start_server().notify("s", f"s3://{BUCKET}/one.mp3")
    assert answer.json()["error_code"] == "ASF_NOTIFY_INVALID_FILEPATH"
    assert "not set up" in answer.json()["details"]


def test_a_wrong_secret_is_a_clear_error(start_server: StartServer, swift: SwiftServer) -> None:
    """To listeners, in the readiness check, and in the log."""
    server = start_server(swift.environment | {"AWS_SECRET_ACCESS_KEY": "wrong"})
    server.notify("s", put(swift)).raise_for_status()
    listener = join(server, "s")
    error = listener.receive_until("stream_error")
    assert error["error_code"] == "ASF_AUDIO_UNAVAILABLE"
    assert "denied access" in error["details"]
    listener.close()

    def problem() -> str:
        answer = requests.get(f"{server.url}/asf/ready", timeout=PATIENCE_SECONDS)
        assert answer.status_code == HTTPStatus.SERVICE_UNAVAILABLE
        return str(answer.json()["details"])

    eventually(lambda: f"s3://{BUCKET}" in problem() and "SignatureDoesNotMatch" in problem())
    eventually(lambda: any(f"s3://{BUCKET}/" in line and "403" in line for line in server.log))


def test_the_server_is_ready_when_the_store_is(object_server: ServerProcess) -> None:
    """It is probed in the background, and need not have any object."""
    eventually(
        lambda: requests.get(f"{object_server.url}/asf/ready", timeout=PATIENCE_SECONDS).status_code == HTTPStatus.OK
    )


PREAMBLE = """
from asf.adapters.eventlet_runtime.patching import patch_standard_library
patch_standard_library()
import json, sys, time
import eventlet
from asf.adapters.eventlet_runtime.runtime import EventletRuntime
from asf.adapters.object_store import ObjectAudioSources, create_stores, sources as opening, stores, worker
from asf.adapters.object_store.blocks import BLOCK_BYTES
from asf.domain.errors import AudioUnavailable

worker.QUEUE_SECONDS, stores.RETRY_SECONDS, opening.OPEN_SECONDS = 60.0, 60, 180.0

bucket, endpoint, *urls = sys.argv[1:]
runtime = EventletRuntime()
sources = ObjectAudioSources(create_stores([bucket], [], [], endpoint), runtime.run_in_thread)

def read(url):
    source = sources.open(sources.locate(url))
    arrived = eventlet.semaphore.Semaphore(0)
    source.on_arrival = arrived.release
    offset = 0
    while offset < source.size:
        length = min(65536, source.size - offset)
        while (piece := source.read(offset, length)) is None:
            arrived.acquire()
        offset += len(piece)
        eventlet.sleep(0)
    source.close()
    return offset
"""

READING = """
lengths = []
runtime.run_in_thread(lambda: None, lambda: None)
for url in urls:
    eventlet.spawn(lambda url=url: lengths.append(read(url)))
for _ in range(100):
    eventlet.sleep(0.002)
print(json.dumps({"read while held": len(lengths)}), flush=True)
turns, longest = 0, 0.0
while len(lengths) < len(urls):
    before = time.thread_time()
    eventlet.sleep(0.002)
    longest = max(longest, time.thread_time() - before)
    turns += 1
print(json.dumps({"lengths": lengths, "turns": turns, "longest": longest}))
"""

KILLING = """
killed = [eventlet.spawn(read, urls[0]) for _ in range(5)]
for number, one in enumerate(killed):
    eventlet.sleep(0.05 * number)
    one.kill()
print(json.dumps({"read": read(urls[0]), "begun": len(sources._head_requests)}))
"""


def start(script: str, endpoint: str, swift: SwiftServer, urls: list[str]) -> "subprocess.Popen[str]":
    """Start a script under the patched standard library."""
    return subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", PREAMBLE + script, BUCKET, endpoint, *urls],
        env=swift.environment | {"PYTHONPATH": str(Path(__file__).parents[2] / "src")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def result_of(process: "subprocess.Popen[str]") -> dict[str, Any]:
    """Return the last line that a script prints, when it has ended."""
    output, errors = process.communicate(timeout=COMMAND_SECONDS)
    assert process.returncode == 0, errors
    result: dict[str, Any] = json.loads(output.splitlines()[-1])
    return result


def test_reading_many_objects_does_not_block_other_tasks(swift: SwiftServer, store_proxy: StoreProxy) -> None:
    """Other green threads run while twenty objects are read, and between the reads."""
    urls = [put(swift, audio_of(5 * 1024 * 1024, seed)) for seed in range(20)]
    store_proxy.hang()
    with start(READING, store_proxy.url, swift, urls) as reading:
        assert reading.stdout is not None
        assert json.loads(reading.stdout.readline()) == {"read while held": 0}
        store_proxy.go_on()
        result = result_of(reading)
    assert result["lengths"] == [5 * 1024 * 1024] * 20
    assert result["turns"] > 50
    assert result["longest"] < 0.2, "seconds of the processor's time in which nobody else had a turn"


def test_green_threads_that_are_killed_while_they_read_do_no_harm(
    swift: SwiftServer, store_proxy: StoreProxy
) -> None:
    """Their requests serve the next one."""
    store_proxy.delay = 0.1
    with start(KILLING, store_proxy.url, swift, [put(swift)]) as reading:
        assert result_of(reading) == {"read": len(AUDIO), "begun": 0}
