"""The log of sessions and uploads: one line for each start and end, and each rejected join.

Implements the ports `StreamingObserver` and `UploadObserver`.
"""

import logging
import time
from collections.abc import Callable
from typing import Any

from asf.adapters.log_events import MAX_CHARACTERS, log_event
from asf.adapters.rate_limit import RateLimit
from asf.domain.errors import AsfError, AudioUnavailable
from asf.domain.peer import Peer
from asf.domain.streaming.ports import StreamingObserver
from asf.domain.uploads.ports import UploadObserver

REJECTIONS_PER_SECOND = 1.0
REJECTIONS_AT_ONCE = 50
"""Rate limit of the lines about rejected joins."""

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

    def joined(self, session_id: str, stream_id: str, offset: int, peer: Peer) -> None:
        """Log that a session has started, or waits for its stream. Its id is in each line about it."""
        log_event(
            logger,
            logging.INFO,
            "session started",
            session=session_id,
            stream_id=stream_id,
            offset=offset,
            **_fields_of(peer),
        )
        self._pass_on(self._observer.joined, session_id, stream_id, offset, peer)

    def join_rejected(self, stream_id: str, error: AsfError, peer: Peer | None) -> None:
        """Log that a join was rejected with an error, within the rate limit of these lines."""
        if self._rejections.take(self._clock()):
            fields: dict[str, str | float] = {"stream_id": stream_id[:MAX_CHARACTERS], "code": error.error_code}
            if error.details is not None:
                fields["details"] = error.details[:MAX_CHARACTERS]
            if isinstance(error, AudioUnavailable) and error.filepath is not None:
                fields["filepath"] = error.filepath[:MAX_CHARACTERS]
            if peer is not None:
                fields |= _fields_of(peer)
            if self._unlogged:
                fields["unlogged"] = self._unlogged
                self._unlogged = 0
            log_event(logger, logging.INFO, "join rejected", **fields)
        else:
            self._unlogged += 1
        self._pass_on(self._observer.join_rejected, stream_id, error, peer)

    def first_audio_sent(self, seconds: float) -> None:
        """Pass it on."""
        self._pass_on(self._observer.first_audio_sent, seconds)

    def ended(self, session_id: str, stream_id: str, outcome: str, sent_bytes: int, seconds: float) -> None:
        """Log that a session has ended, and how."""
        log_event(
            logger,
            logging.INFO,
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


class UploadLog:
    """Logs each upload, as `SessionLog` logs sessions, and passes it on to `observer`."""

    def __init__(self, observer: UploadObserver) -> None:
        self._observer = observer

    def upload_started(self, stream_id: str, epoch: str, offset: int) -> None:
        """Log that a request uploads audio from an offset on."""
        log_event(logger, logging.INFO, "upload started", stream_id=stream_id, epoch=epoch, offset=offset)
        self._observer.upload_started(stream_id, epoch, offset)

    def upload_ended(self, stream_id: str, epoch: str, outcome: str, byte_count: int, seconds: float) -> None:
        """Log that such a request has ended, and how."""
        log_event(
            logger,
            logging.INFO,
            "upload ended",
            stream_id=stream_id,
            epoch=epoch,
            outcome=outcome,
            bytes=byte_count,
            seconds=round(seconds, 3),
        )
        self._observer.upload_ended(stream_id, epoch, outcome, byte_count, seconds)


def _fields_of(peer: Peer) -> dict[str, str]:
    """Return the transport and the address; behind a proxy also what the proxy, or the client, says of it."""
    fields = {"transport": peer.transport.value, "address": peer.address}
    return fields if peer.forwarded_for is None else fields | {"forwarded_for": peer.forwarded_for[:MAX_CHARACTERS]}
