"""Uploaded audio in files, and in memory for tests: the same promises; and what a directory can do wrong."""

import errno
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from asf.adapters.audio_files import FileAudioSources
from asf.adapters.upload_spool import FileUploadSpool, UploadSources
from asf.adapters.upload_spool.files import BULK_BYTES
from asf.domain.errors import AudioUnavailable, InvalidFilepath, StorageFull, UploadNotFound, UploadUnavailable
from asf.domain.streams.stream import Locator, UploadLocator
from tests.contracts.upload_spool import TOTAL_BYTES, UploadSpoolContract
from tests.support.bounds import PATIENCE_SECONDS
from tests.support.memory_uploads import InMemoryUploadSpool
from tests.support.processes import eventually
from tests.support.threads_runtime import ThreadsRuntime
from tests.support.virtual import ManualClock


def sources_of(spool: FileUploadSpool) -> UploadSources:
    """Return what listeners read the audio from."""
    files = FileAudioSources([spool.directory])
    return UploadSources(spool, files, files.is_local)


def audio_at(spool: FileUploadSpool, locator: Locator) -> bytes:
    """Return the audio as listeners receive it."""
    source = sources_of(spool).open(locator)
    try:
        audio = source.read(0, source.size)
        assert audio is not None
        return audio
    finally:
        source.close()


class TestFiles(UploadSpoolContract):
    """In a directory."""

    @pytest.fixture
    def spool(self, tmp_path: Path) -> FileUploadSpool:
        return FileUploadSpool(tmp_path / "var" / "uploads", "a.sqlite3", TOTAL_BYTES, ThreadsRuntime())

    @pytest.fixture
    def read(self, spool: FileUploadSpool) -> Callable[[Locator], bytes]:
        return lambda locator: audio_at(spool, locator)

    def test_only_the_owner_may_read(self, spool: FileUploadSpool) -> None:
        path = spool.path_of(spool.create())
        assert path.stat().st_mode & 0o777 == 0o600
        assert path.parent.stat().st_mode & 0o777 == 0o700

    def test_what_belongs_to_others_is_left_alone(self, spool: FileUploadSpool) -> None:
        mine = spool.create()
        other = FileUploadSpool(spool.directory, "b.sqlite3", TOTAL_BYTES, ThreadsRuntime())
        theirs = other.create()
        (spool.directory / "notes.txt").write_text("theirs, too")
        (spool.directory / "a.sqlite3.x.audio").mkdir()
        assert [upload.locator for upload in spool.stored()] == [mine]
        assert [upload.locator for upload in other.stored()] == [theirs]

    @pytest.mark.parametrize("name", ["../a.sqlite3", "/etc/passwd", "x\0.audio", "a/b.audio", "", "a.mp3"])
    def test_no_name_leads_elsewhere(self, spool: FileUploadSpool, name: str) -> None:
        with pytest.raises(UploadNotFound):
            spool.open(UploadLocator(name))
        with pytest.raises(AudioUnavailable):
            sources_of(spool).open(UploadLocator(name))
        with pytest.raises(InvalidFilepath):
            sources_of(spool).locate(f"upload:{name}")

    def test_a_link_is_not_followed(self, spool: FileUploadSpool, tmp_path: Path) -> None:
        locator = spool.create()
        path = spool.path_of(locator)
        path.unlink()
        (tmp_path / "secret").write_text("secret")
        path.symlink_to(tmp_path / "secret")
        with pytest.raises(UploadUnavailable):
            spool.open(locator)
        assert not spool.stored()

    def test_descriptors_are_closed(self, spool: FileUploadSpool) -> None:
        before = len(list(Path("/proc/self/fd").iterdir()))
        for _ in range(5):
            file = spool.open(spool.create())
            file.append(0, b"abc")
            file.close()
        eventually(lambda: len(list(Path("/proc/self/fd").iterdir())) <= before)

    def test_a_directory_that_cannot_be_written_is_reported(self, spool: FileUploadSpool) -> None:
        spool.directory.parent.mkdir()
        spool.directory.write_text("a file")
        with pytest.raises(UploadUnavailable) as problem:
            spool.create()
        assert problem.value.details

    @pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
    def test_a_full_disk_keeps_what_was_written(
        self, spool: FileUploadSpool, monkeypatch: pytest.MonkeyPatch, number: int
    ) -> None:
        file = spool.open(locator := spool.create())
        left = [b"some", b""]
        real = os.pwrite

        def pwrite(descriptor: int, data: bytes, offset: int) -> int:
            if not (piece := left.pop(0)):
                raise OSError(number, os.strerror(number))
            return real(descriptor, data[: len(piece)], offset)

        with monkeypatch.context() as patched:
            patched.setattr(os, "pwrite", pwrite)
            with pytest.raises(StorageFull) as full:
                file.append(0, b"something")
        assert full.value.offset == 4
        assert spool.used_bytes == 4
        assert file.append(4, b"thing") == 9
        file.close()
        assert audio_at(spool, locator) == b"something"

    def test_a_hung_disk_fails_the_writer_and_closes_the_file_later(
        self, spool: FileUploadSpool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(spool._threads.bulk, "_seconds", 0.05)  # noqa: SLF001
        file = spool.open(spool.create())
        hangs = threading.Event()
        real = os.pwrite

        def pwrite(descriptor: int, data: bytes, offset: int) -> int:
            if len(data) >= BULK_BYTES:
                hangs.wait(PATIENCE_SECONDS)
            return real(descriptor, data, offset)

        descriptors = len(list(Path("/proc/self/fd").iterdir()))
        with monkeypatch.context() as patched:
            patched.setattr(os, "pwrite", pwrite)
            spool._total_bytes = 1 << 20  # noqa: SLF001
            with pytest.raises(UploadUnavailable):
                file.append(0, bytes(BULK_BYTES))
            file.close()
            other = spool.open(spool.create())
            assert other.append(0, b"live") == 4  # It does not wait behind the other one.
            other.close()
            hangs.set()
            eventually(lambda: len(list(Path("/proc/self/fd").iterdir())) < descriptors)


class TestMemory(UploadSpoolContract):
    """The one of the tests is like the others."""

    @pytest.fixture
    def spool(self) -> InMemoryUploadSpool:
        return InMemoryUploadSpool(ManualClock(), TOTAL_BYTES)

    @pytest.fixture
    def read(self, spool: InMemoryUploadSpool) -> Callable[[Locator], bytes]:
        return spool.bytes_of
