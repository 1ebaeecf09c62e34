"""What is not in the page cache is read from the disk in a worker thread."""

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from asf.adapters.audio_files import FileAudioSource, FileAudioSources, page_cache
from asf.adapters.audio_files.calls import FAILURE_SECONDS, file_calls
from asf.adapters.audio_files.mounts import Mounts
from asf.adapters.audio_files.page_cache import KNOWN_SECONDS, WINDOW_BYTES, PageCache
from asf.domain.errors import AudioUnavailable
from asf.domain.streams.stream import FileLocator
from tests.support.stopped_runtime import StoppedRuntime
from tests.support.virtual import ManualClock

AUDIO = os.urandom(WINDOW_BYTES + 1000)

pytestmark = pytest.mark.skipif(page_cache.NOWAIT is None, reason="preadv2(2) with RWF_NOWAIT exists on Linux only")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return a file that has reached the disk."""
    path = tmp_path / "one.mp3"
    with path.open("wb") as file:
        file.write(AUDIO)
        file.flush()
        os.fsync(file.fileno())
    return path


@pytest.fixture
def runtime() -> StoppedRuntime:
    """Return a runtime whose threads the test lets run."""
    return StoppedRuntime()


@pytest.fixture
def source(path: Path, runtime: StoppedRuntime) -> Iterator[FileAudioSource]:
    """Return the opened file on a local file system."""
    sources = FileAudioSources([path.parent], runtime, Mounts(lambda: {"/": "ext4"}))
    source = sources.open(FileLocator(str(path)))
    assert isinstance(source, FileAudioSource)
    yield source
    source.close()


@pytest.fixture
def cold(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the page cache be empty, whatever is read."""

    def preadv(_descriptor: int, _buffers: object, _offset: int, _flags: int) -> int:
        raise BlockingIOError(errno.EAGAIN, "not cached")

    monkeypatch.setattr(os, "preadv", preadv)


def test_evicted_audio_is_read_in_a_thread(path: Path, source: FileAudioSource, runtime: StoppedRuntime) -> None:
    """Of a real disk, window by window."""
    assert source.read(0, 100) == AUDIO[:100]
    source.close()
    source = FileAudioSources([path.parent], runtime, Mounts(lambda: {"/": "ext4"})).open(FileLocator(str(path)))  # type: ignore[assignment]
    arrivals: list[bool] = []
    source.on_arrival = lambda: arrivals.append(True)
    descriptor = os.open(path, os.O_RDONLY)
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    try:
        os.preadv(descriptor, [bytearray(1)], 0, os.RWF_NOWAIT)
        pytest.skip(f"the file system of {path.parent} keeps what it is asked to evict")
    except BlockingIOError:
        pass
    except OSError as error:
        pytest.skip(f"the file system of {path.parent} cannot say what is cached: {error.strerror}")
    finally:
        os.close(descriptor)
    assert source.read(0, 100) is None
    assert source.read(50, 100) is None, "it is being read"
    assert len(runtime.started) == 1
    runtime.finish()
    assert arrivals == [True]
    assert source.read(0, 100) == AUDIO[:100]
    assert source.read(WINDOW_BYTES - 100, 100) == AUDIO[WINDOW_BYTES - 100 : WINDOW_BYTES]
    source.close()


@pytest.mark.usefixtures("cold")
def test_audio_across_two_windows_waits_for_both(source: FileAudioSource, runtime: StoppedRuntime) -> None:
    """One after the other."""
    while source.read(WINDOW_BYTES - 10, 20) is None:
        runtime.finish()
    assert source.read(WINDOW_BYTES - 10, 20) == AUDIO[WINDOW_BYTES - 10 : WINDOW_BYTES + 10]
    assert not runtime.started


@pytest.mark.usefixtures("cold")
def test_a_file_that_is_closed_meanwhile_stays_open_for_the_thread(
    source: FileAudioSource, runtime: StoppedRuntime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And its listeners are not called."""
    closed: list[int] = []
    monkeypatch.setattr(page_cache, "close", closed.append)
    source.on_arrival = lambda: pytest.fail("nobody listens")
    assert source.read(0, 10) is None
    source.close()
    assert not closed
    runtime.finish()
    assert len(closed) == 1
    os.close(closed[0])


def test_an_error_of_the_disk_is_that_of_all_who_wait_and_then_it_is_tried_again(
    path: Path, runtime: StoppedRuntime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that answers again is read again."""
    clock, loads = ManualClock(), []
    descriptor = os.open(path, os.O_RDONLY)
    cache = PageCache(descriptor, file_calls(runtime), lambda: loads.append(True), clock.now)
    monkeypatch.setattr(os, "preadv", _raise_again)
    with monkeypatch.context() as patch:
        patch.setattr(os, "pread", _raise_io_error)
        assert not cache.has(0, 10, len(AUDIO))
        runtime.finish()
    assert loads == [True]
    for _ in range(2):
        with pytest.raises(AudioUnavailable, match="Input/output error"):
            cache.has(0, 10, len(AUDIO))
    clock.advance(FAILURE_SECONDS)
    assert not cache.has(0, 10, len(AUDIO))
    runtime.finish()
    assert cache.has(0, 10, len(AUDIO))
    clock.advance(KNOWN_SECONDS)
    assert not cache.has(0, 10, len(AUDIO)), "it may have been evicted"
    runtime.finish()
    cache.close()


@pytest.mark.usefixtures("cold")
def test_a_disk_that_hangs_fails_those_who_wait(source: FileAudioSource, runtime: StoppedRuntime) -> None:
    """After the time that listeners wait for a file system; the loop is never held up."""
    assert source.read(0, 10) is None
    _seconds, expire = runtime.timers[0]
    expire()
    with pytest.raises(AudioUnavailable, match="does not respond"):
        source.read(0, 10)


def _raise_again(*_: object) -> int:
    raise BlockingIOError(errno.EAGAIN, "not cached")


def _raise_io_error(*_: object) -> bytes:
    raise OSError(errno.EIO, "Input/output error")
