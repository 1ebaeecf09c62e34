"""Cues on real servers: posted before, while and after the audio, over every transport, by one server or several."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.support.bounds import PATIENCE_SECONDS
from tests.support.engineio_wire import WireListener, join
from tests.support.fixtures import StartServer, audio_of
from tests.support.plain_websocket import PlainListener
from tests.support.processes import ServerProcess, eventually
from tests.support.redis_server import RedisServer

AUDIO = audio_of(100_001)
FAST = {"ASF_STREAM_SLEEP_INTERVAL": "0"}


def post(server: ServerProcess, cues: Sequence[dict[str, Any]], stream_id: str = "s", **more: Any) -> dict[str, Any]:
    """Post cues, and return the response."""
    url = f"{server.url}/asf/internal/streams/{stream_id}/cues"
    response = requests.post(url, json={"cues": cues, **more}, timeout=PATIENCE_SECONDS)
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


def get(server: ServerProcess, query: str = "", stream_id: str = "s") -> requests.Response:
    """Return the cues of a stream."""
    return requests.get(f"{server.url}/api/v1/podcasts/cues/{stream_id}{query}", timeout=PATIENCE_SECONDS)


def words(first: int, last: int) -> list[dict[str, Any]]:
    """Return cues."""
    return [
        {"id": str(number), "start": number / 2, "text": f"Wort ü{number}", "kind": "word"}
        for number in range(first, last)
    ]


class Listening:
    """A listener over one transport, which has asked for cues."""

    def __init__(self, server: ServerProcess, transport: str, **request: Any) -> None:
        self.listener: WireListener | PlainListener
        if transport == "plain":
            self.listener = PlainListener(server.url, "s", cues="1", **request)
        else:
            self.listener = WireListener(server.url, polling=transport == "polling")
            self.listener.emit("join_stream", {"stream_id": "s", "cues": True, **request})

    @property
    def names(self) -> list[str]:
        """The names of the messages that came."""
        if isinstance(self.listener, PlainListener):
            return [message["event"] for message in self.listener.messages]
        return [
            payload.get("event", name) if isinstance(payload, dict) else name
            for name, payload in self.listener.events
        ]

    @property
    def pieces(self) -> list[dict[str, Any]]:
        """The payloads of `stream_cues`."""
        if isinstance(self.listener, PlainListener):
            return [message for message in self.listener.messages if message["event"] == "stream_cues"]
        return [payload for name, payload in self.listener.events if name == "stream_cues"]

    @property
    def cues(self) -> list[dict[str, Any]]:
        """The cues that came."""
        return [cue for piece in self.pieces for cue in piece["cues"]]

    def receive_cues(self, count: int) -> None:
        """Receive until so many cues came."""
        while len(self.cues) < count:
            self.listener.receive()


@pytest.mark.parametrize("transport", ["websocket", "polling", "plain"])
def test_cues_reach_a_listener(start_server: StartServer, transport: str) -> None:
    """Those that are posted before, while and after the audio; the end comes after those before it."""
    server = start_server(FAST)
    path = server.audio_root / "s.mp3"
    path.write_bytes(AUDIO[:50_000])
    epoch = server.notify("s", str(path), state="generating").json()["epoch"]
    assert post(server, words(0, 700), epoch=epoch) == {"accepted": 700, "total": 700, "epoch": epoch}
    listening = Listening(server, transport)
    with closing(listening.listener) as listener:
        listening.receive_cues(700)
        post(server, words(700, 702))
        listening.receive_cues(702)
        listener.receive_until_bytes(50_000)
        post(server, words(702, 703))
        with path.open("ab") as file:
            file.write(AUDIO[50_000:])
        server.notify("s", str(path)).raise_for_status()
        listener.receive_until("end_of_stream")
        assert bytes(listener.audio) == AUDIO
        assert listening.cues == words(0, 703)
        names = listening.names
        assert names.index("start_of_stream") < names.index("stream_cues")
        pieces = listening.pieces
        assert all(len(piece["cues"]) <= 500 for piece in pieces)
        assert [piece["seq"] for piece in pieces] == sorted({piece["seq"] for piece in pieces})
        assert {(piece["stream_id"], piece["epoch"]) for piece in pieces} == {("s", epoch)}
    assert post(server, words(703, 704))["total"] == 704
    later = Listening(server, transport, cues_since=702, epoch=epoch)
    with closing(later.listener) as listener:
        listener.receive_until("end_of_stream")
        assert later.cues == words(702, 704)
    assert "asf_cues_accepted_total 704.0" in server.metrics()


def test_cues_survive_a_restart(start_server: StartServer) -> None:
    """They are read by URL as JSON and as WebVTT; HEAD and a current copy cost nothing."""
    server = start_server({"ASF_DATABASE": "./var/one.sqlite3"})
    server.announce("s", AUDIO)
    for first in range(0, 3000, 1000):
        post(server, words(first, first + 1000))
    documents = [get(server, query) for query in ("", "?format=vtt")]
    assert server.stop() == 0
    server = start_server({"ASF_DATABASE": "./var/one.sqlite3"})
    for query, before in zip(("", "?format=vtt"), documents, strict=True):
        after = get(server, query)
        assert after.text == before.text
        assert after.headers["ETag"] == before.headers["ETag"]
        head = requests.head(after.url, timeout=PATIENCE_SECONDS)
        assert head.headers["ETag"] == after.headers["ETag"]
        copy = requests.get(after.url, headers={"If-None-Match": after.headers["ETag"]}, timeout=PATIENCE_SECONDS)
        assert (copy.status_code, copy.content) == (304, b"")
    assert documents[0].json()["cues"] == words(0, 3000)
    assert documents[1].text.count(" --> ") == 3000
    assert documents[1].headers["Content-Type"] == "text/vtt; charset=utf-8"
    assert get(server, "?since=2999").json()["cues"] == words(2999, 3000)


def test_cues_of_a_stream_that_is_regenerated_are_gone(server: ServerProcess) -> None:
    """And of one that is deleted."""
    path = server.announce("s", AUDIO)
    post(server, words(0, 5))
    server.notify("s", str(path), state="generating").raise_for_status()
    assert get(server).json()["cues"] == []
    post(server, words(5, 6))
    assert get(server).json()["cues"] == words(5, 6)
    requests.delete(f"{server.url}/asf/internal/streams/s", timeout=PATIENCE_SECONDS).raise_for_status()
    assert get(server).status_code == 404


@pytest.mark.one_process("workers keep cues in Redis")
def test_a_damaged_database_makes_the_server_unready(start_server: StartServer, tmp_path: Path) -> None:
    """Audio is served all the same."""
    path = tmp_path / "var" / "asf.sqlite3.cues"
    path.parent.mkdir()
    path.write_bytes(b"This is not a database.\n" * 100)
    server = start_server()
    server.announce("s", AUDIO)
    response = requests.get(f"{server.url}/asf/ready", timeout=PATIENCE_SECONDS)
    assert (response.status_code, response.json()["details"].split(":")[0]) == (503, "cues")
    assert requests.get(server.stream_url("s"), timeout=PATIENCE_SECONDS).content == AUDIO
    path.unlink()
    eventually(lambda: requests.get(f"{server.url}/asf/ready", timeout=PATIENCE_SECONDS).ok)
    post(server, words(0, 5))
    assert path.exists()


def test_the_limit_is_a_setting(start_server: StartServer) -> None:
    """What exceeds it is rejected."""
    server = start_server({"ASF_MAX_CUES": "3"})
    server.announce("s", AUDIO)
    post(server, words(0, 3))
    url = f"{server.url}/asf/internal/streams/s/cues"
    response = requests.post(url, json={"cues": words(3, 4)}, timeout=PATIENCE_SECONDS)
    assert (response.status_code, response.json()["error_code"]) == (409, "ASF_TOO_MANY_CUES")


def test_a_listener_that_does_not_read_is_sent_the_rest_when_it_does(start_server: StartServer) -> None:
    """A long track and large cues; another listener does not wait for it."""
    # However long it takes to post all that: nobody reads meanwhile, and so nobody answers a ping.
    never = {"ASF_SLOW_LISTENER_SECONDS": "3600", "TEST_PING_SECONDS": "3600"}
    server = start_server(FAST | never, observed=True)
    path = server.audio_root / "s.mp3"
    path.write_bytes(AUDIO)
    server.notify("s", str(path), state="generating").raise_for_status()
    blocked, other = (Listening(server, transport) for transport in ("websocket", "plain"))
    posted = 0
    for _ in range(40):  # Some 40 MB: more than what the kernel keeps for a connection.
        post(server, [{"start": number, "text": "x" * 50_000} for number in range(posted, posted + 20)])
        posted += 20
    with closing(other.listener), closing(blocked.listener):
        other.receive_cues(posted)
        blocked.receive_cues(posted)
        for listening in (blocked, other):
            assert [cue["start"] for cue in listening.cues] == list(range(posted))


@pytest.fixture
def servers(tmp_path: Path, persistent_redis: RedisServer) -> Iterator[Callable[[], ServerProcess]]:
    """Return a function that starts a server on one Redis and one audio root."""
    settings = {"ASF_REDIS_URL": persistent_redis.url, **FAST}
    started: list[ServerProcess] = []

    def start() -> ServerProcess:
        started.append(ServerProcess(tmp_path, settings))
        return started[-1]

    yield start
    for server in started:
        assert server.stop() == 0, "".join(server.log)
        assert not any("Traceback (" in line for line in server.log), "".join(server.log)


def test_servers_share_the_cues(servers: Callable[[], ServerProcess], persistent_redis: RedisServer) -> None:
    """What is posted on one reaches the listeners of each, also while and after Redis is away."""
    first, second = servers(), servers()
    path = first.audio_root / "s.mp3"
    path.write_bytes(AUDIO)
    first.notify("s", str(path), state="generating").raise_for_status()
    post(first, words(0, 3))
    listening = Listening(second, "websocket")
    with closing(listening.listener):
        listening.receive_cues(3)
        post(first, words(3, 4))
        listening.receive_cues(4)
        post(second, words(4, 5))
        listening.receive_cues(5)
        persistent_redis.kill()
        url = f"{first.url}/asf/internal/streams/s/cues"
        response = requests.post(url, json={"cues": words(5, 6)}, timeout=PATIENCE_SECONDS)
        assert response.status_code == 503
        persistent_redis.start()
        eventually(lambda: get(first).status_code == 200)
        post(first, words(5, 6))
        listening.receive_cues(6)
        assert listening.cues == words(0, 6)
    assert get(second).json()["cues"] == words(0, 6)
    requests.delete(f"{second.url}/asf/internal/streams/s", timeout=PATIENCE_SECONDS).raise_for_status()
    assert persistent_redis.client().keys("asf:1:cues:*") == []


def test_an_old_join_has_no_cues(server: ServerProcess) -> None:
    """A client that knows nothing of them receives what it always did."""
    server.announce("s", AUDIO)
    post(server, words(0, 3))
    with closing(join(server)) as listener:
        listener.receive_until("end_of_stream")
        assert "stream_cues" not in {name for name, _ in listener.events}
    with closing(PlainListener(server.url, "s", cues="0")) as plain:
        plain.receive_to_the_end()
        assert "stream_cues" not in {message["event"] for message in plain.messages}
    with closing(PlainListener(server.url, "s", cues="1", cues_since="-1")) as plain:
        assert plain.receive_to_the_end() == 1003
    with closing(join(server, cues="yes")) as listener:
        assert "cues" in listener.receive_until("error")["details"]


def test_cues_continue_across_the_upgrade(server: ServerProcess) -> None:
    """From long polling to a WebSocket, in the midst of many pieces: none is missing, none comes twice."""
    path = server.audio_root / "upgraded.mp3"
    path.write_bytes(AUDIO)
    server.notify("upgraded", str(path), state="generating").raise_for_status()
    for first in range(0, 5000, 1000):
        post(server, words(first, first + 1000), "upgraded")
    with closing(WireListener(server.url, polling=True)) as listener:
        listener.emit("join_stream", {"stream_id": "upgraded", "cues": True})
        listener.receive_until("stream_cues")
        listener.upgrade()
        while sum(len(payload["cues"]) for name, payload in listener.events if name == "stream_cues") < 5000:
            listener.receive()
        received = [cue for name, payload in listener.events if name == "stream_cues" for cue in payload["cues"]]
    assert received == words(0, 5000)
