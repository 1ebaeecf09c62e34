"""How far ahead of real time audio is sent: no faster than it can be heard."""

from collections.abc import Callable
from math import inf

from asf.domain.streaming.audio import AudioBatch
from asf.domain.streaming.durations import Durations
from asf.domain.streaming.pacing import MAX_BATCH_BYTES, Pace
from asf.domain.streaming.ports import DurationScanner
from asf.domain.streaming.shared_audio import SharedAudio

MAX_AHEAD_BYTES = 4 * 1024 * 1024
"""Maximum bytes that are sent ahead of real time. Browsers keep 12 MiB or more of a SourceBuffer's audio."""

MARGIN_BYTES = 64 * 1024
"""How much less is sent, as time passes in ticks and is not found for each byte."""

ScannerOf = Callable[[str], DurationScanner | None]
"""Returns a scanner for audio of a media type, or None if its rate cannot be found."""


class Lead:
    """How far the audio sent to one listener is ahead of what it can have heard.

    Counts an ideal player: it has played since the session started, resumed or moved elsewhere, and stops only
    when all that was sent is heard. So a real player has heard no more than that. `due` is when further audio may be
    sent, in seconds of the clock.
    """

    __slots__ = ("due", "heard_bytes", "heard_seconds", "paused_at", "played_since", "sent_seconds")

    def __init__(self) -> None:
        self.paused_at: float | None = None
        self.restart(0, 0.0)

    def restart(self, offset: int, now: float) -> None:
        """Count from byte `offset` on, which is played from `now` on, or when the pause ends."""
        self.played_since = now
        self.sent_seconds = 0.0
        # Everything before this byte has to be heard before further audio is sent; how long that takes to play.
        self.heard_bytes = offset
        self.heard_seconds = 0.0
        self.due = -inf
        if self.paused_at is not None:
            self.paused_at = now

    def pause(self, now: float) -> None:
        """Stop counting: nothing is heard during the pause."""
        if self.paused_at is None:
            self.paused_at = now

    def resume(self, now: float) -> None:
        """Continue after a pause, if there was one."""
        if self.paused_at is not None:
            self.played_since += now - self.paused_at
            self.due += now - self.paused_at
            self.paused_at = None

    def take(self, durations: Durations, start: int, stop: int, now: float) -> None:
        """Record that the listener has taken the bytes from `start` to `stop`."""
        # All that was sent before may have been heard by now. Then the player has had to wait.
        self.played_since = max(self.played_since, now - self.sent_seconds)
        self.sent_seconds += durations.seconds(start, stop)

    def limit(self, durations: Durations, seconds: float, start: int, stop: int) -> None:
        """Find out when the bytes from `start` to `stop`, the next ones, may be sent: see `AheadLimit`."""
        heard_bytes = stop + MARGIN_BYTES - MAX_AHEAD_BYTES
        if heard_bytes > self.heard_bytes:
            self.heard_seconds += durations.seconds(self.heard_bytes, heard_bytes)
            self.heard_bytes = heard_bytes
        next_seconds = min(durations.seconds(start, stop), seconds / 2)
        self.due = self.played_since + max(self.sent_seconds + next_seconds - seconds, self.heard_seconds)


class AheadLimit:
    """Audio is sent at most `seconds` ahead of real time, and at most `MAX_AHEAD_BYTES`.

    A batch that plays for longer than half of `seconds` is sent when that much is left of what was sent before.
    `seconds` of 0 means that there is no limit at all.

    Where the rate of the audio is unknown there is no limit either: what is not known to be heard later counts as
    heard. `scanner_of` finds the rate, in what is sent.

    Raises ValueError when `seconds` is negative or not finite.
    """

    def __init__(self, seconds: float, pace: Pace, scanner_of: ScannerOf) -> None:
        if not 0 <= seconds < inf:
            raise ValueError("seconds must be a finite number, at least 0")
        self._seconds = seconds
        self._batch_bytes = pace.batch_bytes
        self._block_bytes = max(1, MAX_BATCH_BYTES // pace.batch_bytes) * pace.batch_bytes
        self._scanner_of = scanner_of

    def record(self, lead: Lead, audio: SharedAudio, batch: AudioBatch, start: int, stop: int, now: float) -> None:
        """Record that the listener has taken the bytes from `start` to `stop` of `batch`."""
        if self._seconds:
            durations = self._durations(audio, batch, stop)
            if durations is not None:
                lead.take(durations, start, stop, now)
                lead.limit(durations, self._seconds, stop, stop + self._batch_bytes)

    def _durations(self, audio: SharedAudio, batch: AudioBatch, stop: int) -> Durations | None:
        source = audio.source
        assert source is not None  # noqa: S101 - the batch was read from it
        durations = audio.durations
        if durations is None:
            scanner = self._scanner_of(audio.content_type)
            if scanner is None:
                return None
            durations = Durations(scanner, self._block_bytes)
            audio.keep_durations(durations)
        durations.observe(source, batch, stop)
        return durations
