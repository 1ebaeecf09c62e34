"""Routes to the sources of audio by scheme: files, object stores, queues."""

from collections.abc import Mapping
from types import MappingProxyType

from asf.adapters.locator_syntax import BUCKET_VARIABLES, FILE, QUEUE, scheme_of
from asf.domain.errors import AudioUnavailable, InvalidFilepath
from asf.domain.streaming.ports import AudioSource, AudioSources
from asf.domain.streams.stream import FileLocator, Locator, ObjectLocator, QueueLocator

SCHEMES: Mapping[str, type[Locator]] = MappingProxyType(
    {FILE: FileLocator, **dict.fromkeys(BUCKET_VARIABLES, ObjectLocator), QUEUE: QueueLocator}
)
"""The type of locator of each scheme. A string without a scheme is a path."""

VARIABLES: Mapping[str, str] = MappingProxyType(BUCKET_VARIABLES | {QUEUE: "ASF_REDIS_URL"})
"""The setting that each scheme needs, where it needs one."""


class SourceRouter:
    """Routes to the adapter of a locator's type: implements the `AudioSources` port.

    `sources` are the adapters that this server is set up with, by their type of locator; others are rejected.
    """

    def __init__(self, sources: Mapping[type[Locator], AudioSources]) -> None:
        self._sources = dict(sources)

    def unreachable(self) -> dict[str, str]:
        """Return what cannot be read now from any of the sources, and why."""
        return {name: reason for one in self._sources.values() for name, reason in one.unreachable().items()}

    def locate(self, filepath: str) -> Locator:
        """Return the locator that `filepath` stands for. Raises `InvalidFilepath`."""
        scheme = scheme_of(filepath)
        kind = SCHEMES.get(scheme)
        if kind is None:
            raise InvalidFilepath(
                f"'{scheme}' is not a known scheme; use {', '.join(SCHEMES)}, or a path without one."
            )
        sources = self._sources.get(kind)
        if sources is None:
            needed = VARIABLES.get(scheme)
            remedy = "" if needed is None else f": {needed} is not set"
            raise InvalidFilepath(f"This server is not set up for audio of the scheme '{scheme}'{remedy}.")
        return sources.locate(filepath)

    def content_type_of(self, locator: Locator) -> str | None:
        """Return the media type by the name of the audio, or None."""
        sources = self._sources.get(type(locator))
        return None if sources is None else sources.content_type_of(locator)

    def open(self, locator: Locator, *, growing: bool = False) -> AudioSource:
        """Open the audio. Raises `AudioUnavailable`, also for a scheme that only another server is set up for."""
        sources = self._sources.get(type(locator))
        if sources is None:
            raise AudioUnavailable(f"This server is not set up for '{locator.text}'.")
        return sources.open(locator, growing=growing)
