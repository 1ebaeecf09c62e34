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

FREE_RATE = 2.0
"""How many times as long as the longest so far a byte may play without being counted."""

ScannerOf = Callable[[str], DurationScanner | None]
"""Returns a scanner for audio of a media type, or None if its rate cannot be found."""


class Lead:
    """How far the audio sent to one listener is ahead of what it can have heard.

    Counts an ideal player: it has played since the session started, resumed or moved elsewhere, and stops only
    when all that was sent is heard. So a real player has heard no more than that. `due` is when further audio may be
    sent, in seconds of the clock.

    Most bytes need not be counted when they are sent: no limit is reached before byte `free_until`, as long as a byte
    plays for `free_rate` seconds at most, and the player has not heard all that was counted, at `heard_at` (seconds
    of the clock). They are counted with the next ones that are: most listeners cost these three comparisons.
    """

    __slots__ = (
        "counted_until",
        "due",
        "free_rate",
        "free_until",
        "heard_at",
        "heard_bytes",
        "heard_seconds",
        "paused_at",
        "played_since",
        "sent_seconds",
    )

    def __init__(self) -> None:
        self.paused_at: float | None = None
        self.restart(0, 0.0)

    def restart(self, offset: int, now: float) -> None:
        """Count from byte `offset` on, which is played from `now` on, or when the pause ends."""
        self.played_since = now
        self.counted_until = offset
        self.sent_seconds = 0.0
        # Everything before this byte has to be heard before further audio is sent; how long that takes to play.
        self.heard_bytes = offset
        self.heard_seconds = 0.0
        self.due = self.free_until = self.heard_at = -inf
        self.free_rate = 0.0
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
            self.heard_at += now - self.paused_at
            self.paused_at = None

    def seconds_ahead(self, durations: Durations, offset: int, now: float) -> float:
        """Return how long what was sent, up to byte `offset`, plays beyond what can have been heard by `now`."""
        sent_seconds = self.sent_seconds + durations.seconds(self.counted_until, offset)
        played_until = now if self.paused_at is None else self.paused_at
        return max(0.0, sent_seconds - (played_until - self.played_since))

    def count_nothing(self) -> None:
        """Let no limit apply, until the next `restart`."""
        self.free_until = self.heard_at = self.free_rate = inf

    def take(
        self,
        durations: Durations,
        start: int,
        stop: int,
        seconds_per_byte: float,
        batch_bytes: int,
        wanted_seconds: float,
        now: float,
    ) -> None:
        """Record that the listener has taken the bytes up to `stop`, of which those from `start` on have that rate.

        More may be sent, of at most `batch_bytes`, when no more than `wanted_seconds` of what was sent have not been
        heard, provided that no more than `MAX_AHEAD_BYTES` will be ahead.
        """
        sent_seconds = self.sent_seconds
        if self.counted_until < start and self.free_rate:  # Else they have no rate.
            sent_seconds += durations.seconds(self.counted_until, start)
        # All that was sent before may have been heard by now. Then the player has had to wait.
        if now - self.played_since > sent_seconds:
            self.played_since = now - sent_seconds
        played_since = self.played_since
        self.counted_until = self.free_until = stop
        self.sent_seconds = sent_seconds = sent_seconds + (stop - start) * seconds_per_byte
        heard_bytes = stop + batch_bytes + MARGIN_BYTES - MAX_AHEAD_BYTES
        if heard_bytes > self.heard_bytes:
            self.heard_seconds += durations.seconds(self.heard_bytes, heard_bytes)
            self.heard_bytes = heard_bytes
        unlimited_seconds = sent_seconds - wanted_seconds
        heard_seconds = self.heard_seconds
        self.due = played_since + max(heard_seconds, unlimited_seconds)
        self.heard_at = played_since + sent_seconds
        if now >= self.due:
            self._free(durations, now - played_since, unlimited_seconds, self.heard_bytes - heard_bytes)

    def _free(
        self, durations: Durations, played_seconds: float, unlimited_seconds: float, unlimited_bytes: int
    ) -> None:
        """Find how many more bytes need not be counted: as many as could be sent if each played for `free_rate`."""
        self.free_rate = FREE_RATE * durations.most_seconds_per_byte
        if not self.free_rate:
            self.free_until = self.heard_at = inf
            return
        by_seconds = (played_seconds - unlimited_seconds) / self.free_rate
        by_bytes = unlimited_bytes + (played_seconds - self.heard_seconds) / self.free_rate
        self.free_until += min(by_seconds, by_bytes)


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
        self._half_seconds = seconds / 2
        self._batch_bytes = pace.batch_bytes
        self._block_bytes = max(1, MAX_BATCH_BYTES // pace.batch_bytes) * pace.batch_bytes
        self._scanner_of = scanner_of

    def record(self, lead: Lead, audio: SharedAudio, batch: AudioBatch, start: int, stop: int, now: float) -> None:
        """Record that the listener has taken the bytes from `start` to `stop` of `batch`, which must be counted."""
        durations = audio.durations or self._measure(audio)
        if durations.is_unknown or not self._seconds:
            batch.note_rate(0.0)
            lead.count_nothing()
            return
        seconds_per_byte = batch.seconds_per_byte
        if not 0.0 < seconds_per_byte < inf:
            source = audio.source
            assert source is not None  # noqa: S101 - the batch was read from it
            seconds_per_byte = batch.note_rate(durations.observe(source, batch, stop))
        next_seconds = self._batch_bytes * seconds_per_byte  # As those before it, that is.
        wanted_seconds = self._seconds - min(self._half_seconds, next_seconds)
        lead.take(durations, start, stop, seconds_per_byte, self._batch_bytes, wanted_seconds, now)

    def reach(self, lead: Lead, durations: Durations | None, offset: int, now: float) -> int:
        """Return up to which byte a listener that has all before `offset` would be sent audio by `now` if it existed.

        The pace does not count. Where there is no limit, `MAX_AHEAD_BYTES` more.
        """
        seconds_per_byte = 0.0 if durations is None or durations.is_unknown else durations.latest_seconds_per_byte
        if durations is None or not seconds_per_byte or not self._seconds:
            return offset + MAX_AHEAD_BYTES
        ahead = lead.seconds_ahead(durations, offset, now)
        rest = min((self._seconds - ahead) / seconds_per_byte, MAX_AHEAD_BYTES - ahead / seconds_per_byte)
        return offset + max(0, int(rest))

    def _measure(self, audio: SharedAudio) -> Durations:
        durations = Durations(lambda: self._scanner_of(audio.content_type), self._block_bytes)
        audio.keep_durations(durations)
        return durations
