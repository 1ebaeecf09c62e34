"""Audio on a file system of another machine or process that hangs, is slow, fails, or changes inode numbers."""

import errno
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.support.bounds import PATIENCE_SECONDS
from tests.support.engineio_wire import join
from tests.support.faults import CHANGING_INODES, DISK_ERRORS, HANGING_DISK
from tests.support.fixtures import StartServer, audio_of
from tests.support.fuse_disk import FuseDisk
from tests.support.processes import ServerProcess, eventually

AUDIO = audio_of(200_001)
FAST = {"ASF_STREAM_SLEEP_INTERVAL": "0"}


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[FuseDisk]:
    """Return a disk that answers at the end, so that the server stops."""
    disk = FuseDisk(tmp_path)
    yield disk
    disk.recover()


@pytest.fixture
def server(disk: FuseDisk, tmp_path: Path, start_server: StartServer) -> Iterator[ServerProcess]:
    """Return a server with a local root and one on that disk."""
    local = tmp_path / "audio"
    server = start_server(FAST | {"ASF_AUDIO_ROOTS": f"{local}:{disk.mount_point}"}, wrapper=disk.wrapper)
    yield server
    disk.recover()


def announce(server: ServerProcess, disk: FuseDisk, stream_id: str, audio: bytes = AUDIO, **more: object) -> Path:
    """Write audio on the disk, and announce it. Returns the file where the test writes to it."""
    path = disk.source / f"{stream_id}.mp3"
    path.write_bytes(audio)
    server.notify(stream_id, str(disk.mount_point / path.name), **more).raise_for_status()
    return path


def fetch(server: ServerProcess, stream_id: str, **headers: str) -> requests.Response:
    """Return the answer at the stream's URL."""
    return requests.get(server.stream_url(stream_id), headers=headers, timeout=PATIENCE_SECONDS)


@HANGING_DISK
def test_a_disk_that_hangs_holds_up_only_its_own_listeners(server: ServerProcess, disk: FuseDisk) -> None:
    """However many calls it keeps waiting: all else is done before it answers again. Then it serves as before."""
    server.announce("local", AUDIO)
    announce(server, disk, "far")
    growing = announce(server, disk, "growing", AUDIO[:1000], state="generating")
    at_the_edge = join(server, "growing")
    at_the_edge.receive_until_bytes(1000)
    disk.hang()
    with growing.open("ab") as file:
        file.write(AUDIO[1000:])
    refused: list[requests.Response] = []
    asking = [threading.Thread(target=lambda: refused.append(fetch(server, "far")), daemon=True) for _ in range(12)]
    for thread in asking:
        thread.start()
    for number in range(8):
        assert requests.get(f"{server.url}/asf/health", timeout=PATIENCE_SECONDS).status_code == 200
        server.announce(f"new-{number}", AUDIO)
        assert fetch(server, f"new-{number}").content == AUDIO
        listener = join(server, f"new-{number}")
        listener.receive_until("end_of_stream")
        listener.close()
    ready = requests.get(f"{server.url}/asf/ready", timeout=PATIENCE_SECONDS)
    assert ready.status_code == 503
    assert "does not respond" in ready.text
    announcing = server.notify("another", str(disk.mount_point / "another.mp3"))
    assert announcing.json()["error_code"] == "ASF_AUDIO_UNAVAILABLE"
    for thread in asking:
        thread.join(PATIENCE_SECONDS)
    assert [answer.json()["error_code"] for answer in refused] == ["ASF_AUDIO_UNAVAILABLE"] * 12
    disk.recover()
    at_the_edge.receive_until_bytes(len(AUDIO))
    eventually(lambda: fetch(server, "far").content == AUDIO)
    server.notify("growing", str(disk.mount_point / "growing.mp3")).raise_for_status()
    at_the_edge.receive_until("end_of_stream")
    assert at_the_edge.audio == AUDIO
    at_the_edge.close()
    eventually(lambda: not remote_files(server, disk))


@HANGING_DISK
def test_a_disk_that_hangs_at_the_start_does_not_stop_it(
    disk: FuseDisk, tmp_path: Path, start_server: StartServer
) -> None:
    """What is on other disks is served; what is on this one later on."""
    disk.hang()
    local = tmp_path / "audio"
    server = start_server(FAST | {"ASF_AUDIO_ROOTS": f"{local}:{disk.mount_point}"}, wrapper=disk.wrapper)
    server.announce("local", AUDIO)
    assert fetch(server, "local").content == AUDIO
    disk.recover()
    announce(server, disk, "far")
    assert fetch(server, "far").content == AUDIO


@HANGING_DISK
def test_a_slow_disk_is_slow_for_its_own_listeners_only(server: ServerProcess, disk: FuseDisk) -> None:
    """Everything else is done while one listener waits for 200 ms a call, and it is heard in full."""
    announce(server, disk, "far")
    disk.delay(0.2)
    listener = join(server, "far")
    for number in range(5):
        server.announce(f"new-{number}", AUDIO)
        assert fetch(server, f"new-{number}").content == AUDIO
    assert not any(payload.get("event") == "end_of_stream" for _, payload in listener.events)
    listener.receive_until("end_of_stream")
    assert listener.audio == AUDIO
    listener.close()


@HANGING_DISK
def test_a_listener_waits_while_the_disk_hangs(server: ServerProcess, disk: FuseDisk) -> None:
    """In the middle of its audio: it hears the rest when the disk answers again."""
    announce(server, disk, "far")
    with requests.get(server.stream_url("far"), stream=True, timeout=PATIENCE_SECONDS) as answer:
        disk.hang()
        server.announce("local", AUDIO)
        assert fetch(server, "local").content == AUDIO
        disk.recover()
        assert answer.content == AUDIO


@CHANGING_INODES
def test_audio_whose_inode_number_changes_is_the_same_audio(server: ServerProcess, disk: FuseDisk) -> None:
    """While it grows and when it is complete: heard in full, and downloads continue."""
    path = announce(server, disk, "far", b"", state="generating")
    listener = join(server, "far")
    listener.receive_until("start_of_stream")
    for start in range(0, len(AUDIO), 50_000):
        with path.open("ab") as file:
            file.write(AUDIO[start : start + 50_000])
        listener.receive_until_bytes(min(start + 50_000, len(AUDIO)))
    with path.open("ab") as file:
        file.write(b"the end")
    server.notify("far", str(disk.mount_point / "far.mp3")).raise_for_status()
    assert listener.receive_until("end_of_stream")["total_bytes"] == len(AUDIO) + 7
    assert listener.audio == AUDIO + b"the end"
    listener.close()
    eventually(lambda: not remote_files(server, disk))
    etag = fetch(server, "far").headers["ETag"]
    assert fetch(server, "far").headers["ETag"] == etag
    rest = fetch(server, "far", **{"Range": "bytes=100-", "If-Range": etag})
    assert (rest.status_code, rest.content) == (206, (AUDIO + b"the end")[100:])
    assert fetch(server, "far", **{"If-None-Match": etag}).status_code == 304


@DISK_ERRORS
@pytest.mark.parametrize("error", [errno.EIO, errno.ESTALE])
def test_a_disk_that_fails_fails_its_own_streams_and_loses_no_descriptor(
    server: ServerProcess, disk: FuseDisk, error: int
) -> None:
    """A listener at the live edge gets the error, as do those who join; afterwards all is heard."""
    path = announce(server, disk, "far", AUDIO[:1000], state="generating")
    listener = join(server, "far")
    listener.receive_until_bytes(1000)
    disk.fail(error)
    assert listener.receive_until("stream_error")["error_code"] == "ASF_AUDIO_UNAVAILABLE"
    listener.close()
    path.write_bytes(AUDIO)
    announce(server, disk, "other")
    for _ in range(3):
        assert fetch(server, "other").json()["error_code"] == "ASF_AUDIO_UNAVAILABLE"
    disk.recover()
    eventually(lambda: fetch(server, "other").content == AUDIO)
    eventually(lambda: not remote_files(server, disk))


def test_a_replaced_file_is_other_audio(server: ServerProcess, disk: FuseDisk) -> None:
    """Where inode numbers do not show it, the content does: no listener gets a mixture."""
    path = announce(server, disk, "far", AUDIO[:1000], state="generating")
    listener = join(server, "far")
    listener.receive_until_bytes(1000)
    (disk.source / "new").write_bytes(bytes(len(AUDIO)))
    (disk.source / "new").rename(path)
    assert listener.receive_until("stream_error")["error_code"] == "ASF_AUDIO_UNAVAILABLE"
    assert listener.audio == AUDIO[:1000]
    listener.close()


def remote_files(server: ServerProcess, disk: FuseDisk) -> list[str]:
    """Return the files on the disk that the server has open. Their names lead up to the mount point at most."""
    names = {path.name for path in disk.source.iterdir()}
    local = str(server.audio_root)
    return [name for name in server.all_open_files() if Path(name).name in names and not name.startswith(local)]
