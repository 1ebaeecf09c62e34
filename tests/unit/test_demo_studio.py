"""Demo podcasts of the console: those that will not be completed are marked as failed."""

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from asf.adapters.memory import InMemoryAudioSources, InMemoryCatalogStore
from asf.application import demo_studio
from asf.application.demo_studio import INTERRUPTED, MAX_DEMOS, Demo, DemoStudio
from asf.client import ServerUnreachable
from asf.domain.errors import CatalogUnavailable
from asf.domain.streams.catalog import Announcement, StreamCatalog
from asf.domain.streams.stream import StreamState
from tests.support.bounds import PATIENCE_SECONDS
from tests.support.processes import eventually
from tests.support.virtual import ManualClock

GENERATING, COMPLETE, FAILED = StreamState.GENERATING, StreamState.COMPLETE, StreamState.FAILED


@pytest.fixture
def store() -> InMemoryCatalogStore:
    """Return an empty store."""
    return InMemoryCatalogStore()


@pytest.fixture
def catalog(store: InMemoryCatalogStore) -> StreamCatalog:
    """Return the catalog of a server."""
    epochs = iter(map(str, range(1000)))
    return StreamCatalog(store, InMemoryAudioSources({"x.mp3": b"audio"}), ManualClock(), lambda: next(epochs), 1000)


@pytest.fixture
def announce(catalog: StreamCatalog) -> Callable[[str, StreamState], object]:
    """Return a function that announces a stream."""
    locator = catalog.locate("x.mp3")
    return lambda stream_id, state: catalog.announce(Announcement(stream_id, locator, state))


@pytest.fixture
def studio(catalog: StreamCatalog, tmp_path: Path) -> DemoStudio:
    """Return the studio of a server."""
    return DemoStudio("127.0.0.1", tmp_path, None, catalog, tmp_path / "running")


class Generation:
    """Stands for the generation of demos: each has begun, and goes on until it is told."""

    def __init__(self, announce: Callable[[str, StreamState], object], ends: Callable[[str], object]) -> None:
        self.go_on = threading.Event()
        self.begun: list[str] = []
        self.paces: list[float] = []
        self._announce, self._ends = announce, ends

    def __call__(
        self,
        _backend: object,
        _clip: Path,
        _root: Path,
        stream_id: str,
        _client_id: str,
        pace: float,
        *,
        cues: object,
    ) -> None:
        assert cues
        self._announce(stream_id, GENERATING)
        self.paces.append(pace)
        self.begun.append(stream_id)
        assert self.go_on.wait(PATIENCE_SECONDS)
        self._ends(stream_id)


def start(studio: DemoStudio, generation: Generation, monkeypatch: pytest.MonkeyPatch) -> str:
    """Start a demo, and return its id when it is being generated."""
    monkeypatch.setattr(demo_studio, "make_demo_podcast", generation)
    demo = studio.start(1)
    assert isinstance(demo, Demo)
    eventually(lambda: demo.stream_id in generation.begun)
    return demo.stream_id


def test_a_demo_that_is_complete_stays_so(
    studio: DemoStudio,
    catalog: StreamCatalog,
    announce: Callable[[str, StreamState], object],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nothing is kept of it for the next start."""
    generation = Generation(announce, lambda stream_id: announce(stream_id, COMPLETE))
    stream_id = start(studio, generation, monkeypatch)
    assert stream_id in (tmp_path / "running").read_text()
    generation.go_on.set()
    eventually(lambda: not (tmp_path / "running").exists())
    studio.close()
    assert catalog.find(stream_id).state is COMPLETE


def test_a_demo_is_generated_at_the_speed_that_is_wanted(
    studio: DemoStudio, announce: Callable[[str, StreamState], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the clip and of what a voice speaks; that of real time unless another is wanted."""
    generation = Generation(announce, lambda stream_id: announce(stream_id, COMPLETE))
    generation.go_on.set()
    spoken: list[float] = []

    class Spoken:
        def __init__(self, _sentences: object, _voice: object, _encoding: object, pace: float) -> None:
            spoken.append(pace)

        def generate(self, *_arguments: object) -> None:
            pass

    monkeypatch.setattr(demo_studio, "make_demo_podcast", generation)
    monkeypatch.setattr(demo_studio, "SpokenPodcast", Spoken)
    monkeypatch.setattr(demo_studio, "find_voice", lambda: "voice")
    for pace in ((), (1.5,)):
        studio.start(1, None, *pace)
        studio.start(1, "Hello.", *pace)
    assert spoken == [1.0, 1.5]
    eventually(lambda: sorted(generation.paces) == [1.0, 1.5])


def test_a_demo_whose_reports_are_lost_has_failed(
    studio: DemoStudio,
    catalog: StreamCatalog,
    announce: Callable[[str, StreamState], object],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its own report did not arrive either."""

    def fail(_stream_id: str) -> None:
        raise ServerUnreachable("No ASF server responded.")

    generation = Generation(announce, fail)
    stream_id = start(studio, generation, monkeypatch)
    generation.go_on.set()
    eventually(lambda: catalog.find(stream_id).state is FAILED)
    eventually(lambda: not (tmp_path / "running").exists())


def test_demos_fail_when_the_server_stops(
    studio: DemoStudio,
    catalog: StreamCatalog,
    announce: Callable[[str, StreamState], object],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With a reason, all that are being generated, and no other stream."""
    announce("other", GENERATING)
    generation = Generation(announce, lambda _stream_id: None)
    ids = [start(studio, generation, monkeypatch) for _ in range(MAX_DEMOS)]
    assert studio.start(1) is None, "all slots are in use"
    studio.close()
    assert [catalog.find(one).state for one in ids] == [FAILED] * MAX_DEMOS
    assert {catalog.find(one).reason for one in ids} == {INTERRUPTED}
    assert catalog.find("other").state is GENERATING
    generation.go_on.set()


def test_after_a_kill_the_next_start_marks_them(
    studio: DemoStudio,
    catalog: StreamCatalog,
    announce: Callable[[str, StreamState], object],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Also those that were started and not announced yet, or deleted since. The store may be unavailable."""
    generation = Generation(announce, lambda _stream_id: None)
    ids = [start(studio, generation, monkeypatch) for _ in range(3)]
    catalog.delete(ids[0])
    announce(ids[1], COMPLETE)
    running = (tmp_path / "running").read_bytes()
    following = DemoStudio("127.0.0.1", tmp_path, None, catalog, tmp_path / "running")
    with monkeypatch.context() as broken:

        def unavailable(_stream_id: str) -> None:
            raise CatalogUnavailable

        broken.setattr(catalog, "find", unavailable)
        following.fail_interrupted()
        assert (tmp_path / "running").read_bytes() == running, "the next start tries again"
    following.fail_interrupted()
    assert [catalog.find(one).state for one in ids[1:]] == [COMPLETE, FAILED]
    assert not (tmp_path / "running").exists()
    following.fail_interrupted()
    generation.go_on.set()


@pytest.mark.parametrize("content", [b"", b"\xff", b"{", b"1", b"[1]", b'["../x"]', b'{"a": 1}'])
def test_a_file_that_is_damaged_is_no_obstacle(studio: DemoStudio, tmp_path: Path, content: bytes) -> None:
    """Nor one that cannot be read."""
    (tmp_path / "running").write_bytes(content)
    studio.fail_interrupted()
    (tmp_path / "running").unlink(missing_ok=True)
    (tmp_path / "running").mkdir()
    studio.fail_interrupted()


def test_without_a_file_nothing_is_written(
    catalog: StreamCatalog,
    announce: Callable[[str, StreamState], object],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A catalog in memory ends with the server."""
    studio = DemoStudio("127.0.0.1", tmp_path, None, catalog, None)
    studio.fail_interrupted()
    generation = Generation(announce, lambda _stream_id: None)
    stream_id = start(studio, generation, monkeypatch)
    studio.close()
    assert catalog.find(stream_id).state is FAILED
    assert list(tmp_path.iterdir()) == []
    generation.go_on.set()
