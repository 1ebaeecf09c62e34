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

    def take(self, durations: Durations, seconds: float, next_stop: int, wanted_seconds: float, now: float) -> None:
        """Record that the listener has taken the next bytes, which play for `seconds`.

        More may be sent, up to `next_stop`, when no more than `wanted_seconds` of what was sent have not been heard,
        provided that no more than `MAX_AHEAD_BYTES` will be ahead.
        """
        # All that was sent before may have been heard by now. Then the player has had to wait.
        sent_seconds = self.sent_seconds
        if now - self.played_since > sent_seconds:
            self.played_since = now - sent_seconds
        self.sent_seconds = sent_seconds = sent_seconds + seconds
        heard_bytes = next_stop + MARGIN_BYTES - MAX_AHEAD_BYTES
        if heard_bytes > self.heard_bytes:
            self.heard_seconds += durations.seconds(self.heard_bytes, heard_bytes)
            self.heard_bytes = heard_bytes
        self.due = self.played_since + max(sent_seconds - wanted_seconds, self.heard_seconds)


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
        if not self._seconds:
            return
        durations = audio.durations or self._measure(audio)
        if durations.is_unknown:
            return
        source = audio.source
        assert source is not None  # noqa: S101 - the batch was read from it
        seconds_per_byte = durations.observe(source, batch, stop)
        next_seconds = self._batch_bytes * seconds_per_byte  # As those before it, that is.
        wanted_seconds = self._seconds - min(next_seconds, self._seconds / 2)
        lead.take(durations, (stop - start) * seconds_per_byte, stop + self._batch_bytes, wanted_seconds, now)

    def _measure(self, audio: SharedAudio) -> Durations:
        durations = Durations(lambda: self._scanner_of(audio.content_type), self._block_bytes)
        audio.keep_durations(durations)
        return durations
