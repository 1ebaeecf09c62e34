"""A line in the log for every session that begins and ends: implements the `StreamingObserver` port."""

import logging
from collections.abc import Callable
from typing import Any

from asf.domain.streaming.ports import StreamingObserver

logger = logging.getLogger(__name__)


class SessionLog:
    """Writes the lines, and passes everything on to `observer`. What that raises is logged, and harms nobody."""

    def __init__(self, observer: StreamingObserver) -> None:
        self._observer = observer

    def joined(self, stream_id: str) -> None:
        """Write that a session began."""
        logger.info("A listener joined %r", stream_id, extra={"stream_id": stream_id})
        self._pass_on(self._observer.joined, stream_id)

    def first_audio_sent(self, seconds: float) -> None:
        """Pass it on."""
        self._pass_on(self._observer.first_audio_sent, seconds)

    def ended(self, stream_id: str, outcome: str, sent_bytes: int, seconds: float) -> None:
        """Write that a session ended, and how."""
        fields = {"stream_id": stream_id, "outcome": outcome, "sent_bytes": sent_bytes, "seconds": round(seconds, 3)}
        text = "A listener of %r is gone: %s, %d bytes in %.1f s"
        logger.info(text, stream_id, outcome, sent_bytes, seconds, extra=fields)
        self._pass_on(self._observer.ended, stream_id, outcome, sent_bytes, seconds)

    def pump_lagged(self, seconds: float) -> None:
        """Pass it on."""
        self._pass_on(self._observer.pump_lagged, seconds)

    @staticmethod
    def _pass_on(tell: Callable[..., None], *what: Any) -> None:
        try:
            tell(*what)
        except Exception:
            logger.exception("Observing a session failed")
