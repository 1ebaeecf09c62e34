"""`asf status`: what an operator sees in a terminal, and does there."""

import json
import re
from contextlib import closing

import pytest
import requests

from tests.integration.test_operations import HttpListener, sessions, subscribe
from tests.support.bounds import PATIENCE_SECONDS
from tests.support.command_line import asf
from tests.support.engineio_wire import join
from tests.support.fixtures import StartServer, audio_of
from tests.support.processes import ServerProcess, eventually
from tests.support.secret_values import API_TOKEN, SECRET_KEY

LONGEST = "x" * 255


def lines_of(*arguments: str, url: str) -> list[str]:
    """Return what a command that succeeds prints."""
    done = asf("status", *arguments, url=url)
    assert done.returncode == 0, done.stderr
    return done.stdout.decode().splitlines()


@pytest.fixture(scope="module")
def playing(server: ServerProcess) -> ServerProcess:
    """Return a server with a long stream."""
    server.announce("long", audio_of(8_000_000))
    return server


def test_the_status_of_a_server(playing: ServerProcess) -> None:
    """Its nodes, the streams with listeners, and why joins were rejected."""
    eventually(lambda: "Nobody listens." in lines_of(url=playing.url))  # Those of other tests have left soon.
    requests.get(playing.stream_url("nowhere"), timeout=PATIENCE_SECONDS)
    with closing(join(playing, "long")), closing(join(playing, LONGEST, wait=True)):
        eventually(lambda: len(sessions(playing)) == 2)
        text = "\n".join(lines_of(url=playing.url))
        assert "LONGEST TURN" in text
        assert "ready" in text
        assert re.search(r"1  ASF_STREAM_NOT_FOUND  latest \d+ s ago  Nobody has announced the stream", text)
        assert "search them for `join rejected`" in text
        (long,) = [line for line in text.splitlines() if line.endswith("  long")]
        assert long.split()[0] == "1"
        assert len(long) < 80, "A long id has widened all lines"
        assert "1 socketio-websocket" in text
        nodes = [json.loads(line) for line in lines_of("--json", url=playing.url)]
        assert sum(node["listeners"] for node in nodes) == 2
        assert {node["state"] for node in nodes} == {"ready"}


def test_who_listens_and_one_is_disconnected(playing: ServerProcess) -> None:
    """By stream, client and address; the id is what disconnects."""
    with closing(HttpListener(playing, "long")), closing(join(playing, "long")), closing(subscribe(playing, "alice")):
        eventually(lambda: len(sessions(playing, stream_id="long")) == 2)
        heading, *rows = lines_of("--stream", "long", url=playing.url)
        assert heading.split()[0] == "SESSION"
        assert len(rows) == 2
        assert "127.0.0.1 (for 203.0.113.9)" in "".join(rows)
        assert len(lines_of("--client", "alice", url=playing.url)) == 2
        (found,) = map(json.loads, lines_of("--address", "203.0.113.9", "--json", url=playing.url))
        done = asf("status", "--disconnect", found["id"], url=playing.url)
        assert done.stdout.decode() == f"Disconnected listener {found['id']} on {found['node']}.\n"
        again = asf("status", "--disconnect", found["id"], url=playing.url)
        assert again.returncode == 1
        assert b"There is no such session." in again.stderr
    nobody = asf("status", "--stream", "other", url=playing.url)
    assert (nobody.returncode, nobody.stdout, nobody.stderr) == (0, b"", b"Nobody.\n")


def test_what_strangers_have_sent_does_not_reach_the_terminal(playing: ServerProcess) -> None:
    """Names are shown escaped."""
    name = "\x1b[2J<b>"
    with closing(join(playing, "waits-\u202e", wait=True)):
        response = requests.get(
            playing.stream_url("long"), headers={"X-Forwarded-For": name}, stream=True, timeout=PATIENCE_SECONDS
        )
        with response:
            eventually(lambda: len(sessions(playing, stream_id="waits-\u202e")) == 1)
            text = "".join(lines_of("--stream", "long", url=playing.url) + lines_of(url=playing.url))
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "waits-\\u202e" in text


def test_status_needs_the_token(start_server: StartServer) -> None:
    """And says where it comes from."""
    server = start_server(
        {"ASF_DEBUG_MODE": "False", "ASF_SECRET_KEY": SECRET_KEY, "ASF_INTERNAL_API_TOKEN": API_TOKEN}
    )
    refused = asf("status", url=server.url)
    assert refused.returncode == 1
    assert b"ASF_INTERNAL_API_TOKEN" in refused.stderr
    allowed = asf("status", url=server.url, environment={"ASF_INTERNAL_API_TOKEN": API_TOKEN})
    assert allowed.returncode == 0, allowed.stderr


def test_wrong_usage() -> None:
    """One thing at a time."""
    done = asf("status", "--disconnect", "a.1", "--stream", "s")
    assert done.returncode == 2
    assert b"--disconnect takes no other selection." in done.stderr
