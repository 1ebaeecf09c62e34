"""The client is a program of its own, and repeats what it shares with the server."""

from asf.adapters.stream_path import STREAM_PATH
from asf.application import announced_size
from asf.client import RequestRefused, RequestRejected, StreamRefused, StreamRejected, calls, conversations, reception
from asf.domain.identifiers import MAX_REASON_CHARACTERS


def test_client_and_server_agree() -> None:
    """On names and limits of the wire contract."""
    assert reception.AUDIO_NAMESPACE == STREAM_PATH
    assert conversations.MAX_REASON_CHARACTERS == MAX_REASON_CHARACTERS
    assert calls.SIZE_SECONDS == announced_size.WAIT_SECONDS


def test_errors_keep_their_earlier_names() -> None:
    """For programs that catch them."""
    assert RequestRefused is RequestRejected
    assert StreamRefused is StreamRejected
