"""The log of sessions: one line for each start, end and rejected join. Implements the `StreamingObserver` port."""

import json
import logging
import re
import time
from collections.abc import Callable
from typing import Any

from asf.adapters.rate_limit import RateLimit
from asf.domain.errors import AsfError
from asf.domain.streaming.ports import StreamingObserver

BARE_TEXT = re.compile(r"[\w.:/@+-]+", re.ASCII)
"""Values of fields that are written as they are. All others are written as JSON strings."""

REJECTIONS_PER_SECOND = 1.0
REJECTIONS_AT_ONCE = 50
"""Rate limit of the lines about rejected joins."""

MAX_CHARACTERS = 300
"""Longest text of a client, or of an error, in a line."""

logger = logging.getLogger(__name__)


class SessionLog:
    """Logs each event as `name key=value …`, with the fields as attributes of the record too, for JSON logs.

    Passes everything on to `observer`. What that raises is logged, and does not disturb the session. Rejected joins
    are logged at a limited rate, because strangers can cause them; the next line has the number of those that were
    not (`unlogged`).
    """

    def __init__(self, observer: StreamingObserver, clock: Callable[[], float] = time.monotonic) -> None:
        self._observer = observer
        self._clock = clock
        self._rejections = RateLimit(REJECTIONS_PER_SECOND, REJECTIONS_AT_ONCE)
        self._unlogged = 0

    def joined(self, session_id: str, stream_id: str, offset: int) -> None:
        """Log that a session has started, or waits for its stream."""
        _log("session started", session=session_id, stream_id=stream_id, offset=offset)
        self._pass_on(self._observer.joined, session_id, stream_id, offset)

    def join_rejected(self, stream_id: str, error: AsfError) -> None:
        """Log that a join was rejected with an error, within the rate limit of these lines."""
        if self._rejections.take(self._clock()):
            fields: dict[str, str | float] = {"stream_id": stream_id[:MAX_CHARACTERS], "code": error.error_code}
            if error.details is not None:
                fields["details"] = error.details[:MAX_CHARACTERS]
            if self._unlogged:
                fields["unlogged"] = self._unlogged
                self._unlogged = 0
            _log("join rejected", **fields)
        else:
            self._unlogged += 1
        self._pass_on(self._observer.join_rejected, stream_id, error)

    def first_audio_sent(self, seconds: float) -> None:
        """Pass it on."""
        self._pass_on(self._observer.first_audio_sent, seconds)

    def ended(self, session_id: str, stream_id: str, outcome: str, sent_bytes: int, seconds: float) -> None:
        """Log that a session has ended, and how."""
        _log(
            "session ended",
            session=session_id,
            stream_id=stream_id,
            outcome=outcome,
            bytes=sent_bytes,
            seconds=round(seconds, 3),
        )
        self._pass_on(self._observer.ended, session_id, stream_id, outcome, sent_bytes, seconds)

    def pump_lagged(self, seconds: float) -> None:
        """Pass it on."""
        self._pass_on(self._observer.pump_lagged, seconds)

    @staticmethod
    def _pass_on(report: Callable[..., None], *what: Any) -> None:
        try:
            report(*what)
        except Exception:
            logger.exception("Observing a session failed")


def _log(event: str, **fields: str | float) -> None:
    pairs = " ".join(f"{name}={_text_of(value)}" for name, value in fields.items())
    logger.info("%s %s", event, pairs, extra=fields)


def _text_of(value: str | float) -> str:
    """Return the value as one word or one JSON string, so that no client can forge fields or lines."""
    text = str(value)
    return text if BARE_TEXT.fullmatch(text) else json.dumps(text)
