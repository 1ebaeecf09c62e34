"""The adapters in memory and the clocks keep their ports' promises."""

import pytest

from asf.adapters.memory import InMemoryAudioSources, InMemoryCatalogStore
from asf.adapters.system_clock import SystemClock
from tests.contracts.audio_sources import AUDIO, GrowingAudioSourcesContract
from tests.contracts.catalog_store import CatalogStoreContract
from tests.contracts.clock import ClockContract
from tests.support.virtual import ManualClock


class TestInMemoryCatalogStore(CatalogStoreContract):
    """The contract, on the store in memory."""

    @pytest.fixture
    def make_store(self) -> type[InMemoryCatalogStore]:
        return InMemoryCatalogStore


class TestInMemoryAudioSources(GrowingAudioSourcesContract):
    """The contract, on audio in memory."""

    @pytest.fixture
    def sources(self) -> InMemoryAudioSources:
        self.kept = {"one": AUDIO}
        return InMemoryAudioSources(self.kept)

    def grow(self, path: str, audio: bytes) -> None:
        self.kept[path] = audio

    def rewrite(self, path: str, audio: bytes) -> None:
        self.kept[path] = audio

    def move(self, path: str) -> None:
        self.kept["elsewhere"] = self.kept.pop(path)

    @pytest.fixture
    def path(self) -> str:
        return "one"

    @pytest.fixture
    def missing_path(self) -> str:
        return "two"

    @pytest.fixture
    def forbidden_path(self) -> str:
        return "../one"


class TestSystemClock(ClockContract):
    """The contract, on the machine's clocks."""

    @pytest.fixture
    def clock(self) -> SystemClock:
        return SystemClock()


class TestManualClock(ClockContract):
    """The contract, on the clock of the tests."""

    @pytest.fixture
    def clock(self) -> ManualClock:
        return ManualClock()
