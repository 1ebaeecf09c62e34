"""Requests whose connection ends before they do: nothing is done that nobody asked for, whatever the cut leaves."""

import socket
from contextlib import closing

import pytest
import requests

from tests.support.bounds import PATIENCE_SECONDS
from tests.support.fixtures import StartServer
from tests.support.processes import ServerProcess
from tests.support.uploader import head, put

STREAM = "s"


def answer_to(server: ServerProcess, request: bytes) -> bytes:
    """Send bytes, then the end of the connection; return all that comes back."""
    with closing(socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE_SECONDS)) as connection:
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: connection.recv(65536), b""))


def is_rejected(answer: bytes) -> bool:
    """Return whether the server has rejected a request, or closed the connection without a word."""
    return not answer or answer.lower().startswith(b"http/1.1 400 bad request\r\n")


def cuts_of(request: bytes) -> list[bytes]:
    """Return every beginning of a request."""
    return [request[:length] for length in range(len(request))]


def request_of(line: str, *headers: str, body: bytes = b"") -> bytes:
    """Return a request. Those headers that matter most come last, where a cut loses them."""
    return "\r\n".join([line + " HTTP/1.1", "Host: localhost", *headers, "", ""]).encode() + body


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        (["Upload-Complete: ?0", "Content-Length: 4"], b"0123"),
        (["Content-Length: 4", "Upload-Complete: ?0"], b"0123"),
        (["Upload-Complete: ?0", "Transfer-Encoding: chunked"], b"0004\r\n0123\r\n0000\r\n\r\n"),
        (["Transfer-Encoding: chunked", "Upload-Complete: ?0"], b"0004\r\n0123\r\n0000\r\n\r\n"),
    ],
)
def test_an_upload_is_completed_only_by_a_request_that_says_so(
    start_server: StartServer, headers: list[str], body: bytes
) -> None:
    """Without its last lines, the head of a request that lets more follow reads like one that completes the audio."""
    server = start_server({})
    put(server.url, STREAM, b"start", Upload_Complete="?0").raise_for_status()
    for cut in cuts_of(request_of(f"PATCH /asf/internal/streams/{STREAM}/audio", "Upload-Offset: 5", *headers)):
        assert is_rejected(answer_to(server, cut)), cut
        found = head(server.url, STREAM).headers
        assert (found["Upload-Offset"], found["Upload-Complete"]) == ("5", "?0"), cut
    for cut in cuts_of(body):
        found = head(server.url, STREAM).headers
        request = request_of(
            f"PATCH /asf/internal/streams/{STREAM}/audio", f"Upload-Offset: {found['Upload-Offset']}", *headers
        )
        assert is_rejected(answer_to(server, request + cut)), cut
        assert head(server.url, STREAM).headers["Upload-Complete"] == "?0", cut


@pytest.mark.parametrize("framing", ["Content-Length: {length}", "Transfer-Encoding: chunked"])
def test_nothing_is_announced_by_half_a_request(server: ServerProcess, framing: str) -> None:
    """Neither by the head alone nor by a body without its end."""
    text = b'{"stream_id": "half", "filepath": "%s"}' % str(server.audio_root / "a.mp3").encode()
    body = text if "length" in framing else b"%04x\r\n%s\r\n0000\r\n\r\n" % (len(text), text)
    request = request_of(
        "POST /asf/internal/notify_new_audio",
        "Content-Type: application/json",
        framing.format(length=len(text)),
        body=body,
    )
    for cut in cuts_of(request):
        assert is_rejected(answer_to(server, cut)), cut
    url = f"{server.url}/asf/internal/streams/half"
    assert requests.get(url, timeout=PATIENCE_SECONDS).status_code == 404


def test_nothing_is_deleted_by_half_a_request(server: ServerProcess) -> None:
    """It has no body: its head is all there is."""
    server.announce("kept", b"audio")
    for cut in cuts_of(request_of("DELETE /asf/internal/streams/kept", 'If-Match: "other"')):
        assert is_rejected(answer_to(server, cut)), cut
    assert requests.get(server.stream_url("kept"), timeout=PATIENCE_SECONDS).content == b"audio"
