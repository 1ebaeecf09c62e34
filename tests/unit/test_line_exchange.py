"""A request with updates by line as its client sees it, however the connection cuts it into pieces."""

import json
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asf.client import Delivered, RequestRejected, ServerUnreachable
from asf.client.line_address import LineAddress, line_address
from asf.client.line_exchange import LineExchange, LinesEnded, is_final, result_of
from asf.client.line_pace import FAST_UPDATES, UNKNOWN_SECONDS, LinePace

ADDRESS = LineAddress("asf.example", 80, is_secure=False, authority="asf.example", target="/x/send")
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n"
END = b"0\r\n\r\n"
CLOSED = {"status": "closed", "error_code": "ASF_DRAINING", "http_status": 503}


def line(answer: object) -> bytes:
    """Return the line of an answer."""
    return json.dumps(answer).encode() + b"\n"


def chunks(body: bytes, size: int) -> bytes:
    """Return a body in chunks of at most this size."""
    pieces = [body[start : start + size] for start in range(0, len(body), size)]
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)


def received(exchange: LineExchange, data: bytes, cuts: list[int]) -> Iterator[dict[str, Any]]:
    """Yield the answers to an open request, until it ends."""
    exchange.lines([b"{}"])
    places = sorted({0, *(cut % (len(data) + 1) for cut in cuts), len(data)})
    for left, right in pairwise(places):
        yield from exchange.receive(data[left:right])


ANSWERS = st.lists(st.fixed_dictionaries({"seq": st.integers(1, 1000), "message": st.text(max_size=9)}), max_size=8)


@given(ANSWERS, st.integers(1, 60), st.lists(st.integers(0, 2000), max_size=12))
def test_the_answers_are_the_same_whatever_the_pieces(
    answers: list[dict[str, Any]], size: int, cuts: list[int]
) -> None:
    """Each once, in order, and complete."""
    exchange = LineExchange(ADDRESS, None)
    data = HEAD + chunks(b"".join(map(line, answers)), size)
    assert list(received(exchange, data, cuts)) == answers
    assert exchange.answered == len(answers)
    assert exchange.receive(chunks(line({"seq": 0}), size)) == [{"seq": 0}]


ENDS = {
    "closed by the server": chunks(line(CLOSED), 7) + END,
    "the end": END,
    "no HTTP": b"nonsense\r\n",
    "no JSON": chunks(b"<html>\n", 3),
    "no object": chunks(b"[]\n", 3),
}


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
@given(cuts=st.lists(st.integers(0, 400), max_size=6))
def test_what_came_before_the_end_counts(end: bytes, cuts: list[int]) -> None:
    """And nothing that comes behind it."""
    exchange = LineExchange(ADDRESS, None)
    answers: list[dict[str, Any]] = []
    data = HEAD + chunks(line({"seq": 1}) + line({"seq": 2}), 5) + end
    with pytest.raises(LinesEnded):  # noqa: PT012 - wherever the pieces are cut
        answers.extend(received(exchange, data, cuts))
        exchange.receive(b"")
    assert answers == [{"seq": 1}, {"seq": 2}]
    with pytest.raises(LinesEnded):
        exchange.receive(chunks(line({"seq": 3}), 100))


@pytest.mark.parametrize(
    "response",
    [
        b"",
        b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 3\r\n\r\n{}\n",
        b"HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\n\r\n",
        b"nonsense\r\n\r\n",
    ],
)
def test_a_server_that_knows_no_lines(response: bytes) -> None:
    """Its answer is none to an update."""
    exchange = LineExchange(ADDRESS, None)
    exchange.lines([b"{}"])
    with pytest.raises(LinesEnded):
        exchange.receive(response)
    assert exchange.answered == 0


def test_what_is_sent() -> None:
    """The head with the first line, then chunks, then the end: as HTTP's own reader reads them."""
    exchange = LineExchange(ADDRESS, "t0k.en")
    server = h11.Connection(h11.SERVER)
    server.receive_data(exchange.lines([b"1", b"2"]) + exchange.lines([b"3"]) + exchange.end())
    request = server.next_event()
    assert isinstance(request, h11.Request)
    assert (request.method, request.target) == (b"POST", b"/x/send")
    assert {
        (b"host", b"asf.example"),
        (b"content-type", b"application/x-ndjson"),
        (b"transfer-encoding", b"chunked"),
        (b"authorization", b"Bearer t0k.en"),
    } == set(request.headers)
    body = b""
    while isinstance(event := server.next_event(), h11.Data):
        body += event.data
    assert body == b"1\n2\n3\n"
    assert isinstance(event, h11.EndOfMessage)


def test_results() -> None:
    """An error that may pass is no final one."""
    success = {"status": "success", "seq": 1, "epoch": "e", "subscribers": 2, "duplicate": True, "http_status": 200}
    assert result_of(success) == Delivered(1, "e", 2, duplicate=True)
    bad = result_of({"error_code": "ASF_SENDUI_MISSING_DATA", "message": "No.", "http_status": 400})
    assert isinstance(bad, RequestRejected)
    assert (bad.error_code, bad.status, bad.attempt) == ("ASF_SENDUI_MISSING_DATA", 400, 1)
    assert is_final(bad)
    assert not is_final(result_of({"error_code": "ASF_SOCKETIO_EMIT_FAILED", "http_status": 500}))
    with pytest.raises(ServerUnreachable):
        result_of({"status": "success"})


def test_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    """What only the HTTP library knows how to reach has none."""
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    target = "/asf/internal/send_ui_updates"
    expected = {
        "http://127.0.0.1:5006": ("127.0.0.1", 5006, "127.0.0.1:5006", target),
        "https://a.example/b/": ("a.example", 443, "a.example", f"/b{target}"),
        "http://[::1]:80": ("::1", 80, "[::1]:80", target),
    }
    for url, (host, port, authority, path) in expected.items():
        address = LineAddress(host, port, is_secure=url.startswith("https"), authority=authority, target=path)
        assert line_address(url, "t") == address
    for url in ("nonsense", "http://", "http://a:b@c", "ftp://a", "http://a:x", "http://ü.example", "http://a/b c"):
        assert line_address(url, None) is None, url
    assert line_address("http://a", "a\nb") is None
    monkeypatch.setenv("http_proxy", "http://proxy:3128")
    assert line_address("http://a.example", None) is None
    assert line_address("https://a.example", None) is not None
    monkeypatch.setenv("no_proxy", "a.example")
    assert line_address("http://a.example", None) is not None


def test_the_pace() -> None:
    """Ten in a second are fast; not after a failure, for a while, and not for long on a server without lines."""
    pace = LinePace()
    for number in range(FAST_UPDATES):
        assert not pace.is_fast(number / 10)
        pace.note(number / 10)
    assert pace.is_fast(0.9)
    assert not pace.is_fast(1.1)

    def fast_at(now: float) -> bool:
        for _ in range(FAST_UPDATES):
            pace.note(now)
        return pace.is_fast(now)

    pace.failed(2.0)
    assert (fast_at(2.9), fast_at(3.1)) == (False, True)
    pace.failed(4.0)
    assert (fast_at(5.9), fast_at(6.1)) == (False, True)
    pace.answered()
    pace.probed(503, 10.0, is_known=False)
    assert (pace.is_known, fast_at(10.9), fast_at(11.1)) == (False, False, True)
    pace.probed(200, 12.0, is_known=True)
    assert (pace.is_known, fast_at(12.0)) == (True, True)
    pace.probed(404, 20.0, is_known=False)
    assert (fast_at(20.0 + UNKNOWN_SECONDS - 1), fast_at(20.0 + UNKNOWN_SECONDS + 1)) == (False, True)
