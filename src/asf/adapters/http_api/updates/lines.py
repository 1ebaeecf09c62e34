"""UI updates by line: one long request, an update a line in, an answer a line out (NDJSON)."""

import logging
from collections.abc import Callable, Iterable, Iterator

from flask import Response, request

from asf.adapters.http_api.errors import (
    HTTP_STATUSES,
    BadRequest,
    PayloadTooLarge,
    RequestTimedOut,
    SendUiInvalidPayload,
    SendUiMalformedJson,
    UnsupportedMediaType,
    error_body,
)
from asf.adapters.http_api.json_body import MAX_BODY_BYTES, parse_json_object
from asf.adapters.http_api.updates.line_splitter import LineSplitter
from asf.adapters.http_api.updates.messages import answer_line, encoded, update_of
from asf.adapters.runtime import STREAMED_BODY, BodyInterrupted, BrokenBody, StreamedBody, control_of
from asf.domain.errors import AsfError, Draining, InternalError
from asf.domain.updates.batch import Batch
from asf.domain.updates.router import UiUpdateRouter

MEDIA_TYPE = "application/x-ndjson"

MAX_LINE_BYTES = MAX_BODY_BYTES
"""Longest line, without its end: the longest body of a request with one update."""

ANSWERS_AT_ONCE = 16 * 1024
"""Bytes of answers that are written together, and so the most that wait for a client to read them. Until they are
written nothing more is published or received."""

logger = logging.getLogger(__name__)


class UpdateLines:
    """Answers requests with updates by line. A sender may be silent for `idle_seconds`.

    `checkpoint` is called after each update, and may yield. `len` counts the requests that are open.
    """

    def __init__(self, router: UiUpdateRouter, checkpoint: Callable[[], object], idle_seconds: float) -> None:
        self._router = router
        self._checkpoint = checkpoint
        self._idle_seconds = idle_seconds
        self._open: set[StreamedBody] = set()
        self._is_draining = False

    def __len__(self) -> int:
        """Return how many requests are open."""
        return len(self._open)

    def drain(self) -> None:
        """End all requests once the lines that were received are answered. New ones are rejected."""
        self._is_draining = True
        for body in self._open:
            body.interrupt()

    def respond(self) -> Response:
        """Return the response to the current request: its answers follow while its lines arrive.

        Raises `Draining`, `UnsupportedMediaType` for a body that is compressed, and the rejection of a connection
        over a limit.
        """
        if request.headers.get("Content-Encoding", "identity").strip().lower() != "identity":
            raise UnsupportedMediaType("The body must not be compressed (Content-Encoding).")
        control = control_of(request.environ)
        if control.rejection is not None:
            raise control.rejection
        if self._is_draining:
            raise Draining
        response = Response(self._answers(request.environ[STREAMED_BODY]()), mimetype=MEDIA_TYPE)
        response.headers["Cache-Control"] = "no-store"
        response.headers["X-Accel-Buffering"] = "no"  # nginx passes each answer on at once.
        return response

    def _answers(self, body: StreamedBody) -> Iterator[bytes]:
        """Yield the answers to the lines of `body`; at last, if it does not end well, the reason."""
        splitter = LineSplitter(MAX_LINE_BYTES)
        self._open.add(body)
        try:
            while True:
                piece = self._draining_or(body)
                yield from self._publish(splitter.feed(piece) if piece else splitter.end())
                if not piece:
                    return
        except BodyInterrupted:
            yield _closing(Draining("The server is shutting down: send what was not answered again."))
        except TimeoutError:
            yield _closing(RequestTimedOut(f"Nothing has arrived for {self._idle_seconds:g} s."))
        except BrokenBody as error:
            yield _closing(BadRequest(str(error)))
        finally:
            self._open.discard(body)

    def _draining_or(self, body: StreamedBody) -> bytes:
        if self._is_draining:  # The request may have been accepted just before.
            body.interrupt()
        return body.read(self._idle_seconds)

    def _publish(self, lines: Iterable[bytes | None]) -> Iterator[bytes]:
        """Publish updates in order, and yield the answers, as many at once as `ANSWERS_AT_ONCE` permits."""
        batch = self._router.batch()
        answers: list[bytes] = []
        size = 0
        for line in lines:
            if line is None:
                answers.append(_error(PayloadTooLarge(f"A line must not be longer than {MAX_LINE_BYTES} bytes.")))
            elif line and not line.isspace():
                answers.append(_answer(batch, line))
            else:
                continue
            size += len(answers[-1])
            if size >= ANSWERS_AT_ONCE:
                yield b"".join(answers)
                answers.clear()
                size = 0
            self._checkpoint()
        if answers:
            yield b"".join(answers)


def _answer(batch: Batch, line: bytes) -> bytes:
    """Publish the update in a line, and return the answer."""
    try:
        payload = parse_json_object(line, SendUiMalformedJson, SendUiInvalidPayload)
        return answer_line(batch.publish(update_of(payload)))
    except AsfError as error:
        return _error(error)
    except Exception:
        logger.exception("Publishing an update failed")
        return _error(InternalError())


def _error(error: AsfError) -> bytes:
    return encoded(error_body(error) | {"status": "error", "http_status": HTTP_STATUSES[type(error)].value})


def _closing(reason: AsfError) -> bytes:
    """Return the last line of a response that ends before its request: no answer to an update."""
    return encoded(error_body(reason) | {"status": "closed", "http_status": HTTP_STATUSES[type(reason)].value})
