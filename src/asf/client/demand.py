"""Who waits for the audio of a stream, asked over blocking HTTP."""

import threading
import time
from contextlib import suppress

from asf.client.calls import Filepath, get_demand, notify_new_audio
from asf.client.errors import AsfClientError
from asf.client.internal_api import InternalApi
from asf.client.responses import Demand

POLL_SECONDS = 1.0
"""Shortest pause between two questions who waits for the audio."""

KEEP_SECONDS = 30.0
"""Pause between announcements of a stream whose audio nobody waits for: less than ASF_STALL_GIVE_UP_SECONDS."""


ANSWER_SECONDS = 2.0
"""Timeout of the question who waits for the audio: a later answer is of no use."""


def is_beyond(demand: Demand | None, total_bytes: int) -> bool:
    """Return whether a listener needs more audio than that; True if it is unknown (None)."""
    return demand is None or (demand.needed_until is not None and demand.needed_until > total_bytes)


class DemandState:
    """What is known of who waits for the audio of `epoch`, and when to ask again, without the asking.

    `filepath` is where the audio is; None if it is uploaded. `latest` is the last answer: None before the first one,
    after a question without one, and if the epoch is another. Times are in seconds of `time.monotonic`.
    """

    def __init__(self, stream_id: str, epoch: str, filepath: Filepath | None, now: float) -> None:
        self.question = get_demand(stream_id, ANSWER_SECONDS)
        self.announcement = notify_new_audio(stream_id, filepath, "generating")
        self.latest: Demand | None = None
        self._epoch = epoch
        self._next_at = now

    def is_due(self, now: float) -> bool:
        """Return whether the next question may be asked."""
        return now >= self._next_at

    def begin(self, now: float) -> None:
        """Record that a question is asked."""
        self._next_at = now + POLL_SECONDS

    def note(self, demand: Demand | None) -> None:
        """Record an answer; None for a question without one."""
        self.latest = demand if demand is not None and demand.epoch == self._epoch else None


class DemandWait:
    """A wait for listeners, for at most `seconds` (None: without a limit) from `now` on, of `time.monotonic`."""

    def __init__(self, seconds: float | None, now: float) -> None:
        self._end = None if seconds is None else now + seconds
        self._keep_at = now + KEEP_SECONDS

    def is_over(self, now: float) -> bool:
        """Return whether the time has passed."""
        return self._end is not None and now >= self._end

    def keeps(self, now: float) -> bool:
        """Return whether the stream is to be announced now, so that it is not given up: once in `KEEP_SECONDS`."""
        if now < self._keep_at:
            return False
        self._keep_at = now + KEEP_SECONDS
        return True

    def pause(self, now: float) -> float:
        """Return the seconds until the next question."""
        return POLL_SECONDS if self._end is None else min(POLL_SECONDS, self._end - now)


class DemandPoll:
    """Asks who waits for the audio of `epoch`, at most once in `POLL_SECONDS`, and only if somebody wants to know.

    `filepath` is where the audio is; None if it is uploaded.
    """

    def __init__(self, api: InternalApi, stream_id: str, epoch: str, filepath: Filepath | None = None) -> None:
        self._api = api
        self._state = DemandState(stream_id, epoch, filepath, time.monotonic())
        self._lock = threading.Lock()

    @property
    def latest(self) -> Demand | None:
        """The last answer, as in `DemandState`. Reading it never waits: it starts the next question."""
        now = time.monotonic()
        if self._state.is_due(now) and self._lock.acquire(blocking=False):
            self._state.begin(now)
            threading.Thread(target=self._ask, name="asf-demand", daemon=True).start()
        return self._state.latest

    @property
    def is_answered(self) -> bool:
        """Whether no question is open."""
        return not self._lock.locked()

    def wait_until_beyond(self, total_bytes: int, seconds: float | None) -> bool:
        """Wait until a listener needs more than that, for at most `seconds`. Returns whether one does.

        Meanwhile the stream is announced as `generating`, so that it is not given up.
        """
        wait = DemandWait(seconds, time.monotonic())
        while True:
            self._lock.acquire()
            self._ask()
            if is_beyond(self._state.latest, total_bytes):
                return True
            now = time.monotonic()
            if wait.is_over(now):
                return False
            if wait.keeps(now):
                with suppress(AsfClientError):
                    self._api.do(self._state.announcement)
            time.sleep(wait.pause(now))

    def _ask(self) -> None:
        try:
            self._state.note(self._api.do(self._state.question))
        except AsfClientError:
            self._state.note(None)
        finally:
            self._lock.release()
