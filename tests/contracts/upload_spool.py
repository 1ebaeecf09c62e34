"""What every `UploadSpool` and its `UploadFile` promise."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asf.domain.errors import StorageFull, UploadNotFound, UploadOffsetMismatch
from asf.domain.streams.stream import AudioEnding, FileLocator, Locator, StreamState
from asf.domain.uploads.ports import UploadSpool

TOTAL_BYTES = 1000


class UploadSpoolContract:
    """Inherit, and provide the fixtures: a spool for `TOTAL_BYTES`, and how what it has is read."""

    @pytest.fixture
    def spool(self) -> UploadSpool:
        raise NotImplementedError

    @pytest.fixture
    def read(self) -> Callable[[Locator], bytes]:
        """Return the bytes that listeners of the audio receive."""
        raise NotImplementedError

    def test_what_is_appended_is_there(self, spool: UploadSpool, read: Callable[[Locator], bytes]) -> None:
        locator = spool.create()
        assert spool.owns(locator)
        file = spool.open(locator)
        assert file.size() == 0
        assert file.append(0, b"abc") == 3
        assert file.append(3, b"de") == 5
        assert file.size() == spool.find(locator).size == 5
        file.close()
        assert read(locator) == b"abcde"

    def test_names_are_used_once(self, spool: UploadSpool) -> None:
        assert len({spool.create() for _ in range(20)}) == 20

    def test_another_offset_changes_nothing(self, spool: UploadSpool, read: Callable[[Locator], bytes]) -> None:
        locator = spool.create()
        file = spool.open(locator)
        file.append(0, b"abc")
        for offset in (0, 2, 4, 2**40):
            with pytest.raises(UploadOffsetMismatch) as mismatch:
                file.append(offset, b"x")
            assert mismatch.value.offset == 3
        file.close()
        assert read(locator) == b"abc"

    def test_of_two_writers_one_appends(self, spool: UploadSpool, read: Callable[[Locator], bytes]) -> None:
        locator = spool.create()
        first, second = spool.open(locator), spool.open(locator)
        first.append(0, b"abc")
        with pytest.raises(UploadOffsetMismatch) as mismatch:
            second.append(0, b"xyz")
        assert mismatch.value.offset == 3
        assert second.append(3, b"de") == 5
        with pytest.raises(UploadOffsetMismatch):
            first.append(3, b"fg")
        first.close()
        second.close()
        assert read(locator) == b"abcde"

    def test_any_pieces_give_the_same_bytes(self, spool: UploadSpool, read: Callable[[Locator], bytes]) -> None:
        @given(st.lists(st.binary(min_size=1, max_size=20), max_size=6))
        def check(pieces: list[bytes]) -> None:
            locator = spool.create()
            file, size = spool.open(locator), 0
            for piece in pieces:
                size = file.append(size, piece)
            file.close()
            assert size == len(b"".join(pieces))
            if pieces:
                assert read(locator) == b"".join(pieces)
            spool.delete(locator)

        check()

    def test_there_is_a_limit_for_all_together(self, spool: UploadSpool, read: Callable[[Locator], bytes]) -> None:
        first, second = spool.create(), spool.create()
        one, other = spool.open(first), spool.open(second)
        one.append(0, bytes(TOTAL_BYTES - 100))
        other.append(0, b"abc")
        with pytest.raises(StorageFull) as full:
            other.append(3, bytes(200))
        assert full.value.offset == 3
        one.close()
        spool.delete(first)
        assert other.append(3, bytes(200)) == 203
        other.close()
        assert read(second) == b"abc" + bytes(200)

    def test_what_is_deleted_is_not_found(self, spool: UploadSpool) -> None:
        locator = spool.create()
        file = spool.open(locator)
        file.append(0, b"abc")
        spool.delete(locator)
        spool.delete(locator)
        with pytest.raises(UploadNotFound):
            spool.find(locator)
        with pytest.raises(UploadNotFound):
            spool.open(locator)
        with pytest.raises(UploadNotFound):
            file.append(3, b"de")
        file.close()
        assert not spool.stored()

    def test_what_is_stored_is_listed(self, spool: UploadSpool) -> None:
        sizes = {}
        for size in (0, 3, 50):
            locator = spool.create()
            file = spool.open(locator)
            if size:
                file.append(0, bytes(size))
            file.close()
            sizes[locator] = size
        assert {upload.locator: upload.size for upload in spool.stored()} == sizes
        for locator in sizes:
            assert spool.find(locator) in spool.stored()

    def test_finishing_can_be_repeated(self, spool: UploadSpool, read: Callable[[Locator], bytes]) -> None:
        locator = spool.create()
        file = spool.open(locator)
        file.append(0, b"abc")
        file.finish(AudioEnding(StreamState.COMPLETE))
        file.finish(AudioEnding(StreamState.COMPLETE))
        file.close()
        file.close()
        assert spool.find(locator).size == 3
        assert read(locator) == b"abc"

    def test_other_audio_is_not_its_own(self, spool: UploadSpool) -> None:
        assert not spool.owns(FileLocator("/audio/one.mp3"))
        assert not spool.stored()
