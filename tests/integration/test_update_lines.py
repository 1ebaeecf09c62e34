"""UI updates by line, over real sockets: one request, an update a line in, an answer a line out."""

import asyncio
import json
import socket
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import requests

from asf.adapters.http_api.updates.lines import MAX_LINE_BYTES
from tests.integration.test_event_loop import MIN_ANSWERS, bystander
from tests.integration.test_ui_updates import Subscriber, has
from tests.support.bounds import HUNG_SECONDS, PATIENCE_SECONDS
from tests.support.fixtures import StartServer
from tests.support.line_sender import NDJSON, LineSender, line_of
from tests.support.plain_proxies import PROGRAMS, PlainProxy
from tests.support.processes import ServerProcess, eventually
from tests.support.redis_server import RedisServer

URL = "/asf/internal/send_ui_updates"
SINGLE_URL = "/asf/internal/send_ui_update"
TOKEN = "kq3V-9xWbTz0_eLr7uYcHm2Jd5NaPf8s"  # noqa: S105 - of this test
IGNORED = {"seq", "epoch", "http_status", "status"}


def post(url: str, body: bytes, **headers: str) -> requests.Response:
    """Send lines with one request, all at once."""
    return requests.post(url + URL, data=body, headers={"Content-Type": NDJSON} | headers, timeout=PATIENCE_SECONDS)


def lines_of(response: requests.Response) -> list[dict[str, Any]]:
    """Return the lines of a response."""
    return [json.loads(line) for line in response.content.splitlines()]


def ends_with(number: int, events: list[Any]) -> bool:
    """Return whether the latest event has this number."""
    return bool(events[-1] == ("n", number))


def recovered(server: ServerProcess, client_id: str) -> list[Any]:
    """Return all updates of the client that are kept, from its first one on."""

    async def scenario() -> list[Any]:
        async with Subscriber(server.url, ["websocket"]) as tab:
            await tab.subscribe({"client_id": client_id, "since": {"epoch": "", "seq": 0}})
            await tab.until(has("subscribed_ui_updates"))
            server_says = next(event for event in tab.events if event[0] == "subscribed_ui_updates")
            await tab.until(lambda events: len(events) == 2 + server_says[1]["seq"])
            return [event[1] for event in tab.events[2:]]

    return asyncio.run(scenario())


def test_each_update_is_on_its_way_before_the_next_is_sent(server: ServerProcess) -> None:
    """And answered: the request goes on meanwhile, in pieces that are no lines."""

    async def scenario() -> None:
        async with Subscriber(server.url, ["websocket"]) as tab:
            await tab.subscribe({"client_id": "alice"})
            await tab.until(has("subscribed_ui_updates"))
            with LineSender(server.port) as sender:
                for number in range(20):
                    line = line_of("alice", number)
                    await asyncio.to_thread(sender.send, line[: number + 1])
                    await asyncio.to_thread(sender.send, line[number + 1 :])
                    answer = await asyncio.to_thread(sender.answer)
                    assert (answer["seq"], answer["subscribers"], answer["duplicate"]) == (number + 1, 1, False)
                    assert (answer["status"], answer["http_status"]) == ("success", 200)
                    await tab.until(partial(ends_with, number))
                assert sender.response.headers["Content-Type"].startswith(NDJSON)
                sender.send(line_of("alice", "last").rstrip())  # The end of the body ends it, too.
                (last,) = await asyncio.to_thread(sender.end)
                assert last["seq"] == 21
                assert sender.response.status == 200

    asyncio.run(scenario())


def test_bytes_that_come_one_by_one(server: ServerProcess) -> None:
    """With the length in the head; empty lines have no answer, and CRLF ends a line, too."""
    body = b"\n \r\n" + line_of("bytes", 1).replace(b"\n", b"\r\n") + b"\n" + line_of("bytes", 2)
    with LineSender(server.port, length=len(body)) as sender:
        for byte in body:
            sender.send_raw(bytes([byte]))
        assert [answer["seq"] for answer in sender.rest()] == [1, 2]


def send_until_blocked(sender: LineSender, piece: bytes) -> int:
    """Send a piece again and again until the server takes no more, and return how often it took all of it."""
    for sent in range(40_000):
        try:
            sender.send(piece)
        except TimeoutError:
            return sent
    raise AssertionError("The server takes everything.")


BAD_LINES = [
    b"{",
    b"[]",
    b"{}",
    b"null",
    b'"text"',
    b'{"client_id": "x", "event_name": "n", "data": NaN}',
    b'{"client_id": "x", "event_name": "n", "data": 1e999}',
    b'\xff{"client_id": "x"}',
    b"[" * 100_000,
    json.dumps({"client_id": "x", "event_name": "n", "data": json.loads("[" * 80 + "]" * 80)}).encode(),
    b'{"event_name": "n", "data": 1}',
    b'{"client_id": " ", "event_name": "n", "data": 1}',
    b'{"client_id": 7, "event_name": "", "data": 1}',
    b'{"client_id": "x", "event_name": "connect", "data": 1}',
    b'{"client_id": "x", "event_name": null, "data": 1}',
    b'{"client_id": "x", "event_name": "n"}',
    b'{"client_id": "x", "event_name": "n", "data": 1, "idempotency_key": ""}',
    b'{"client_id": "x", "event_name": "n", "data": 1, "idempotency_key": 5}',
    b'{"client_id": "x", "event_name": "n", "data": 1, "idempotency_key": "' + b"k" * 129 + b'"}',
    b'{"client_id": "x\\u0000", "event_name": "n", "data": 1}',
    b'{"client_id": "\\ud800", "event_name": "n", "data": 1}',
    b'{"client_id": "x", "event_name": "n", "data": 1, "idempotency_key": null, "more": 1}',
]


def test_a_bad_line_has_the_error_of_a_single_request(server: ServerProcess) -> None:
    """To the letter, with its status; the lines behind it go on."""
    with LineSender(server.port) as sender:
        for number, line in enumerate(BAD_LINES):
            sender.send(line + b"\n" + line_of("good", number))
            answer, following = sender.answers(2)
            single = requests.post(
                server.url + SINGLE_URL,
                data=line,
                headers={"Content-Type": "application/json"},
                timeout=PATIENCE_SECONDS,
            )
            expected = {name: value for name, value in single.json().items() if name not in IGNORED}
            assert {name: value for name, value in answer.items() if name not in IGNORED} == expected
            assert answer["http_status"] == single.status_code
            assert answer["status"] == ("success" if single.ok else "error")
            assert following["seq"] == number + 1
        assert sender.end() == []


def test_keys_are_those_of_single_requests(server: ServerProcess) -> None:
    """An update is sent once, whichever way it comes."""
    update = {"client_id": "keys", "event_name": "n", "data": 1, "idempotency_key": "one-key"}
    single = requests.post(server.url + SINGLE_URL, json=update, timeout=PATIENCE_SECONDS).json()
    same, other, conflict = lines_of(
        post(
            server.url,
            line_of("keys", 1, idempotency_key="one-key")
            + line_of("keys", 2, idempotency_key="another-key")
            + line_of("keys", 3, idempotency_key="one-key"),
        )
    )
    assert (same["seq"], same["epoch"], same["duplicate"]) == (single["seq"], single["epoch"], True)
    assert (other["seq"], other["duplicate"]) == (single["seq"] + 1, False)
    assert (conflict["error_code"], conflict["http_status"]) == ("ASF_IDEMPOTENCY_CONFLICT", 409)


def test_a_line_that_is_too_long_is_answered_before_its_end(server: ServerProcess) -> None:
    """It need not be received; the longest that is accepted is as long as a body."""
    longest = line_of("long", "")
    longest = line_of("long", "x" * (MAX_LINE_BYTES - len(longest) + 1))
    assert len(longest.rstrip()) == MAX_LINE_BYTES
    with LineSender(server.port) as sender:
        sender.send(longest)
        assert sender.answer()["seq"] == 1
        sender.send(b"x" * (MAX_LINE_BYTES + 1))
        answer = sender.answer()
        assert (answer["error_code"], answer["http_status"]) == ("ASF_PAYLOAD_TOO_LARGE", 413)
        sender.send(b"rest\n" + line_of("long", 2))
        assert sender.answer()["seq"] == 2


def test_many_lines_in_one_packet_hold_up_nobody(server: ServerProcess) -> None:
    """Others have their turns meanwhile."""
    body = b"".join(line_of(f"packet-{number % 50}", "x" * 100) for number in range(8000))
    with bystander(server) as other, LineSender(server.port) as sender:
        before = other.answers
        received: list[dict[str, Any]] = []

        async def scenario() -> None:
            sending = asyncio.to_thread(sender.send, body)
            receiving = asyncio.to_thread(lambda: received.extend(sender.answers(8000)))
            await asyncio.gather(sending, receiving)

        asyncio.run(scenario())
        assert other.answers - before >= MIN_ANSWERS
    assert [answer["seq"] for answer in received] == [number // 50 + 1 for number in range(8000)]


def test_a_sender_that_reads_no_answers_is_read_no_further(start_server: StartServer) -> None:
    """It costs no memory; when it reads, all is there."""
    server = start_server({"ASF_UI_HISTORY_SIZE": "1"})
    with LineSender(server.port) as sender:
        sender.send(line_of("silent", 0))
        eventually(lambda: 'asf_ui_updates_total{outcome="no_subscriber"} 1.0' in server.metrics())
        before = server.memory()
        sender.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
        sender.socket.settimeout(HUNG_SECONDS)
        sent = send_until_blocked(sender, b"1\n" * 8000)  # The shortest lines, with the longest answers.
        assert server.memory() - before < 8 * 1024 * 1024
        sender.socket.settimeout(PATIENCE_SECONDS)
        answers = sender.answers(1 + sent * 8000)
        assert answers[0]["seq"] == 1
        assert {answer["error_code"] for answer in answers[1:]} == {"ASF_SENDUI_INVALID_PAYLOAD"}


def test_a_line_that_is_cut_is_not_published(server: ServerProcess) -> None:
    """Those before it are."""
    with LineSender(server.port) as sender:
        sender.send(line_of("cut", 1))
        sender.answer()
        sender.send(line_of("cut", 2) + line_of("cut", 3)[:-1])
        sender.answer()
        sender.reset()
    with LineSender(server.port) as sender:
        sender.send_raw(b"100000\r\n" + line_of("cut", 4) + line_of("cut", 5)[:-1])
        sender.answer()
        sender.socket.shutdown(socket.SHUT_WR)
        (closing,) = sender.rest()
        assert (closing["status"], closing["error_code"]) == ("closed", "ASF_BAD_REQUEST")
    assert recovered(server, "cut") == [1, 2, 4]


def test_a_body_that_is_not_http(server: ServerProcess) -> None:
    """What came before counts; the last line says so."""
    with LineSender(server.port) as sender:
        sender.send(line_of("framing", 1))
        sender.send_raw(b"nonsense\r\n")
        answer, closing = sender.rest()
        assert answer["seq"] == 1
        assert (closing["status"], closing["http_status"]) == ("closed", 400)
        assert "hexadecimal" in closing["details"]


def test_a_server_that_shuts_down_says_so(tmp_path: Path) -> None:
    """In a last line, when what it has received is answered; a new request is rejected, a single one is not."""
    server = ServerProcess(tmp_path, {"ASF_DRAIN_SECONDS": "3600"})
    server.announce("s", b"x" * 10_000_000)
    with requests.get(server.stream_url("s"), stream=True, timeout=PATIENCE_SECONDS) as listener:
        listener.raw.read(1)
        with LineSender(server.port) as sender:
            sender.send(line_of("drain", 1) + line_of("drain", 2)[:-1])
            assert sender.answer()["seq"] == 1
            server.process.terminate()
            (closing,) = sender.rest()
            assert (closing["status"], closing["error_code"], closing["http_status"]) == (
                "closed",
                "ASF_DRAINING",
                503,
            )
        rejected = post(server.url, line_of("drain", 2))
        assert (rejected.status_code, rejected.json()["error_code"]) == (503, "ASF_DRAINING")
        assert server.send_ui_update("drain", "n", 2).json()["seq"] == 2
    assert server.wait() == 0


def test_silence_ends_the_request(start_server: StartServer) -> None:
    """After ASF_KEEPALIVE_SECONDS, which an empty line extends."""
    server = start_server({"ASF_KEEPALIVE_SECONDS": "1"})
    with LineSender(server.port) as sender:
        sender.send(line_of("idle", 1) + b"{")
        answer, closing = sender.rest()
        assert answer["seq"] == 1
        assert (closing["status"], closing["error_code"], closing["http_status"]) == (
            "closed",
            "ASF_REQUEST_TIMEOUT",
            408,
        )


def test_http_1_0(server: ServerProcess) -> None:
    """The end of the connection ends the response."""
    body = line_of("old", 1) + line_of("old", 2)
    with LineSender(server.port, length=len(body), version="1.0") as sender:
        sender.send_raw(body)
        assert [answer["seq"] for answer in sender.rest()] == [1, 2]
        assert "Transfer-Encoding" not in sender.response.headers


def test_a_client_that_waits_to_be_asked(server: ServerProcess) -> None:
    """Expect: 100-continue."""
    with LineSender(server.port, headers={"Expect": "100-continue"}) as sender:
        assert sender.socket.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
        sender.send(line_of("asked", 1))
        assert sender.answer()["seq"] == 1


def test_another_request_follows_on_the_same_connection(server: ServerProcess) -> None:
    """When the body has ended well."""
    with requests.Session() as session:
        for number in range(3):
            response = session.post(
                server.url + URL,
                data=line_of("again", number),
                headers={"Content-Type": NDJSON},
                timeout=PATIENCE_SECONDS,
            )
            assert lines_of(response)[0]["seq"] == number + 1
            assert response.headers["Connection"] == "keep-alive"


def test_who_may_send_lines(start_server: StartServer) -> None:
    """Who may send single updates; nothing of the body is read before. A compressed one is rejected."""
    server = start_server({"ASF_INTERNAL_API_TOKEN": TOKEN, "ASF_INTERNAL_TRUSTED_NETWORKS": "none"})
    with LineSender(server.port) as sender:
        assert sender.response.status == 401
        assert json.loads(sender.response.read())["error_code"] == "ASF_UNAUTHORIZED"
    for header in ({"Authorization": "Bearer wrong"}, {}):
        for url in (URL, SINGLE_URL):
            headers = {"Content-Type": NDJSON if url == URL else "application/json"} | header
            response = requests.post(server.url + url, data=b"{}", headers=headers, timeout=PATIENCE_SECONDS)
            assert (response.status_code, response.headers["WWW-Authenticate"]) == (401, 'Bearer realm="ASF"')
    allowed = {"Authorization": f"Bearer {TOKEN}"}
    assert lines_of(post(server.url, line_of("a", 1), **allowed))[0]["seq"] == 1
    packed = post(server.url, b"", **allowed, **{"Content-Encoding": "gzip"})
    assert (packed.status_code, packed.json()["error_code"]) == (415, "ASF_UNSUPPORTED_MEDIA_TYPE")


def test_a_connection_over_the_limit(start_server: StartServer) -> None:
    """It may send single updates, but not stay."""
    server = start_server({"ASF_MAX_CONNECTIONS_PER_IP": "2"})
    with LineSender(server.port) as sender, LineSender(server.port) as other:
        for seq, one in enumerate((sender, other), 1):
            one.send(line_of("limit", 1))
            assert one.answer()["seq"] == seq
        rejected = post(server.url, line_of("limit", 2))
        assert (rejected.status_code, rejected.json()["error_code"]) == (429, "ASF_RATE_LIMITED")
        assert server.send_ui_update("limit", "n", 2).json()["seq"] == 3


def test_without_redis_each_line_says_so(start_server: StartServer, mortal_redis: RedisServer) -> None:
    """And those that follow are published when it is back."""
    server = start_server({"ASF_REDIS_URL": mortal_redis.url})
    with LineSender(server.port) as sender:
        sender.send(line_of("redis", 1))
        assert sender.answer()["seq"] == 1
        mortal_redis.kill()
        sender.send(line_of("redis", 2) + b"{}\n")
        failed, invalid = sender.answers(2)
        assert (failed["error_code"], failed["http_status"]) == ("ASF_SOCKETIO_EMIT_FAILED", 500)
        assert invalid["error_code"] == "ASF_SENDUI_INVALID_PAYLOAD"
        mortal_redis.start()

        def publish() -> bool:
            sender.send(line_of("redis", 3))
            return bool(sender.answer()["status"] == "success")

        eventually(publish)


@pytest.mark.parametrize("program", PROGRAMS)
def test_through_a_proxy(program: str, start_server: StartServer, tmp_path: Path) -> None:
    """One that passes lines on as they come, or one that keeps them until the end: the answers are the same."""
    server = start_server({"ASF_INTERNAL_API_TOKEN": TOKEN})
    proxy = PlainProxy(program, tmp_path / program, server.port)
    try:
        port = int(proxy.url.rsplit(":", 1)[1])
        with LineSender(port, headers={"Authorization": f"Bearer {TOKEN}"}) as sender:
            answers = []
            for number in range(100):
                sender.send(line_of("through", number))
                if program == "haproxy":
                    answers.append(sender.answer())
            answers += sender.end()
            assert [answer["seq"] for answer in answers] == list(range(1, 101))
    finally:
        proxy.stop()
