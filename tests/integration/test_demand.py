"""A backend finds out how many listen to its streams and what they need; the first and the last are reported."""

import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import requests

from asf.client import BackendClient, Demand
from asf.domain.streaming.ahead import MAX_AHEAD_BYTES
from tests.support.bounds import PATIENCE_SECONDS, STOP_SECONDS
from tests.support.engineio_wire import join
from tests.support.fixtures import StartServer, audio_of
from tests.support.plain_websocket import PlainListener
from tests.support.processes import ServerProcess, eventually
from tests.support.webhook_receiver import KEY, SECRET, WebhookReceiver, drip, hang

AUDIO = audio_of(300_000)
FIRST, LEFT, ENDED = "stream.first_listener", "stream.last_listener_left", "stream.ended"


def demand_for(server: ServerProcess, stream_id: str = "s") -> tuple[int, int | None]:
    """Return how many listen to a stream, and up to which byte they need it."""
    response = requests.get(f"{server.url}/asf/internal/streams/{stream_id}", timeout=PATIENCE_SECONDS)
    response.raise_for_status()
    body: dict[str, Any] = response.json()
    return body["listeners"], body["needed_until"]


def generate(server: ServerProcess, stream_id: str = "s", audio: bytes = AUDIO) -> Path:
    """Announce audio that is being generated, and return its file."""
    path = server.audio_root / f"{stream_id}.bin"
    path.write_bytes(audio)
    server.notify(stream_id, str(path), state="generating").raise_for_status()
    return path


@pytest.fixture
def receiver() -> Iterator[WebhookReceiver]:
    """Return a receiver that accepts everything."""
    with WebhookReceiver() as receiver:
        yield receiver


def reporting_to(receiver: WebhookReceiver, **more: str) -> dict[str, str]:
    """Return the settings of a server that reports events there."""
    return {"ASF_WEBHOOK_URL": receiver.url, "ASF_WEBHOOK_SECRET": SECRET, "TEST_GRACE_SECONDS": "0.2", **more}


@pytest.mark.one_process("with Redis it is a moment old: test_several_servers_demand.py")
class TestDemand:
    """GET /asf/internal/streams/{stream_id}."""

    def test_over_each_transport(self, server: ServerProcess) -> None:
        """With a window, and without one, over HTTP."""
        generate(server)
        assert demand_for(server) == (0, None)
        with closing(join(server, window=5000)) as listener:
            listener.receive_until_bytes(4096)
            assert demand_for(server) == (1, 5000)
            plain = PlainListener(server.url, "s", window=7000)
            plain.receive_until("start_of_stream")
            assert demand_for(server) == (2, 7000)
            with requests.get(server.stream_url("s"), stream=True, timeout=PATIENCE_SECONDS) as response:
                content = response.iter_content(1)
                next(content)
                listeners, needed_until = demand_for(server)
                assert listeners == 3
                assert needed_until is not None
                assert MAX_AHEAD_BYTES < needed_until <= len(AUDIO) + MAX_AHEAD_BYTES
            eventually(lambda: demand_for(server) == (2, 7000))
            plain.close()
        eventually(lambda: demand_for(server) == (0, None))

    def test_listeners_that_wait_for_their_stream(self, server: ServerProcess) -> None:
        """They count as soon as there is a stream to ask about."""
        with closing(join(server, "later", wait=True, window=3000)) as listener:
            listener.receive_until_status("waiting")
            generate(server, "later", b"")
            assert demand_for(server, "later") == (1, 3000)

    def test_probes_do_not_count(self, server: ServerProcess) -> None:
        """HEAD requests, and short ranges."""
        generate(server, "probed")
        url = server.stream_url("probed")
        requests.head(url, timeout=PATIENCE_SECONDS).raise_for_status()
        part = requests.get(url, headers={"Range": "bytes=0-99"}, timeout=PATIENCE_SECONDS)
        assert part.content == AUDIO[:100]
        assert demand_for(server, "probed") == (0, None)

    def test_complete_audio_is_needed_by_nobody(self, server: ServerProcess) -> None:
        """Its listeners are counted."""
        path = generate(server, "complete")
        with closing(join(server, "complete", window=1000)) as listener:
            listener.receive_until_bytes(1000)
            server.notify("complete", str(path)).raise_for_status()
            assert demand_for(server, "complete") == (1, None)

    def test_the_client_returns_it(self, server: ServerProcess) -> None:
        """With the epoch that it is about."""
        generate(server, "asked")
        with BackendClient(server.url) as backend, closing(join(server, "asked", window=1000)) as listener:
            epoch = listener.receive_until("start_of_stream")["epoch"]
            assert backend.demand("asked") == Demand("asked", epoch, 1, 1000)

    def test_a_page_of_streams_has_none(self, server: ServerProcess) -> None:
        """It would take as many questions as there are streams."""
        generate(server)
        page = requests.get(f"{server.url}/asf/internal/streams", timeout=PATIENCE_SECONDS).json()
        assert not {"listeners", "needed_until"} & set(page["streams"][0])


class TestWebhooks:
    """ASF_WEBHOOK_URL."""

    def test_the_life_of_a_stream(self, start_server: StartServer, receiver: WebhookReceiver) -> None:
        """A listener waits; the stream is generated for it, fails, and is left. All is signed, and counted."""
        server = start_server(reporting_to(receiver), observed=True)
        with closing(join(server, wait=True)) as listener:
            listener.receive_until_status("waiting")
            (first,) = receiver.wait_for(1)
            path = str(generate(server))  # Once: who listens would see the file without its audio for a moment.
            epoch = server.notify("s", path, state="generating").json()["epoch"]
            server.notify("s", path, state="failed", reason="Out of voice.").raise_for_status()
            listener.receive_until("stream_error")
        requests_ = receiver.wait_for(3)
        assert [one.what for one in requests_] == [(FIRST, "s"), (ENDED, "s"), (LEFT, "s")]
        assert all(one.is_signed_with(KEY) for one in requests_)
        assert first.message["data"] == {"stream_id": "s", "epoch": None}
        ended, left = (one.message["data"] for one in requests_[1:])
        assert ended == {"stream_id": "s", "epoch": epoch, "state": "failed", "reason": "Out of voice."}
        assert left == {"stream_id": "s", "epoch": epoch}
        eventually(lambda: 'asf_webhooks_total{outcome="sent"} 3.0' in server.metrics())
        assert "asf_webhooks_waiting 0.0" in server.metrics()

    def test_a_listener_that_reconnects_has_not_left(
        self, start_server: StartServer, receiver: WebhookReceiver
    ) -> None:
        """And a second one is not the first."""
        server = start_server(reporting_to(receiver, TEST_GRACE_SECONDS=str(PATIENCE_SECONDS)), observed=True)
        path = generate(server)
        for _ in range(3):
            with closing(join(server)), closing(join(server)) as second:
                second.receive_until("start_of_stream")
            eventually(lambda: demand_for(server) == (0, None))
        server.notify("s", str(path)).raise_for_status()
        eventually(lambda: (ENDED, "s") in receiver.events)
        assert sorted(receiver.events) == [(ENDED, "s"), (FIRST, "s")]

    def test_the_end_is_reported_once(self, start_server: StartServer, receiver: WebhookReceiver) -> None:
        """Announced as complete from the start, and again; not that it goes on; but each later end."""
        server = start_server(reporting_to(receiver), observed=True)
        path = server.announce("s", AUDIO)
        server.notify("s", str(path)).raise_for_status()
        server.notify("s", str(path), state="generating").raise_for_status()
        server.notify("s", str(path), state="failed", reason="Enough.").raise_for_status()
        states = [one.message["data"]["state"] for one in receiver.wait_for(2)]
        server.announce("last", AUDIO)
        assert [one.what[1] for one in receiver.wait_for(3)] == ["s", "s", "last"]
        assert states == ["complete", "failed"]

    def test_a_stream_that_is_given_up_has_ended(self, start_server: StartServer, receiver: WebhookReceiver) -> None:
        """Its producer has vanished: with the reason."""
        server = start_server(reporting_to(receiver, ASF_STALL_GIVE_UP_SECONDS="0.5"), observed=True)
        generate(server)
        PlainListener(server.url, "s").receive_to_the_end()
        eventually(lambda: (ENDED, "s") in receiver.events)
        (ended,) = [one for one in receiver.received if one.what == (ENDED, "s")]
        assert ended.message["data"]["state"] == "failed"
        assert ended.message["data"]["reason"] == "The audio has not grown for 0.5 s."

    def test_a_receiver_that_hangs_holds_up_nothing(self, start_server: StartServer) -> None:
        """Neither listeners nor backends, nor the end of the server: each worker waits for it, or drips."""
        with WebhookReceiver(hang, drip) as receiver:
            # That the listener has left would be one event more, after a while.
            settings = reporting_to(receiver, TEST_GRACE_SECONDS=str(PATIENCE_SECONDS))
            server = start_server(settings, observed=True)
            for number in range(8):
                server.announce(f"stream-{number}", AUDIO)
            receiver.wait_for(4)
            listener = PlainListener(server.url, "stream-0")
            assert listener.receive_to_the_end() == 1000
            assert listener.audio == AUDIO
            assert server.metric("asf_webhooks_waiting") == 9, "eight ends, and the first listener"
            assert server.stop() == 0

    def test_what_has_just_happened_is_sent_before_the_server_ends(
        self, start_server: StartServer, receiver: WebhookReceiver
    ) -> None:
        """Where the receiver is well."""
        server = start_server(reporting_to(receiver), observed=True)
        for number in range(19):
            server.announce(f"stream-{number}", b"audio")
        receiver.wait_for(19)
        server.announce("the last stream", b"audio")
        assert server.stop() == 0
        assert len(receiver.events) == 20

    @pytest.mark.parametrize("is_trusted", [True, False])
    def test_certificates_are_verified(self, start_server: StartServer, tmp_path: Path, *, is_trusted: bool) -> None:
        """By the server, too, whose sockets are not those of the standard library."""
        command = (
            f"openssl req -x509 -newkey rsa:2048 -nodes -keyout {tmp_path}/key -out {tmp_path}/crt -days 2 "
            "-subj /CN=localhost -addext subjectAltName=DNS:localhost"
        )
        subprocess.run(command.split(), check=True, capture_output=True, timeout=STOP_SECONDS)
        trust = {"SSL_CERT_FILE": f"{tmp_path}/crt"} if is_trusted else {}
        with WebhookReceiver() as receiver:
            receiver.encrypt(tmp_path / "crt", tmp_path / "key")
            url = f"https://localhost:{receiver.port}/asf"
            server = start_server(reporting_to(receiver, ASF_WEBHOOK_URL=url, **trust), observed=True)
            server.announce("s", AUDIO)
            if is_trusted:
                assert receiver.wait_for(1)[0].is_signed_with(KEY)
            else:
                eventually(lambda: any("CERTIFICATE_VERIFY_FAILED" in line for line in server.log))
                assert receiver.received == []
