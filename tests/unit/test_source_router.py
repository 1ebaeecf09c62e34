"""Which adapter a locator belongs to."""

import pytest

from asf.adapters.memory import InMemoryAudioSources
from asf.adapters.source_router import SourceRouter
from asf.domain.errors import AudioUnavailable, InvalidFilepath
from asf.domain.streams.catalog import Announcement
from asf.domain.streams.stream import FileLocator, Locator, ObjectLocator, QueueLocator, StreamState, locator_of
from tests.support.virtual import VirtualServer

LOCATORS: list[Locator] = [FileLocator("/audio/one.mp3"), ObjectLocator("s3://bucket/one.mp3"), QueueLocator("one")]


class FakeSources(InMemoryAudioSources):
    """Sources that return locators of one type, and record calls."""

    def __init__(self, kind: type[Locator], problem: str | None = None) -> None:
        super().__init__({"one": b"abc"})
        self._kind = kind
        self._problem = problem
        self.located: list[str] = []

    def unreachable(self) -> dict[str, str]:
        return {} if self._problem is None else {self._kind.__name__: self._problem}

    def locate(self, filepath: str) -> Locator:
        self.located.append(filepath)
        return locator_of(self._kind.kind, "one")

    def content_type_of(self, locator: Locator) -> str:
        return f"audio/{locator.kind}"


@pytest.mark.parametrize("locator", LOCATORS)
def test_a_locator_is_what_its_kind_and_text_say(locator: Locator) -> None:
    """As stored in the catalog."""
    assert locator_of(locator.kind, locator.text) == locator


def test_texts_are_what_is_announced() -> None:
    """And shown."""
    assert [locator.text for locator in LOCATORS] == ["/audio/one.mp3", "s3://bucket/one.mp3", "queue:one"]


def test_an_unknown_kind_is_an_error() -> None:
    """Such as a later version may have written."""
    with pytest.raises(ValueError, match="tape"):
        locator_of("tape", "one")


@pytest.mark.parametrize(
    ("filepath", "kind"),
    [
        ("/audio/one.mp3", FileLocator),
        ("one.mp3", FileLocator),
        ("a:b", FileLocator),
        ("://", FileLocator),
        ("file:///audio/one.mp3", FileLocator),
        ("FILE:///audio/one.mp3", FileLocator),
        ("s3://bucket/one", ObjectLocator),
        ("gs://bucket/one", ObjectLocator),
        ("az://container/one", ObjectLocator),
        ("queue:one", QueueLocator),
        ("Queue:one", QueueLocator),
        ("queue://one", QueueLocator),
        ("queues:one", FileLocator),
    ],
)
def test_the_scheme_selects_the_adapter(filepath: str, kind: type[Locator]) -> None:
    """Later the type of the locator does."""
    kinds: tuple[type[Locator], ...] = (FileLocator, ObjectLocator, QueueLocator)
    adapters = {each: FakeSources(each) for each in kinds}
    audio = SourceRouter(adapters)
    locator = audio.locate(filepath)
    assert [each for each, one in adapters.items() if one.located] == [kind]
    assert adapters[kind].located == [filepath]
    assert audio.content_type_of(locator) == f"audio/{locator.kind}"


def test_unknown_schemes_and_missing_adapters_are_rejected() -> None:
    """With the scheme in the message."""
    audio = SourceRouter({FileLocator: FakeSources(FileLocator)})
    with pytest.raises(InvalidFilepath, match="'ftp' is not a known scheme"):
        audio.locate("ftp://host/one.mp3")
    with pytest.raises(InvalidFilepath, match="not set up for audio of the scheme 's3': ASF_S3_BUCKETS is not set"):
        audio.locate("s3://bucket/one.mp3")
    with pytest.raises(InvalidFilepath, match="'queue': ASF_REDIS_URL is not set"):
        audio.locate("queue:one")
    assert audio.content_type_of(QueueLocator("one")) is None
    with pytest.raises(AudioUnavailable, match="not set up for 'queue:one'"):
        audio.open(QueueLocator("one"))


def test_audio_is_opened_by_its_adapter() -> None:
    """And unreachable sources of all adapters are named."""
    audio = SourceRouter(
        {FileLocator: FakeSources(FileLocator, "Gone."), ObjectLocator: FakeSources(ObjectLocator, "Gone, too.")}
    )
    assert audio.open(ObjectLocator("one")).read(0, 3) == b"abc"
    assert audio.unreachable() == {"FileLocator": "Gone.", "ObjectLocator": "Gone, too."}


@pytest.mark.parametrize("state", StreamState)
def test_objects_do_not_grow(state: StreamState) -> None:
    """They may have failed: then the existing audio is played."""
    server = VirtualServer(sources=FakeSources(ObjectLocator))
    announcement = Announcement("s", server.catalog.locate("s3://bucket/one"), state)
    if state is StreamState.GENERATING:
        with pytest.raises(InvalidFilepath, match="complete or not at all"):
            server.catalog.announce(announcement)
        return
    assert server.catalog.announce(announcement).locator == ObjectLocator("one")
