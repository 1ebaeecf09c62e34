"""The places where audio may be: files, object stores, queues, as one."""

import re
from collections.abc import Mapping
from types import MappingProxyType

from asf.domain.errors import AudioUnavailable, InvalidFilepath
from asf.domain.streaming.ports import AudioSource, AudioSources
from asf.domain.streams.stream import FileLocator, Locator, ObjectLocator, QueueLocator

SCHEMES: Mapping[str, type[Locator]] = MappingProxyType(
    {"file": FileLocator, "s3": ObjectLocator, "gs": ObjectLocator, "az": ObjectLocator, "queue": QueueLocator}
)
"""What the locators of each scheme are. A text without a scheme is a path."""

SCHEME = re.compile(r"(?P<url>[a-z][a-z0-9+.-]*)://|(?P<queue>queue):", re.ASCII | re.IGNORECASE)


class SourceRouter:
    """Routes to the place that has the audio: implements the `AudioSources` port.

    `places` has the sources of each type of locator that this server knows; what belongs to another is refused.
    """

    def __init__(self, places: Mapping[type[Locator], AudioSources]) -> None:
        self._places = dict(places)

    def unreachable(self) -> dict[str, str]:
        """Return what cannot be read now at any of the places, and why."""
        return {name: reason for place in self._places.values() for name, reason in place.unreachable().items()}

    def locate(self, filepath: str) -> Locator:
        """Return where `filepath` points. Raises `InvalidFilepath`."""
        found = SCHEME.match(filepath)
        scheme = (found["url"] or found["queue"]).lower() if found else "file"
        kind = SCHEMES.get(scheme)
        if kind is None:
            raise InvalidFilepath(
                f"'{scheme}' is not a known scheme; {', '.join(SCHEMES)} are, and a path needs none."
            )
        place = self._places.get(kind)
        if place is None:
            raise InvalidFilepath(f"This server is not set up for audio of the scheme '{scheme}'.")
        return place.locate(filepath)

    def content_type_of(self, locator: Locator) -> str | None:
        """Return the media type that the name of the audio tells; None if it tells none."""
        place = self._places.get(type(locator))
        return None if place is None else place.content_type_of(locator)

    def open(self, locator: Locator, *, growing: bool = False) -> AudioSource:
        """Open the audio. Raises `AudioUnavailable`, also for what another server, set up for it, was told of."""
        place = self._places.get(type(locator))
        if place is None:
            raise AudioUnavailable(f"This server is not set up for '{locator.text}'.")
        return place.open(locator, growing=growing)
