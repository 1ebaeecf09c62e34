"""Uploads that are cut at random places while servers are killed: everybody receives all of it once."""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from itertools import cycle
from pathlib import Path
from typing import Any, Self

import pytest
import requests

from asf.client import BackendClient, RequestRejected
from tests.support.bounds import PATIENCE_SECONDS, STREAM_SECONDS
from tests.support.cutting_proxy import CuttingProxy
from tests.support.fixtures import audio_of
from tests.support.ledger import Ledger
from tests.support.mortal_server import MortalServer
from tests.support.nodes import TOKEN, Nodes
from tests.support.processes import eventually
from tests.support.proxies import HAProxy
from tests.support.returning_listeners import TEN, SocketIOListener
from tests.support.uploader import upload_url

PIECE_BYTES = 8000
HEAD_BYTES = 4000
"""No cut is made before so many bytes: a first request whose answer is lost would be repeated under a new epoch."""

FAST = {"ASF_STREAM_SLEEP_INTERVAL": "0"}
BEARER = {"Authorization": f"Bearer {TOKEN}"}
RETRIES = 30
"""How often a request is repeated: a server that was killed is away for a while."""

Upload = Callable[[str, bytes, Callable[[int], object]], None]


def cues_of(piece: int) -> list[dict[str, Any]]:
    """Return the cues of one piece of the audio."""
    names = (f"{piece}.{number}" for number in range(3))
    return [{"id": name, "kind": "word", "start": piece + 0.25, "text": f"Wort ü{name}"} for name in names]


def upload_by_client(url: str, audio: bytes, on_piece: Callable[[int], object]) -> None:
    """Upload with the Python client: the cues of each piece, then the piece."""
    with (
        BackendClient(url, token=TOKEN, retries=RETRIES) as backend,
        backend.generating("s", content_type="audio/mpeg", patience=STREAM_SECONDS) as upload,
    ):
        for number, start in enumerate(range(0, len(audio), PIECE_BYTES)):
            backend.add_cues("s", cues_of(number), upload.epoch)
            upload.write(audio[start : start + PIECE_BYTES])
            on_piece(number)


def upload_by_requests(url: str, audio: bytes, on_piece: Callable[[int], object]) -> None:
    """Upload with one PUT, and a PATCH at the offset that HEAD returns after each cut."""
    method, headers, offset = "PUT", BEARER | {"Content-Type": "audio/mpeg"}, 0
    with BackendClient(url, token=TOKEN, retries=RETRIES) as backend:
        poster = _Poster(backend, on_piece)
        while True:
            with suppress(requests.RequestException):
                pieces = _pieces(audio, offset, poster)
                response = requests.request(
                    method, upload_url(url, "s"), data=pieces, headers=headers, timeout=PATIENCE_SECONDS
                )
                if response.ok:
                    return
            arrived = eventually(lambda: _arrived_at(url))
            if arrived["Upload-Complete"] == "?1":
                return  # The response that said so was lost.
            offset = int(arrived["Upload-Offset"])
            method, headers = "PATCH", BEARER | {"Upload-Offset": str(offset)}


def _pieces(audio: bytes, offset: int, poster: "_Poster") -> Iterator[bytes]:
    """Yield the audio from `offset` on, and post the cues of what was yielded."""
    for start in range(offset, len(audio), PIECE_BYTES):
        piece = audio[start : start + PIECE_BYTES]
        yield piece
        poster.post_until(start + len(piece))


def _arrived_at(url: str) -> Mapping[str, str] | None:
    """Return the headers that HEAD returns; None while nobody answers."""
    with suppress(requests.RequestException):
        response = requests.head(upload_url(url, "s"), headers=BEARER, timeout=PATIENCE_SECONDS)
        return response.headers if "Upload-Offset" in response.headers else None
    return None


class _Poster:
    """Posts the cues of each piece once."""

    def __init__(self, backend: BackendClient, on_piece: Callable[[int], object]) -> None:
        self._backend = backend
        self._on_piece = on_piece
        self._next = 0

    def post_until(self, offset: int) -> None:
        """Post the cues of all pieces that start before `offset`."""
        while self._next * PIECE_BYTES < offset:
            eventually(self._is_posted)
            self._on_piece(self._next)
            self._next += 1

    def _is_posted(self) -> bool:
        try:
            self._backend.add_cues("s", cues_of(self._next))
        except RequestRejected as error:
            if error.error_code != "ASF_STREAM_NOT_FOUND":
                raise
            return False  # The head of the request is still under way.
        return True


class Killer:
    """Calls `kill` after random pieces of the audio, `kills` times, each beside the upload. `count` is how many."""

    def __init__(self, kill: Callable[[], object], kills: int, pieces: int, chance: random.Random) -> None:
        share = pieces // (kills + 1)
        self.count = 0
        self._kill = kill
        self._due = {number * share + chance.randrange(share) + 1 for number in range(kills)}
        self._pool = ThreadPoolExecutor(1)
        self._last: Future[object] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._pool.shutdown()
        if self._last is not None:
            self._last.result()

    def on_piece(self, number: int) -> None:
        """Kill if it is time."""
        if number in self._due:
            if self._last is not None:
                self._last.result()
            self.count += 1
            self._last = self._pool.submit(self._kill)


def run(
    target_port: int,
    urls: Sequence[str],
    upload: Upload,
    kill: Callable[[], object],
    chance: random.Random,
    *,
    soak: bool,
) -> tuple[int, int]:
    """Upload through cuts and kills to `target_port`, with ten listeners at `urls` in turn; check what they receive.

    Returns how many cuts and kills there were.
    """
    pieces, cuts, kills = (375, 50, 5) if soak else (75, 10, 2)
    audio = audio_of(pieces * PIECE_BYTES)
    places = sorted(chance.sample(range(HEAD_BYTES, len(audio)), cuts))
    proxy = CuttingProxy(target_port, iter(places), towards_server=True)
    listeners = [kind(urls[number % len(urls)], "s") for number, kind in enumerate(TEN)]
    with Killer(kill, kills, pieces, chance) as killer:
        upload(proxy.url, audio, killer.on_piece)
    proxy.close()
    for listener in listeners:
        listener.wait()
    expected = [cue for piece in range(pieces) for cue in cues_of(piece)]
    for listener in listeners:
        assert bytes(listener.audio) == audio, listener
        assert listener.cues == expected, listener
    # Not all of them: one of three nodes may live through it.
    assert any(listener.breaks for listener in listeners if not isinstance(listener, SocketIOListener))
    assert proxy.cuts_made == cuts
    assert killer.count == kills
    return cuts, kills


@pytest.mark.parametrize("upload", [upload_by_client, upload_by_requests])
def test_a_server_is_killed_under_an_upload_that_is_cut(
    tmp_path: Path, ledger: Ledger, upload: Upload, soak: bool
) -> None:
    """Ten listeners over three transports receive identical audio, and each cue once."""
    chance = random.Random(upload.__name__)
    with MortalServer(tmp_path, FAST) as server:
        port, url = server.process.port, server.process.url
        cuts, kills = run(port, [url], upload, server.kill_and_restart, chance, soak=soak)
    note(ledger, f"uploads that are cut while the server is killed ({NAMES[upload]})", cuts, kills)


@pytest.mark.parametrize(("upload", "storage"), [(upload_by_client, "file"), (upload_by_requests, "queue")])
def test_servers_are_killed_in_turn_under_an_upload_that_is_cut(
    tmp_path: Path, ledger: Ledger, upload: Upload, storage: str, soak: bool
) -> None:
    """The same behind HAProxy: whichever server is killed, the others continue."""
    chance = random.Random(storage)
    nodes = Nodes(tmp_path, FAST | {"ASF_UPLOAD_TO": storage})
    proxy = HAProxy(tmp_path / "proxy", nodes.ports, most=10_000)
    turns = cycle(range(len(nodes.all)))

    def kill_next() -> None:
        number = next(turns)
        nodes.all[number].kill()
        nodes.start_again(number)

    try:
        internal_port = int(proxy.internal_url.rsplit(":", 1)[1])
        cuts, kills = run(internal_port, [proxy.url], upload, kill_next, chance, soak=soak)
    finally:
        proxy.stop()
        nodes.stop()
    note(
        ledger,
        f"uploads to 3 servers behind HAProxy, cut while they are killed ({NAMES[upload]}, {storage})",
        cuts,
        kills,
    )


NAMES: dict[Upload, str] = {upload_by_client: "the Python client", upload_by_requests: "PUT and PATCH"}


def note(ledger: Ledger, fault: str, cuts: int, kills: int) -> None:
    """Note what was tried and held."""
    ledger.note(
        fault,
        tried=cuts,
        unit="cuts",
        must_hold="Ten listeners over Socket.IO, plain WebSocket and HTTP receive "
        "the identical audio, and every cue once.",
        lost=0,
        measured=f"{kills} kills",
    )
