"""Uploads under kills, cuts and full disks: nothing that was acknowledged is lost."""

import random
import signal
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing, suppress
from pathlib import Path
from typing import Self

import pytest
import requests

from tests.support.bounds import PATIENCE_SECONDS, STREAM_SECONDS
from tests.support.fixtures import StartServer, audio_of
from tests.support.ledger import Ledger
from tests.support.mortal_server import MortalServer
from tests.support.plain_websocket import PlainListener
from tests.support.processes import eventually
from tests.support.small_disk import FullDisk, small_disk_at
from tests.support.uploader import Sender, head, offset_of, patch, put, upload_url

AUDIO = audio_of(3_000_000)
FAST = {"ASF_STREAM_SLEEP_INTERVAL": "0"}

SENDER = """
import sys, requests
url, path = sys.argv[1:]
def pieces():
    with open(path, 'rb') as file:
        for number in range(50):
            yield file.read(1000)
        sys.stdin.read()
requests.put(url, data=pieces())
"""


class StubbornSender:
    """Uploads `audio` whatever happens to the server: it asks for the offset and resumes.

    It sends no piece behind `limit`. Counts how often it `resumed`, and the bytes that were `lost`.
    """

    def __init__(self, server: MortalServer, audio: bytes) -> None:
        self.server = server
        self.audio = audio
        self.resumed = 0
        self.lost = 0
        self.acknowledged = 0
        self.limit = 0
        self.done = threading.Event()
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        method, offset = "PUT", 0
        while not self.done.is_set():
            try:
                port = self.server.process.port
                headers = {"Upload-Offset": str(offset)}
                with Sender(port, "s", method=method, headers=headers) as sender:
                    for start in range(offset, len(self.audio), 5000):
                        while start >= self.limit:
                            threading.Event().wait(0.01)
                        sender.send(self.audio[start : start + 5000])
                    if sender.end().status in {200, 201}:
                        self.done.set()
                        return
            except OSError:
                pass
            offset = self._ask()
            method = "PATCH"
            self.resumed += 1

    def _ask(self) -> int:
        while True:
            with suppress(requests.RequestException):
                offset = offset_of(self.server.process.url, "s")
                if offset >= 0:
                    self.lost += max(0, self.acknowledged - offset)
                    self.acknowledged = offset
                    return offset
            threading.Event().wait(0.05)


def test_a_server_that_is_killed_loses_nothing_of_an_upload(tmp_path: Path, ledger: Ledger, soak: bool) -> None:
    """Kill -9 while audio arrives: the sender resumes at the offset of HEAD, and the audio is identical."""
    kills = 20 if soak else 3
    with MortalServer(tmp_path, FAST) as server:
        sender = StubbornSender(server, AUDIO)
        chance = random.Random(3)
        share = len(AUDIO) // (kills + 1)
        for number in range(kills):
            sender.limit = (number + 1) * share
            goal = number * share + chance.randrange(share)
            eventually(lambda: offset_of(server.process.url, "s") >= goal)  # noqa: B023 - used at once
            server.kill_and_restart()
        sender.limit = len(AUDIO)
        assert sender.done.wait(STREAM_SECONDS)
        heard = requests.get(server.process.stream_url("s"), timeout=STREAM_SECONDS).content
        assert heard == AUDIO
        assert sender.lost == 0
    ledger.note(
        "kill -9 of the server during an upload",
        tried=server.kills,
        unit="kills",
        must_hold="Every byte below an offset that HEAD has returned is there after the restart.",
        lost=sender.lost,
        measured=f"resumed {sender.resumed} times",
    )


def test_a_sender_that_is_killed_is_resumed_by_another(start_server: StartServer, tmp_path: Path) -> None:
    """Its listener hears on, and receives every byte once."""
    server = start_server(FAST)
    path = tmp_path / "audio.mp3"
    path.write_bytes(AUDIO)
    listener = PlainListener(server.url, "s", wait="true")
    arguments = [sys.executable, "-c", SENDER, upload_url(server.url, "s"), str(path)]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE) as process:
        listener.receive_until_bytes(50_000)
        process.send_signal(signal.SIGKILL)
    eventually(lambda: "asf_uploads 0.0" in server.metrics())
    offset = offset_of(server.url, "s")
    assert patch(server.url, "s", offset, AUDIO[offset:]).status_code == 200
    assert listener.receive_to_the_end() == 1000
    assert listener.audio == AUDIO


@pytest.mark.parametrize("seed", range(3))
def test_an_upload_survives_cuts_at_any_byte(start_server: StartServer, seed: int) -> None:
    """In the head, in the line of a chunk, in its bytes, before the end; the next request comes at once."""
    server = start_server(FAST)
    chance = random.Random(seed)
    assert put(server.url, "s", b"", Upload_Complete="?0").status_code == 201
    audio = AUDIO[:200_000]
    listener = PlainListener(server.url, "s")
    tries = 0
    while (offset := offset_of(server.url, "s")) < len(audio):
        tries += 1
        headers = {"Upload-Offset": str(offset), "Upload-Complete": "?0"}
        with Sender(server.port, "s", method="PATCH", headers=headers) as sender, suppress(OSError):
            size = chance.choice([1, 700, 30_000])
            body = b""
            for start in range(offset, len(audio), size):
                piece = audio[start : start + size]
                body += f"{len(piece):x}\r\n".encode() + piece + b"\r\n"
                if len(body) > 60_000:
                    break
            sender.send_raw(body[: chance.randrange(len(body))])
            if chance.random() < 0.5:
                sender.reset()
    assert tries > 2
    assert patch(server.url, "s", len(audio), b"").json()["state"] == "complete"
    assert listener.receive_to_the_end() == 1000
    assert listener.audio == audio


def test_a_full_disk_takes_no_more_and_loses_nothing(start_server: StartServer, tmp_path: Path) -> None:
    """507 with the offset; when there is space, the upload continues and the listener hears on."""
    disk = tmp_path / "disk"
    wrapper = small_disk_at(disk)
    server = start_server(FAST | {"ASF_UPLOAD_DIRECTORY": str(disk / "uploads")}, wrapper=wrapper)
    audio = AUDIO[:300_000]
    assert put(server.url, "s", audio[:100_000], Upload_Complete="?0").status_code == 201
    listener = PlainListener(server.url, "s")
    with FullDisk(server.pid, disk):
        full = patch(server.url, "s", 100_000, audio[100_000:])
        assert (full.status_code, full.json()["error_code"]) == (507, "ASF_STORAGE_FULL")
        offset = int(full.headers["Upload-Offset"])
        assert 100_000 <= offset == offset_of(server.url, "s") < len(audio)
        listener.receive_until_bytes(offset)
    rest = patch(server.url, "s", offset, audio[offset:])
    assert (rest.status_code, rest.json()["offset"]) == (200, len(audio))
    assert listener.receive_to_the_end() == 1000
    assert listener.audio == audio


def test_a_directory_that_cannot_be_written_is_reported(start_server: StartServer, tmp_path: Path) -> None:
    """503 and no stream; everything else works."""
    (tmp_path / "file").write_text("not a directory")
    server = start_server(FAST | {"ASF_UPLOAD_DIRECTORY": str(tmp_path / "file" / "uploads")})
    answer = put(server.url, "s", AUDIO)
    assert (answer.status_code, answer.json()["error_code"]) == (503, "ASF_UPLOAD_UNAVAILABLE")
    assert head(server.url, "s").status_code == 404
    server.announce("t", AUDIO[:10])
    assert requests.get(server.stream_url("t"), timeout=PATIENCE_SECONDS).content == AUDIO[:10]


def test_a_fast_sender_costs_no_memory(start_server: StartServer) -> None:
    """Faster than its listener, which reads nothing at first: what is not written yet waits at the sender."""
    server = start_server(FAST)
    audio = audio_of(40_000_000)
    assert put(server.url, "warm", audio[:1_000_000]).status_code == 201
    before = server.memory()
    with PlainSlowListener(server.url) as listener:
        assert put(server.url, "s", audio).status_code == 201
        assert server.memory() - before < 12_000_000
        assert listener.receive_to_the_end() == 1000
        assert listener.audio == audio


class PlainSlowListener(PlainListener):
    """One that waits for `s`."""

    def __init__(self, url: str) -> None:
        super().__init__(url, "s", wait="true")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()


def test_what_a_killed_server_has_left_is_swept_up(tmp_path: Path) -> None:
    """Files of streams that do not exist go at the next start; those of streams stay, and others' too."""
    settings = FAST | {"ASF_DATABASE": str(tmp_path / "var" / "catalog.sqlite3")}
    with MortalServer(tmp_path, settings) as server:
        assert put(server.process.url, "s", AUDIO[:1000]).status_code == 201
        directory = tmp_path / "var" / "uploads"
        (kept,) = directory.iterdir()
        orphan = kept.with_name(f"catalog.sqlite3.{'0' * 24}.audio")
        orphan.write_bytes(b"left by a crash")
        other = kept.with_name(f"other.sqlite3.{'0' * 24}.audio")
        other.write_bytes(b"of another server")
        server.kill_and_restart()
        eventually(lambda: not orphan.exists())
        assert sorted(directory.iterdir()) == sorted([kept, other])
        assert requests.get(server.process.stream_url("s"), timeout=PATIENCE_SECONDS).content == AUDIO[:1000]


def test_an_upload_whose_server_was_killed_is_given_up(tmp_path: Path) -> None:
    """Nobody comes back, and nobody listens: the next start notices."""
    with MortalServer(tmp_path, FAST | {"ASF_STALL_GIVE_UP_SECONDS": "1"}) as server:
        with Sender(server.process.port, "s") as sender:
            sender.send(AUDIO[:1000])
            eventually(lambda: offset_of(server.process.url, "s") == 1000)
            server.kill_and_restart()
        url = f"{server.process.url}/asf/internal/streams/s"
        eventually(lambda: requests.get(url, timeout=PATIENCE_SECONDS).json()["state"] == "failed")


def test_uploaded_audio_is_deleted_when_it_is_old(tmp_path: Path) -> None:
    """With its stream and its cues."""
    with MortalServer(tmp_path, FAST | {"ASF_UPLOAD_KEEP_SECONDS": "1"}) as server:
        assert put(server.process.url, "s", AUDIO[:1000]).status_code == 201
        cues = {"cues": [{"start": 1}]}
        assert requests.post(
            f"{server.process.url}/asf/internal/streams/s/cues", json=cues, timeout=PATIENCE_SECONDS
        ).ok
        assert cue_count(tmp_path) == 1
        threading.Event().wait(1.1)
        server.kill_and_restart()
        eventually(lambda: head(server.process.url, "s").status_code == 404)
        eventually(lambda: not list((tmp_path / "uploads").iterdir()))
        eventually(lambda: cue_count(tmp_path) == 0)


def cue_count(directory: Path) -> int:
    """Return how many cues a server in the directory stores."""
    (path,) = directory.glob("*.cues")
    with closing(sqlite3.connect(path)) as database:
        count: int = database.execute("SELECT count(*) FROM cues").fetchone()[0]
    return count


def test_of_many_that_upload_at_once_one_is_heard(start_server: StartServer, tmp_path: Path) -> None:
    """Whole, whoever it is; the others are told, and their audio is gone."""
    server = start_server(FAST)
    audios = {bytes([number]) * (50_000 + number) for number in range(8)}
    answers: list[requests.Response] = []
    threads = [
        threading.Thread(target=lambda audio=audio: answers.append(put(server.url, "s", audio))) for audio in audios
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {answer.status_code for answer in answers} <= {200, 201, 409}
    epoch = head(server.url, "s").headers["ETag"].strip('"')
    (winner,) = [answer for answer in answers if answer.status_code < 400 and answer.json()["epoch"] == epoch]
    heard = requests.get(server.stream_url("s"), timeout=PATIENCE_SECONDS).content
    assert heard in audios
    assert len(heard) == winner.json()["offset"]
    eventually(lambda: len(list((tmp_path / "var" / "uploads").iterdir())) == 1)


def test_uploads_of_a_catalog_in_memory_end_with_it(start_server: StartServer, tmp_path: Path) -> None:
    """They are in a temporary directory."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    server = start_server(FAST | {"ASF_DATABASE": ":memory:", "TMPDIR": str(temporary)})
    assert put(server.url, "s", AUDIO[:1000]).status_code == 201
    (directory,) = temporary.glob("asf-uploads-*")
    assert len(list(directory.iterdir())) == 1
    assert requests.get(server.stream_url("s"), timeout=PATIENCE_SECONDS).content == AUDIO[:1000]
    server.stop()
    assert not directory.exists()


def test_nothing_stays_behind(start_server: StartServer) -> None:
    """No descriptor and no task, after uploads that were completed, broken off, taken over and rejected."""
    server = start_server(FAST, observed=True)
    for size in (100_000, *[1000] * 60):  # So that all threads have started.
        assert put(server.url, "s", AUDIO[:size]).status_code in {200, 201}
    descriptors, greenlets = server.descriptors(), server.greenlets()
    for number in range(10):
        assert put(server.url, f"s{number}", AUDIO[:100_000]).status_code == 201
        with Sender(server.port, "s") as broken, Sender(server.port, "s") as other:
            broken.send(AUDIO[:1000])
            other.send(AUDIO[:1000])
            other.reset()
        assert patch(server.url, "s", 10**9, AUDIO[:100_000]).status_code == 409
    eventually(lambda: server.descriptors() <= descriptors)
    eventually(lambda: server.greenlets() <= greenlets)
