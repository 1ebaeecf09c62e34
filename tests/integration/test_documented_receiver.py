"""The receiver of webhooks in docs/backend.md takes what ASF sends, and nothing else."""

import re
import threading
from base64 import b64encode
from collections.abc import Iterator
from http.server import HTTPServer
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.support.bounds import PATIENCE_SECONDS
from tests.support.fixtures import StartServer
from tests.support.processes import eventually
from tests.support.webhook_receiver import SECRET, Received, WebhookReceiver

DOCUMENT = Path(__file__).parents[2] / "docs" / "backend.md"


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Return what the example defines."""
    monkeypatch.setenv("ASF_WEBHOOK_SECRET", SECRET)
    (block,) = [one for one in re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(), re.DOTALL) if "hmac" in one]
    names: dict[str, Any] = {}
    exec(block, names)  # noqa: S102 - as a reader would run it
    names["Receiver"].log_message = lambda *_arguments: None
    return names


@pytest.fixture
def url(example: dict[str, Any]) -> Iterator[str]:
    """Return the URL at which it runs."""
    with HTTPServer(("127.0.0.1", 0), example["Receiver"]) as server:
        thread = threading.Thread(target=server.serve_forever, args=[0.01])
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/events"
        server.shutdown()
        thread.join()


def test_it_takes_what_a_server_sends(start_server: StartServer, example: dict[str, Any], url: str) -> None:
    """Each event once."""
    server = start_server({"ASF_WEBHOOK_URL": url, "ASF_WEBHOOK_SECRET": SECRET})
    for stream_id in ("one", "two"):
        server.announce(stream_id, b"audio")
    eventually(lambda: 'asf_webhooks_total{outcome="sent"} 2.0' in server.metrics())
    assert len(example["handled"]) == 2


@pytest.fixture
def genuine(start_server: StartServer) -> Received:
    """Return a request that a server has sent to somebody else."""
    with WebhookReceiver() as receiver:
        server = start_server({"ASF_WEBHOOK_URL": receiver.url, "ASF_WEBHOOK_SECRET": SECRET})
        server.announce("s", b"audio")
        return receiver.wait_for(1)[0]


def test_it_takes_nothing_else(example: dict[str, Any], url: str, genuine: Received) -> None:
    """Another body, id, time or signature; and one that is repeated counts once."""
    headers = {name: text for name, text in genuine.headers.items() if name.startswith("webhook-")}

    def status_of(body: bytes = genuine.body, **changed: str | None) -> int:
        sent = headers | {f"webhook-{name}": text for name, text in changed.items()}
        present = {name: text for name, text in sent.items() if text is not None}
        return requests.post(url, data=body, headers=present, timeout=PATIENCE_SECONDS).status_code

    assert status_of() == status_of() == 204
    assert example["handled"] == {genuine.headers["webhook-id"]}
    wrong = f"v1,{b64encode(bytes(32)).decode()}"
    assert status_of(signature=f"{wrong} {headers['webhook-signature']}") == 204
    assert status_of(genuine.body.replace(b'"s"', b'"x"')) == 400
    for changed in ({"id": "msg_other"}, {"timestamp": "1614265330"}, {"signature": wrong}, {"signature": None}):
        assert status_of(**changed) == 400, changed
    assert len(example["handled"]) == 1


def test_it_takes_nothing_old(example: dict[str, Any], genuine: Received, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whose signature is right."""
    assert example["verified"](genuine.headers, genuine.body)["type"] == "stream.ended"
    sent_at = int(genuine.headers["webhook-timestamp"])
    monkeypatch.setattr(example["time"], "time", lambda: sent_at + 301.0)
    with pytest.raises(ValueError, match="too old"):
        example["verified"](genuine.headers, genuine.body)
