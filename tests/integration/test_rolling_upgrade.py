"""From release 0.1.0 to this version, under listeners and subscribers: what one has written, the other reads."""

import threading
from collections.abc import Callable, Iterator
from functools import partial
from itertools import count
from pathlib import Path

import pytest
import redis
import requests

from asf import __version__, client
from tests.support.audience import PLAIN, POLLING, SOCKET_IO, Audience, LightListener, lost_bytes
from tests.support.bounds import PATIENCE_SECONDS, STREAM_SECONDS
from tests.support.fixtures import audio_of
from tests.support.made_once import made_once
from tests.support.nodes import COUNT, TOKEN, Nodes
from tests.support.plain_websocket import PlainListener
from tests.support.processes import ServerProcess, eventually
from tests.support.proxies import HAProxy
from tests.support.queue_producer import QueueProducer
from tests.support.releases import install_release

pytestmark = pytest.mark.long

OLD = "0.1.0"
AUDIO = audio_of(100_000)
LONG_AUDIO_BYTES = 16_000_000
SETTINGS = {
    "ASF_DRAIN_SECONDS": "1",
    "ASF_STREAM_SLEEP_INTERVAL": "0.1",  # It lasts for six minutes, unless the listeners leap.
    "ASF_STALL_GIVE_UP_SECONDS": "3600",
}
METADATA = {"title": "An episode", "tags": ["a", 1, None]}


@pytest.fixture(scope="session")
def old(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the interpreter of an installation of 0.1.0."""
    folder = made_once(tmp_path_factory, f"asf-{OLD}", partial(install_release, OLD))
    return str(folder / "venv" / "bin" / "python")


@pytest.fixture
def nodes(tmp_path: Path, old: str) -> Iterator[Nodes]:
    """Return three servers of the old version."""
    nodes = Nodes(tmp_path, SETTINGS, python=old)
    yield nodes
    nodes.stop()


@pytest.fixture
def proxy(nodes: Nodes, tmp_path: Path) -> Iterator[HAProxy]:
    """Return a proxy in front of them."""
    proxy = HAProxy(tmp_path / "proxy", nodes.ports)
    yield proxy
    proxy.stop()


class Updates:
    """Publishes UI updates one behind the other, and watches them, each in a thread, by way of a proxy."""

    def __init__(self, proxy: HAProxy) -> None:
        self.published: list[int] = []
        self.seen: list[int] = []
        self.missed = 0
        self._stopping = threading.Event()
        self._subscribed = threading.Event()
        self._watching = threading.Thread(target=self._watch, args=[proxy.url], daemon=True)
        self._publishing = threading.Thread(target=self._publish, args=[proxy.internal_url], daemon=True)
        self._watching.start()
        assert self._subscribed.wait(PATIENCE_SECONDS)
        self._publishing.start()

    def stop(self) -> None:
        """Publish no more. Returns when the last one was seen."""
        self._stopping.set()
        self._publishing.join(PATIENCE_SECONDS)
        self._watching.join(PATIENCE_SECONDS)
        assert not self._publishing.is_alive()
        assert not self._watching.is_alive()

    def _publish(self, url: str) -> None:
        with client.BackendClient(url, token=TOKEN, retries=20) as backend:
            for number in count():
                backend.send_ui_update("alice", "progress", number)
                self.published.append(number)
                if self._stopping.wait(0.05):
                    backend.send_ui_update("alice", "done", None)
                    return

    def _watch(self, url: str) -> None:
        for item in client.watch(url, "alice"):
            if isinstance(item, client.Subscribed):
                self._subscribed.set()
            elif isinstance(item, client.Update) and item.event_name == "done":
                return
            elif isinstance(item, client.Update):
                self.seen.append(item.data)
            else:
                self.missed += 1


def heard_at(node: ServerProcess, stream_id: str) -> bytes:
    """Return what a listener hears at a node, to the end that it is told."""
    response = requests.get(node.stream_url(stream_id), timeout=PATIENCE_SECONDS)
    assert response.status_code == 200, response.text
    return response.content


def known_to(node: ServerProcess) -> dict[str, dict[str, object]]:
    """Return the streams that a node lists, by id, with the fields that both versions have."""
    headers = {"Authorization": f"Bearer {TOKEN}"}
    response = requests.get(f"{node.url}/asf/internal/streams", headers=headers, timeout=PATIENCE_SECONDS)
    fields = ("stream_id", "epoch", "filepath", "state", "reason", "metadata", "content_type")
    return {stream["stream_id"]: {name: stream.get(name) for name in fields} for stream in response.json()["streams"]}


def read_each_other(nodes: list[ServerProcess], name: str, roots: Path) -> None:
    """Let each node announce, generate, complete and delete, and see that all others follow at once."""
    for number, writer in enumerate(nodes):
        others = [node for node in nodes if node is not writer]
        stream_id, path = f"{name}-{number}", roots / f"{name}-{number}.mp3"
        path.write_bytes(AUDIO[:50_000])
        with client.BackendClient(writer.url, token=TOKEN) as backend:
            waiting = [PlainListener(node.url, stream_id, wait="true") for node in others]
            backend.notify_new_audio(stream_id, path, state="generating", metadata=METADATA)
            for listener in waiting:
                listener.receive_until_bytes(50_000)
            with path.open("ab") as file:
                file.write(AUDIO[50_000:])
            backend.notify_new_audio(stream_id, path, metadata=METADATA)
            for node, listener in zip(others, waiting, strict=True):
                assert listener.receive_to_the_end() == 1000, f"{version_of(node)} hears {version_of(writer)}"
                assert listener.audio == AUDIO
            assert all(known_to(node) == known_to(writer) for node in others)
            assert known_to(writer)[stream_id]["metadata"] == METADATA
            backend.delete_stream(stream_id)
        for node in others:
            assert requests.get(node.stream_url(stream_id), timeout=PATIENCE_SECONDS).status_code == 404


def test_three_nodes_are_upgraded_and_nobody_loses_anything(nodes: Nodes, proxy: HAProxy, old: str) -> None:
    """One after the other, behind HAProxy, over one Redis; then one goes back to the old version.

    Listeners of complete audio, of audio that is being generated and of a queue hear every byte once; a subscriber
    gets every update once. After each step all nodes follow what any of them announces.
    """
    audio = audio_of(LONG_AUDIO_BYTES)
    nodes.announce("complete", audio)
    growing = nodes.all[0].audio_root / "growing.mp3"
    growing.write_bytes(audio[:-50_000])
    backend = client.BackendClient(proxy.internal_url, token=TOKEN, retries=20)
    backend.notify_new_audio("growing", growing, state="generating", metadata=METADATA)
    queue = QueueProducer(redis.Redis.from_url(nodes.redis.plain_url), "voice")
    queue.put_all(audio[:-50_000])
    backend.notify_new_audio("queue", queue.locator, state="generating", content_type="audio/mpeg")
    listed = known_to(nodes.all[0])
    assert set(listed) == {"complete", "growing", "queue"}

    updates = Updates(proxy)
    with backend, Audience() as audience:
        audience.join(
            *[
                LightListener(proxy.port, stream_id, audio, transport, patient=True)
                for stream_id in listed
                for transport in (SOCKET_IO, POLLING, PLAIN)
                for _ in range(2)
            ]
        )
        audience.wait_until(lambda listener: listener.hears)

        def replace(number: int, python: str | None) -> None:
            seen = len(updates.seen)
            assert nodes.all[number].stop() == 0
            nodes.start_again(number, python=python)
            eventually(lambda: requests.get(f"{nodes.all[number].url}/asf/ready", timeout=PATIENCE_SECONDS).ok)
            audience.hear_on()
            eventually(lambda: len(updates.seen) > seen)
            assert all(known_to(node) == listed for node in nodes.all)

        for number in range(COUNT):
            replace(number, None)
            assert version_of(nodes.all[number]) == __version__
            read_each_other(nodes.all, f"step-{number}", growing.parent)
        replace(0, old)
        read_each_other(nodes.all, "back", growing.parent)
        replace(0, None)

        with growing.open("ab") as file:
            file.write(audio[-50_000:])
        backend.notify_new_audio("growing", growing, metadata=METADATA)
        queue.put_all(audio[-50_000:])
        queue.end()
        audience.leap()
        audience.wait_for_all(STREAM_SECONDS)
    updates.stop()
    assert [listener.error for listener in audience.listeners if listener.error] == []
    assert lost_bytes(audience.listeners) == 0
    assert all(listener.breaks for listener in audience.listeners)
    assert updates.missed == 0
    assert updates.seen == updates.published


def version_of(node: ServerProcess) -> str | None:
    """Return the version that a node says of itself; 0.1.0 says none."""
    version: str | None = requests.get(f"{node.url}/asf/health", timeout=PATIENCE_SECONDS).json().get("version")
    return version


@pytest.mark.one_process("what the earlier version reads is the database of a server alone")
@pytest.mark.parametrize("end", [ServerProcess.stop, ServerProcess.kill], ids=["stopped", "killed"])
def test_a_database_is_read_by_both_versions(
    tmp_path: Path, old: str, end: Callable[[ServerProcess], object]
) -> None:
    """To and fro: the catalog is the same, a listener resumes in the other version, and each writes on."""
    settings = {"ASF_INTERNAL_API_TOKEN": TOKEN}
    written: dict[str, dict[str, object]] = {}
    for number, python in enumerate((old, None, old, None)):
        server = ServerProcess(tmp_path, settings, python=python)
        assert version_of(server) == (__version__ if python is None else None)
        assert known_to(server) == written
        for stream_id, stream in written.items():
            if stream["state"] == "complete":
                assert heard_at(server, stream_id) == AUDIO
                resumed = PlainListener(server.url, stream_id, offset="60000", epoch=str(stream["epoch"]))
                assert resumed.receive_to_the_end() == 1000
                assert resumed.audio == AUDIO[60_000:]
        path = server.audio_root / f"{number}.mp3"
        path.write_bytes(AUDIO)
        with client.BackendClient(server.url, token=TOKEN) as backend:
            backend.notify_new_audio(f"complete-{number}", path, metadata=METADATA, content_type="audio/mpeg")
            backend.notify_new_audio(f"failed-{number}", path, state="failed", reason="No voice.")
            for stream_id in [one for one in written if one.startswith("deleted")]:
                backend.delete_stream(stream_id)
            backend.notify_new_audio(f"deleted-{number}", path)
        written = known_to(server)
        assert len(written) == 2 * number + 3
        end(server)
