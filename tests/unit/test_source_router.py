"""Which place a locator belongs to."""

import pytest

from asf.adapters.memory import InMemoryAudioSources
from asf.adapters.source_router import SourceRouter
from asf.domain.errors import AudioUnavailable, InvalidFilepath
from asf.domain.streams.catalog import Announcement
from asf.domain.streams.stream import FileLocator, Locator, ObjectLocator, QueueLocator, StreamState, locator_of
from tests.support.virtual import VirtualServer

LOCATORS: list[Locator] = [FileLocator("/audio/one.mp3"), ObjectLocator("s3://bucket/one.mp3"), QueueLocator("one")]


class Place(InMemoryAudioSources):
    """A place that makes locators of one kind, and says what it was asked."""

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
    """As the catalog keeps it."""
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
def test_the_scheme_tells_the_place(filepath: str, kind: type[Locator]) -> None:
    """And the locator tells it from then on."""
    places = {each: Place(each) for each in (FileLocator, ObjectLocator, QueueLocator)}
    audio = SourceRouter(places)
    locator = audio.locate(filepath)
    assert [each for each, place in places.items() if place.located] == [kind]
    assert places[kind].located == [filepath]
    assert audio.content_type_of(locator) == f"audio/{locator.kind}"


def test_other_schemes_and_places_that_are_not_set_up_are_refused() -> None:
    """Each is told which it is."""
    audio = SourceRouter({FileLocator: Place(FileLocator)})
    with pytest.raises(InvalidFilepath, match="'ftp' is not a known scheme"):
        audio.locate("ftp://host/one.mp3")
    with pytest.raises(InvalidFilepath, match="not set up for audio of the scheme 's3'"):
        audio.locate("s3://bucket/one.mp3")
    with pytest.raises(InvalidFilepath, match="'queue'"):
        audio.locate("queue:one")
    assert audio.content_type_of(QueueLocator("one")) is None
    with pytest.raises(AudioUnavailable, match="not set up for 'queue:one'"):
        audio.open(QueueLocator("one"))


def test_audio_is_opened_where_it_is() -> None:
    """And what cannot be reached is named for all places."""
    audio = SourceRouter(
        {FileLocator: Place(FileLocator, "Gone."), ObjectLocator: Place(ObjectLocator, "Gone, too.")}
    )
    assert audio.open(ObjectLocator("one")).read(0, 3) == b"abc"
    assert audio.unreachable() == {"FileLocator": "Gone.", "ObjectLocator": "Gone, too."}


@pytest.mark.parametrize("state", StreamState)
def test_objects_do_not_grow(state: StreamState) -> None:
    """They may have failed: then what there is is played."""
    server = VirtualServer(sources=Place(ObjectLocator))
    announcement = Announcement("s", "s3://bucket/one", state)
    if state is StreamState.GENERATING:
        with pytest.raises(InvalidFilepath, match="as a whole"):
            server.catalog.announce(announcement)
        return
    assert server.catalog.announce(announcement).locator == ObjectLocator("one")
