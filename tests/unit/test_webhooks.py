"""Webhooks are delivered to a real receiver, signed, in time, and whatever it does."""

import json
import socket
import subprocess
import threading
import time
from base64 import b64decode
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

import jsonschema_rs
import pytest

from asf.adapters.http_api import openapi_document
from asf.adapters.system_clock import SystemClock
from asf.adapters.webhooks import Receiver, WebhookSender
from asf.adapters.webhooks.messages import body_of, headers_of
from asf.domain.webhooks import outbox
from asf.domain.webhooks.event import EventType, StreamEvent
from tests.support.bounds import PATIENCE_SECONDS, STOP_SECONDS
from tests.support.processes import eventually
from tests.support.webhook_receiver import KEY, Answer, WebhookReceiver, babble, drip, hang, reset

SHORT_SECONDS = 1.0
"""How long an attempt may take where the receiver takes longer: enough for one that answers, on a slow machine."""


class Outcomes:
    """Counts what has become of events."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def event_delivered(self, outcome: str) -> None:
        self.counts[outcome] += 1


class Sending:
    """A sender to a receiver, with its workers."""

    def __init__(
        self, url: str, seconds: float, retry_seconds: float, secrets: tuple[bytes, ...], max_events: int
    ) -> None:
        self.outcomes = Outcomes()
        receiver = Receiver(url, seconds)
        self.sender = WebhookSender(receiver, secrets, retry_seconds, SystemClock(), self.outcomes, max_events)
        self._threads = [threading.Thread(target=work) for work in self.sender.workers]
        for thread in self._threads:
            thread.start()

    def report(self, stream_id: str = "s", kind: EventType = EventType.ENDED, epoch: str | None = "epoch") -> None:
        """Report an event."""
        self.sender.report(StreamEvent(kind, stream_id, epoch, 1_700_000_000.25, {"state": "complete"}))

    def stop(self) -> None:
        """End the workers."""
        self.sender.close()
        for thread in self._threads:
            thread.join(STOP_SECONDS)
            assert not thread.is_alive()


MakeSending = Callable[..., Sending]


@pytest.fixture
def send_to(monkeypatch: pytest.MonkeyPatch) -> Iterator[MakeSending]:
    """Return a function that makes senders, whose pauses are short."""
    monkeypatch.setattr(outbox, "FIRST_PAUSE_SECONDS", 0.01)
    made: list[Sending] = []

    def make(
        url: str,
        seconds: float = PATIENCE_SECONDS,
        retry_seconds: float = PATIENCE_SECONDS,
        secrets: tuple[bytes, ...] = (KEY,),
        max_events: int = 100,
    ) -> Sending:
        made.append(Sending(url, seconds, retry_seconds, secrets, max_events))
        return made[-1]

    yield make
    for sending in made:
        sending.stop()


def test_a_signature_is_that_of_standard_webhooks() -> None:
    """The example of its libraries."""
    key = b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    headers = headers_of("msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}', [key])
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_the_message_is_small_and_complete() -> None:
    """The time of the event is in UTC, to the microsecond."""
    event = StreamEvent(EventType.ENDED, "strm_ü", None, 1_700_000_000.25, {"state": "failed", "reason": "No voice."})
    assert json.loads(body_of(event, "msg_1")) == {
        "id": "msg_1",
        "type": "stream.ended",
        "timestamp": "2023-11-14T22:13:20.250000Z",
        "data": {"stream_id": "strm_ü", "epoch": None, "state": "failed", "reason": "No voice."},
    }
    assert b" " not in body_of(event, "msg_1").replace(b"No voice", b"")


@pytest.mark.parametrize("kind", EventType)
def test_the_message_is_that_of_the_openapi_document(kind: EventType) -> None:
    """Each type of event is there, and what is sent obeys its schema."""
    document = openapi_document("1.0")
    content = document["webhooks"][kind.value]["post"]["requestBody"]["content"]["application/json"]
    schema = content["schema"] | {"components": document["components"]}
    details = {"state": "failed", "reason": None} if kind is EventType.ENDED else {}
    message = json.loads(body_of(StreamEvent(kind, "s", None, 1_700_000_000.0, details), "msg_1"))
    jsonschema_rs.validate(schema, message)
    del message["data"]["stream_id"]
    with pytest.raises(jsonschema_rs.ValidationError):
        jsonschema_rs.validate(schema, message)


def test_an_event_is_delivered(send_to: MakeSending) -> None:
    """One signed POST request to exactly that URL, as JSON; the header has the time of the attempt."""
    with WebhookReceiver() as receiver:
        sending = send_to(receiver.url)
        sending.report()
        (request,) = receiver.wait_for(1)
        eventually(lambda: sending.outcomes.counts == {"sent": 1})
    assert request.path == "/asf?hook=1"
    assert request.headers["Content-Type"] == "application/json"
    assert request.headers["Host"] == f"127.0.0.1:{receiver.port}"
    assert request.is_signed_with(KEY)
    assert not request._replace(body=request.body + b" ").is_signed_with(KEY)
    assert request.headers["webhook-id"] == request.message["id"]
    assert abs(int(request.headers["webhook-timestamp"]) - time.time()) < PATIENCE_SECONDS
    assert datetime.fromisoformat(request.message["timestamp"]).timestamp() == 1_700_000_000.25
    assert len(sending.sender) == 0


def test_both_secrets_sign_while_one_is_replaced(send_to: MakeSending) -> None:
    """A receiver that knows either of them accepts it."""
    other = bytes(32)
    with WebhookReceiver() as receiver:
        send_to(receiver.url, secrets=(KEY, other)).report()
        (request,) = receiver.wait_for(1)
    assert request.is_signed_with(KEY)
    assert request.is_signed_with(other)
    assert not request.is_signed_with(b"x" * 32)


@pytest.mark.parametrize(
    "failure",
    [
        500,
        404,
        429,
        (503, {"Retry-After": "0"}),
        (301, {"Location": "/elsewhere"}),
        (302, {"Location": "http://127.0.0.1:1/"}),
        (307, {"Location": "/elsewhere"}),
        hang,
        drip,
        reset,
        babble,
    ],
)
def test_a_failure_is_followed_by_another_attempt(send_to: MakeSending, failure: Answer) -> None:
    """With the same id and body, and no redirect is followed; it ends in time, whatever the receiver does."""
    with WebhookReceiver(failure, 204) as receiver:
        sending = send_to(receiver.url, SHORT_SECONDS if failure in [hang, drip] else PATIENCE_SECONDS)
        sending.report()
        first, second = receiver.wait_for(2)
        eventually(lambda: sending.outcomes.counts == {"sent": 1})
        assert len(receiver.received) == 2
    assert first.path == second.path == "/asf?hook=1"
    assert first.body == second.body
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert second.is_signed_with(KEY)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7.0),
        (" 0 ", 0.0),
        ("9" * 10, None),
        ("-1", None),
        ("1.5", None),
        ("Wed, 21 Oct 2015 07:28:00 GMT", None),
    ],
)
def test_a_receiver_asks_for_a_pause(header: str, seconds: float | None) -> None:
    """In seconds; a date is ignored, as the clocks may differ."""
    with WebhookReceiver((503, {"Retry-After": header})) as receiver:
        response = Receiver(receiver.url, PATIENCE_SECONDS).post(b"{}", {})
    assert (response.status, response.retry_after) == (503, seconds)


def test_a_worker_outlives_what_it_did_not_expect(
    send_to: MakeSending, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It is logged, the event has failed, and the next ones are sent."""
    with WebhookReceiver() as receiver:
        sending = send_to(receiver.url)
        with monkeypatch.context() as broken:
            broken.setattr(Receiver, "post", lambda *_arguments: 1 / 0)
            for number in range(len(sending.sender.workers)):
                sending.report(f"stream-{number}")
            eventually(lambda: sending.outcomes.counts == {"failed": 4})
        sending.report()
        receiver.wait_for(1)
    assert caplog.text.count("ZeroDivisionError") == 4


def test_a_receiver_that_is_not_there_yet(send_to: MakeSending) -> None:
    """As while it is deployed: the event arrives afterwards."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        sending = send_to(f"http://127.0.0.1:{probe.getsockname()[1]}/")
        sending.report()
        eventually(lambda: sending.sender.has_tried_all)
        assert len(sending.sender) == 1
        probe.listen()
        connection, _ = probe.accept()
        with connection:
            connection.recv(65536)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            eventually(lambda: sending.outcomes.counts == {"sent": 1})


def test_an_event_that_cannot_be_delivered_is_given_up(
    send_to: MakeSending, caplog: pytest.LogCaptureFixture
) -> None:
    """After the time for it, with a line in the log; the next one of its stream is attempted then."""
    with WebhookReceiver(500) as receiver:
        sending = send_to(receiver.url, retry_seconds=1.0)
        sending.report()
        eventually(lambda: sending.outcomes.counts == {"failed": 1})
        assert len(receiver.received) > 1
        receiver.answers = [204]
        sending.report()
        eventually(lambda: sending.outcomes.counts == {"failed": 1, "sent": 1})
    assert "Webhook stream.ended for stream 's' failed" in caplog.text
    assert "given up: HTTP status 500" in caplog.text


def test_a_receiver_that_is_gone_is_not_asked_again(send_to: MakeSending) -> None:
    """410: it wants the event no more."""
    with WebhookReceiver(410) as receiver:
        sending = send_to(receiver.url)
        sending.report()
        eventually(lambda: sending.outcomes.counts == {"failed": 1})
        assert len(receiver.received) == 1


def test_events_of_a_stream_arrive_in_order(send_to: MakeSending) -> None:
    """Although some attempts fail; other streams do not wait."""
    with WebhookReceiver(500, 500, 500, 204) as receiver:
        sending = send_to(receiver.url)
        kinds = list(EventType) * 3
        for kind in kinds:
            sending.report("s", kind)
            sending.report("other", kind)
        eventually(lambda: sending.outcomes.counts == {"sent": 2 * len(kinds)})
        by_id = {one.headers["webhook-id"]: one for one in receiver.received}
    for stream_id in ("s", "other"):
        assert [one.what[0] for one in by_id.values() if one.what[1] == stream_id] == kinds


def test_a_receiver_that_hangs_holds_up_nobody(send_to: MakeSending, caplog: pytest.LogCaptureFixture) -> None:
    """Reporting does not wait; events beyond the limit are dropped, counted and logged; the others arrive."""
    with WebhookReceiver(hang) as receiver:
        sending = send_to(receiver.url, max_events=10)
        for number in range(25):
            sending.report(f"stream-{number}")
        assert sending.outcomes.counts == {"dropped": 15}
        assert len(sending.sender) == 10
        assert not sending.sender.has_tried_all
        receiver.wait_for(len(sending.sender.workers))
        receiver.answers = [204]
        receiver.release.set()
        eventually(lambda: sending.outcomes.counts == {"dropped": 15, "sent": 10})
    assert caplog.text.count("Webhook dropped: 10 events wait") == 1


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """Return a certificate for `localhost`, with its key beside it."""
    path = tmp_path / "localhost.pem"
    command = (
        f"openssl req -x509 -newkey rsa:2048 -nodes -keyout {path.with_suffix('.key')} -out {path} -days 2 "
        "-subj /CN=localhost -addext subjectAltName=DNS:localhost"
    )
    subprocess.run(command.split(), check=True, capture_output=True)
    return path


@pytest.mark.programs
def test_certificates_are_verified(send_to: MakeSending, certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that an authority of this machine has signed is accepted, for its host; nothing is sent otherwise."""
    with WebhookReceiver() as receiver:
        receiver.encrypt(certificate, certificate.with_suffix(".key"))
        stranger = send_to(f"https://localhost:{receiver.port}/", retry_seconds=0)
        stranger.report()
        eventually(lambda: stranger.outcomes.counts == {"failed": 1})
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        other_host = send_to(f"https://127.0.0.1:{receiver.port}/", retry_seconds=0)
        other_host.report()
        eventually(lambda: other_host.outcomes.counts == {"failed": 1})
        assert receiver.received == []
        trusting = send_to(f"https://localhost:{receiver.port}/")
        trusting.report()
        eventually(lambda: trusting.outcomes.counts == {"sent": 1})
        assert receiver.received[0].is_signed_with(KEY)


def test_encryption_that_hangs_ends_in_time(send_to: MakeSending) -> None:
    """A receiver that accepts the connection, and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        sending = send_to(f"https://127.0.0.1:{silent.getsockname()[1]}/", SHORT_SECONDS, retry_seconds=0)
        sending.report()
        eventually(lambda: sending.outcomes.counts == {"failed": 1})
