"""Growing audio whose media type only its first bytes show: `start_of_stream` waits for them."""

from collections.abc import Mapping

import pytest

from asf.adapters.media_types import sniffed_type
from asf.adapters.memory import InMemoryAudioSource, InMemoryAudioSources
from asf.domain.streaming.audio import SNIFFED_BYTES, UNKNOWN_CONTENT_TYPE
from asf.domain.streaming.events import StartOfStream, StreamFailed
from asf.domain.streams.catalog import Announcement
from asf.domain.streams.stream import FileLocator, Locator, StreamState
from tests.support.virtual import ScriptedListener, VirtualServer

WAV = b"RIFF\xff\xff\xff\xffWAVEfmt " + bytes(2000)


class SniffedSource(InMemoryAudioSource):
    """Audio without a name."""

    @property
    def content_type(self) -> str:  # type: ignore[override]
        return sniffed_type(self.read(0, min(self.size, SNIFFED_BYTES)) or b"") or UNKNOWN_CONTENT_TYPE


class SniffedSources(InMemoryAudioSources):
    """Sources of such audio."""

    def content_type_of(self, locator: Locator) -> str | None:
        del locator
        return None

    def open(self, locator: Locator, *, growing: bool = False) -> SniffedSource:
        super().open(locator, growing=growing).close()
        return SniffedSource(self._audio_by_name, locator.text)


class Growing:
    """A server with one stream that is being generated, of which nothing is there yet."""

    def __init__(self, audio: Mapping[str, bytes] | None = None) -> None:
        self.audio = dict(audio or {})
        self.server = VirtualServer(sources=SniffedSources(self.audio))
        self.server.announce("s", state=StreamState.GENERATING)

    def grow(self, data: bytes) -> None:
        self.audio["s"] = self.audio.get("s", b"") + data
        self.server.run(1.0)


def types_of(listener: ScriptedListener) -> list[str]:
    """Return the media types that the listener was told."""
    return [event.content_type for event in listener.events if isinstance(event, StartOfStream)]


@pytest.mark.parametrize("pieces", [[WAV], [WAV[:1], WAV[1:2], WAV[2:]], [WAV[:11], WAV[11:]]])
def test_all_listeners_are_told_the_same_type(pieces: list[bytes]) -> None:
    """Those that wait before the first byte, those that join at any later one, and those that join at the end."""
    growing = Growing()
    listeners = [growing.server.join("s", "first")]
    for number, piece in enumerate(pieces):
        assert [listener.kinds for listener in listeners] == [["joined"]] * len(listeners)
        growing.grow(piece)
        listeners.append(growing.server.join("s", str(number)))
    growing.server.announce("s")
    listeners.append(growing.server.join("s", "last"))
    growing.server.run_until_idle()
    for listener in listeners:
        assert types_of(listener) == ["audio/wav"]
        assert listener.kinds == ["joined", "StartOfStream", "EndOfStream"]
        assert listener.received == WAV


def test_audio_that_shows_no_type_is_not_waited_for_for_ever() -> None:
    """As many bytes as the longest signature needs, or the end, are enough."""
    growing = Growing()
    listener = growing.server.join("s")
    growing.grow(bytes(SNIFFED_BYTES - 1))
    assert listener.kinds == ["joined"]
    growing.grow(b"\0")
    assert types_of(listener) == [UNKNOWN_CONTENT_TYPE]
    assert len(listener.received) == SNIFFED_BYTES
    short = Growing({"s": b"abc"})
    listener = short.server.join("s")
    short.server.run(1.0)
    assert listener.kinds == ["joined"]
    short.server.announce("s")
    short.server.run_until_idle()
    assert (types_of(listener), bytes(listener.received)) == ([UNKNOWN_CONTENT_TYPE], b"abc")


def test_commands_while_the_type_is_unknown() -> None:
    """A seek moves what is announced later; a pause delays it; a session that is given up is told the type first."""
    growing = Growing()
    seeking, pausing, waiting = (growing.server.join("s", name) for name in ("seeking", "pausing", "waiting"))
    growing.server.service.seek("seeking", 100)
    growing.server.service.pause("pausing")
    growing.grow(WAV[:4])
    assert waiting.kinds == seeking.kinds == ["joined"]
    growing.grow(WAV[4:])
    assert [event.offset for event in seeking.events if isinstance(event, StartOfStream)] == [100]
    assert seeking.received == WAV[100:]
    assert pausing.kinds == ["joined", "paused"]
    growing.server.service.resume("pausing")
    growing.server.run(200.0)
    for listener in (pausing, waiting):
        assert types_of(listener) == ["audio/wav"]
        assert isinstance(listener.events[-1], StreamFailed)


def test_a_type_that_is_announced_or_named_is_told_at_once() -> None:
    """Nothing has to be written for it."""
    growing = Growing()
    locator = FileLocator("t")
    growing.server.catalog.announce(Announcement("t", locator, StreamState.GENERATING, content_type="audio/ogg"))
    assert types_of(growing.server.join("t")) == ["audio/ogg"]
    named = VirtualServer()
    named.announce("s", state=StreamState.GENERATING)
    assert types_of(named.join("s")) == ["audio/mpeg"]
