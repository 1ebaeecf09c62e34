"""Which file systems may keep calls waiting, and the worker threads that wait there."""

import os
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from asf.adapters.audio_files import FileAudioSource, FileAudioSources
from asf.adapters.audio_files.calls import file_calls
from asf.adapters.audio_files.looks import FilePlace
from asf.adapters.audio_files.mounts import UNKNOWN, Mounts, parsed, walk
from asf.adapters.audio_files.threaded import OpenFile, ThreadedFileSource
from asf.adapters.blocking_calls import BlockingCall
from asf.domain.errors import AudioUnavailable, InvalidFilepath
from asf.domain.streams.stream import FileLocator, ObjectLocator
from tests.contracts.audio_sources import AUDIO
from tests.support.stopped_runtime import StoppedRuntime
from tests.support.threads_runtime import ThreadsRuntime

MOUNTINFO = r"""22 27 0:21 / /proc rw,relatime - proc proc rw
27 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
43 27 0:39 / /srv/my\040audio rw - nfs4 server:/audio rw,vers=4.2
44 27 0:40 / /srv/drive rw,nosuid master:3 - fuse.rclone drive: rw,user_id=0
45 44 0:41 / /srv/drive/fast rw - tmpfs tmpfs rw
46 27 0:42 / /srv/hidden rw - nfs4 server:/x rw
47 46 0:43 / /srv/hidden rw - xfs /dev/vdb rw
48 27 0:44 / /srv/share rw - cifs //server/share rw
49 27 0:45 / /srv/new rw - whatever new rw
"""


@pytest.mark.parametrize(
    ("path", "mount", "keeps_inodes"),
    [
        ("/srv/audio/a.mp3", None, True),
        ("/srv/my audio/a.mp3", "/srv/my audio", True),
        ("/srv/my audio", "/srv/my audio", True),
        ("/srv/my audio-beside/a.mp3", None, True),
        ("/srv/drive/show/a.mp3", "/srv/drive", False),
        ("/srv/drive/fast/a.mp3", None, True),
        ("/srv/hidden/a.mp3", None, True),
        ("/srv/share/a.mp3", "/srv/share", False),
        ("/srv/new/a.mp3", "/srv/new", False),
    ],
)
def test_only_local_file_systems_are_called_directly(path: str, mount: str | None, keeps_inodes: bool) -> None:
    """By the type of the file system that has the path; what is unknown may keep calls waiting."""
    mounts = Mounts(lambda: parsed(MOUNTINFO))
    assert mounts.slow_mount_of(path) == mount
    assert mount is None or mounts.keeps_inodes(mount) == keeps_inodes


def test_audio_is_local_where_no_call_waits(tmp_path: Path) -> None:
    """Neither is any object, nor a file on another machine."""
    mounts = Mounts(lambda: parsed(MOUNTINFO))
    sources = FileAudioSources([tmp_path], StoppedRuntime(), mounts)
    locators = (FileLocator("/srv/audio/a.mp3"), FileLocator("/srv/share/a.mp3"), ObjectLocator("s3://b/a.mp3"))
    assert [sources.is_local(locator) for locator in locators] == [True, False, False]
    assert FileAudioSources([tmp_path]).is_local(locators[1])


def test_without_a_list_of_mounts_any_call_may_wait() -> None:
    """As on systems without /proc."""
    assert Mounts(lambda: {"/": "unknown"}).slow_mount_of("/a/b") == "/"


def test_what_is_mounted_later_is_noticed() -> None:
    """The list is read again after a while."""
    time = 0.0
    types = {"/": "ext4"}
    mounts = Mounts(lambda: dict(types), lambda: time)
    assert mounts.slow_mount_of("/a/b") is None
    types["/a"] = "nfs"
    time = 10.0
    assert mounts.slow_mount_of("/a/b") == "/a"


def test_what_was_mounted_holds_on_while_the_list_cannot_be_read() -> None:
    """As when no file descriptors are left: calls about local files are made as before."""
    time = 0.0
    types: Mapping[str, str] = {"/": "ext4"}
    mounts = Mounts(lambda: types, lambda: time)
    assert mounts.slow_mount_of("/a/b") is None
    types = UNKNOWN
    time = 10.0
    assert mounts.slow_mount_of("/a/b") is None
    types = {"/": "ext4", "/a": "nfs"}
    time = 20.0
    assert mounts.slow_mount_of("/a/b") == "/a"


def test_this_machine_lists_its_mounts(tmp_path: Path) -> None:
    """The directory of the tests is on one of them."""
    mounts = Mounts()
    mount = mounts.slow_mount_of(os.path.realpath(tmp_path))
    assert mount is None or os.path.ismount(mount)


PARTS = st.lists(st.sampled_from(["..", ".", "a", "b", "link", "up", "far", "to-far", "loop", ""]), max_size=8)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(PARTS)
def test_walking_resolves_as_the_kernel_does_and_looks_at_nothing_that_may_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, parts: list[str]
) -> None:
    """Links, `..` and loops included: up to the mount point of a file system that may keep a call waiting."""
    root = Path(os.path.realpath(tmp_path)) / "root"
    far = root / "far"
    if not root.exists():
        (root / "a" / "b").mkdir(parents=True)
        (far / "a").mkdir(parents=True)
        for link, target in (
            ("link", "a/b"),
            ("a/up", ".."),
            ("to-far", str(far)),
            ("loop", "loop"),
            ("a/far", "../far/a"),
        ):
            (root / link).symlink_to(target)
    path = "/".join([str(root), *parts])
    real = os.readlink
    seen: list[str] = []

    def readlink(path: str) -> str:
        seen.append(path)
        return real(path)

    with monkeypatch.context() as patch:
        patch.setattr(os, "readlink", readlink)
        resolved, mount = walk(path, frozenset({str(far)}))
    assert not [name for name in seen if name == str(far) or name.startswith(f"{far}/")]
    if mount is None:
        assert resolved == os.path.realpath(path)
    else:
        assert (mount, resolved) == (str(far), str(far))


@pytest.mark.parametrize("error", [OSError(5, "Input/output error"), ZeroDivisionError(), InvalidFilepath("No.")])
def test_whatever_fails_is_an_error_of_the_caller(error: Exception) -> None:
    """Typed ones are kept, others become `AudioUnavailable`."""
    runtime = StoppedRuntime()
    failed: list[type[Exception]] = []

    def work() -> None:
        raise error

    def then(call: BlockingCall[None]) -> None:
        with pytest.raises((AudioUnavailable, InvalidFilepath)) as caught:
            call.outcome()
        failed.append(type(caught.value))

    file_calls(runtime).submit(work, then)
    runtime.finish()
    assert failed == [InvalidFilepath if isinstance(error, InvalidFilepath) else AudioUnavailable]


def test_a_descriptor_is_closed_when_nothing_uses_it_any_more(tmp_path: Path) -> None:
    """So that its number never means another file to a call that is under way."""
    (tmp_path / "a").write_bytes(AUDIO)
    descriptor = os.open(tmp_path / "a", os.O_RDONLY)
    runtime = StoppedRuntime()
    file = OpenFile(descriptor, file_calls(runtime))
    file.hold()
    file.release()
    assert not runtime.started
    file.release()
    runtime.finish()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)


def test_a_source_that_is_closed_during_a_read_calls_nobody(tmp_path: Path) -> None:
    """Its descriptor is closed after the read."""
    (tmp_path / "a.mp3").write_bytes(AUDIO)
    runtime = StoppedRuntime()
    sources = FileAudioSources([tmp_path], runtime, Mounts(lambda: {"/": "ext4", str(tmp_path): "nfs"}))
    source = sources.open(FileLocator(str(tmp_path / "a.mp3")), growing=True)
    called: list[int] = []
    source.on_arrival = lambda: called.append(1)
    before = descriptors()
    source.close()
    runtime.finish()
    assert descriptors() == before + 1
    runtime.finish()
    assert descriptors() == before
    assert not called


def descriptors() -> int:
    """Return how many descriptors this process has open."""
    return len(list(Path("/proc/self/fd").iterdir()))


def test_growing_audio_is_looked_at_once_at_a_time(tmp_path: Path) -> None:
    """However often its length is asked for."""
    path = tmp_path / "a.mp3"
    runtime = StoppedRuntime()
    sources = FileAudioSources([tmp_path], runtime, Mounts(lambda: {"/": "ext4", str(tmp_path): "nfs"}))
    source = sources.open(FileLocator(str(path)), growing=True)
    assert isinstance(source, ThreadedFileSource)
    assert [source.refresh() for _ in range(100)] == [0] * 100
    assert len(runtime.started) == 1
    runtime.finish()
    path.write_bytes(AUDIO)
    assert source.refresh() == 0
    assert source.content_type == "audio/mpeg"
    source.close()


@pytest.mark.parametrize("ask", [ThreadedFileSource.measure, ThreadedFileSource.finalize])
def test_a_look_counts_though_another_one_has_begun_since(
    tmp_path: Path, ask: Callable[[ThreadedFileSource], int]
) -> None:
    """The poll of the live edge may come before the task that waits for the look continues."""
    path = tmp_path / "a.mp3"
    path.write_bytes(AUDIO)
    times = iter(range(1000))
    runtime = StoppedRuntime()
    place = FilePlace(str(path), lambda: os.open(path, os.O_RDONLY), keeps_inode=True)
    source = ThreadedFileSource(place, file_calls(runtime), None, None, lambda: float(next(times)))
    runtime.finish()

    class PolledRuntime(StoppedRuntime):
        def run_in_thread(self, work: Callable[[], object], done: Callable[[], object]) -> None:
            super().run_in_thread(work, done)
            if len(self.started) == 1 and not polled:
                polled.append(1)
                self.finish()
                source.refresh()
                assert self.started

    polled: list[int] = []
    source._worker = file_calls(PolledRuntime())  # noqa: SLF001 - as if it were polled meanwhile
    path.write_bytes(AUDIO + b"more")
    assert ask(source) == len(AUDIO) + 4
    source.close()


def test_many_who_ask_at_once_for_the_length_share_a_look(tmp_path: Path) -> None:
    """One that has begun since they asked: the one under way may have missed the latest bytes."""
    path = tmp_path / "a.mp3"
    path.write_bytes(AUDIO)
    runtime = StoppedRuntime()
    place = FilePlace(str(path), lambda: os.open(path, os.O_RDONLY), keeps_inode=True)
    source = ThreadedFileSource(place, file_calls(runtime), None, None)
    sizes: list[int] = []
    tasks = [threading.Thread(target=lambda: sizes.append(source.measure())) for _ in range(20)]
    for task in tasks:
        task.start()
    runtime.finish()
    path.write_bytes(AUDIO + b"more")
    looks = 0
    while any(task.is_alive() for task in tasks):
        if runtime.started:
            looks += 1
            runtime.finish()
        time.sleep(0.01)
    assert sizes == [len(AUDIO) + 4] * len(tasks)
    assert looks <= len(tasks) // 2
    source.close()


def test_a_link_into_another_file_system_is_opened_in_a_thread(tmp_path: Path) -> None:
    """The path lies on a local one."""
    near, far = tmp_path / "near", tmp_path / "far"
    near.mkdir()
    far.mkdir()
    (far / "a.mp3").write_bytes(AUDIO)
    mounts = Mounts(lambda: {"/": "ext4", str(far): "fuse.sshfs"})
    sources = FileAudioSources([near, far], ThreadsRuntime(), mounts)
    locator = sources.locate(str(near / "a.mp3"))
    (near / "a.mp3").symlink_to(far / "a.mp3")
    source = sources.open(locator)
    assert isinstance(source, ThreadedFileSource)
    source.close()
    assert sources.locate(str(near / "a.mp3")) == FileLocator(str(far / "a.mp3"))
    (near / "b.mp3").write_bytes(AUDIO)
    source = sources.open(sources.locate(str(near / "b.mp3")))
    assert isinstance(source, FileAudioSource)
    source.close()
