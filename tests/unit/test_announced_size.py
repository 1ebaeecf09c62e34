"""Complete audio on file systems that report its size late."""

from pathlib import Path

import pytest

from asf.adapters.audio_files import FileAudioSources
from asf.application.announced_size import WAIT_SECONDS, AnnouncedSize
from asf.domain.errors import AudioUnavailable
from asf.domain.streams.stream import FileLocator, QueueLocator
from tests.support.faults import LATE_SIZES


class Clock:
    """Time that passes only in `pause`. Calls `at` when it has come to these seconds."""

    def __init__(self, path: Path, sizes: dict[float, int]) -> None:
        self.seconds = 0.0
        self._path = path
        self._sizes = sizes

    def now(self) -> float:
        return self.seconds

    def pause(self, seconds: float) -> None:
        self.seconds += seconds
        for at in [at for at in self._sizes if at <= self.seconds]:
            self._path.write_bytes(bytes(self._sizes.pop(at)))


@LATE_SIZES
def test_the_announcement_waits_until_the_size_is_reached(tmp_path: Path) -> None:
    """Also for a file that is not there yet."""
    path = tmp_path / "a.mp3"
    clock = Clock(path, {1: 50, 3: 100})
    AnnouncedSize(FileAudioSources([tmp_path]), clock.now, clock.pause).wait(FileLocator(str(path)), 100)
    assert 3 <= clock.seconds < 3.2
    AnnouncedSize(FileAudioSources([tmp_path]), clock.now, clock.pause).wait(FileLocator(str(path)), 99)
    assert clock.seconds < 3.2


@pytest.mark.parametrize(("sizes", "text"), [({}, "No such file"), ({1: 99}, "99 of the announced 100 bytes")])
def test_it_does_not_wait_for_ever(tmp_path: Path, sizes: dict[float, int], text: str) -> None:
    """The error says what is there."""
    path = tmp_path / "a.mp3"
    clock = Clock(path, sizes)
    with pytest.raises(AudioUnavailable) as caught:
        AnnouncedSize(FileAudioSources([tmp_path]), clock.now, clock.pause).wait(FileLocator(str(path)), 100)
    assert text in str(caught.value.details)
    assert WAIT_SECONDS <= clock.seconds < WAIT_SECONDS + 1


def test_a_queue_has_its_end_marker(tmp_path: Path) -> None:
    """It is not waited for."""
    AnnouncedSize(FileAudioSources([tmp_path])).wait(QueueLocator("q"), 100)
