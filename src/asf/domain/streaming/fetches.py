"""The sessions whose next bytes are being fetched."""

from collections import Counter
from collections.abc import Iterable

from asf.domain.streaming.session import ListenerSession
from asf.domain.streaming.shared_audio import SharedAudio

Wanted = tuple[SharedAudio, int]
"""Audio, and the offset of the batch of it that a session needs next."""


class Fetches:
    """Which sessions await bytes of which audio. What no session wants any more is cancelled at its source.

    A session wants a batch from `add` until `remove`: it moves, pauses or ends, or has got it. It awaits the batch
    from `add` until anything of the audio arrives; then it must try again.
    """

    def __init__(self) -> None:
        self._awaiting: dict[SharedAudio, dict[ListenerSession, None]] = {}
        self._wanted: dict[ListenerSession, Wanted] = {}
        self._sessions: Counter[Wanted] = Counter()

    def add(self, session: ListenerSession, audio: SharedAudio, start: int) -> None:
        """Record that the session needs the batch of `audio` at byte `start`, which is being fetched."""
        wanted = audio, start
        if self._wanted.get(session) != wanted:
            self.remove(session)
            self._wanted[session] = wanted
            self._sessions[wanted] += 1
        self._awaiting.setdefault(audio, {})[session] = None

    def arrived(self, audio: SharedAudio) -> Iterable[ListenerSession]:
        """Return the sessions that have awaited bytes of `audio`, and do so no longer."""
        return self._awaiting.pop(audio, ())

    def __contains__(self, session: ListenerSession) -> bool:
        """Return whether the session wants bytes that are being fetched."""
        return session in self._wanted

    def remove(self, session: ListenerSession) -> None:
        """Record that the session wants nothing. One that wanted nothing is ignored."""
        wanted = self._wanted.pop(session, None)
        if wanted is None:
            return
        audio, start = wanted
        awaiting = self._awaiting.get(audio)
        if awaiting is not None:
            awaiting.pop(session, None)
            if not awaiting:
                del self._awaiting[audio]
        self._sessions[wanted] -= 1
        if not self._sessions[wanted]:
            del self._sessions[wanted]
            if audio.source is not None:
                audio.source.cancel(start)
