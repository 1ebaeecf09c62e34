"""The command line, as a newcomer types it."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from asf import __version__
from asf.client import BackendClient
from tests.support.addresses import needs_ipv6
from tests.support.bounds import COMMAND_SECONDS, STOP_SECONDS
from tests.support.command_line import asf
from tests.support.faults import SHARED_DATABASE, UNAVAILABLE_ADDRESS
from tests.support.fixtures import audio_of
from tests.support.processes import ServerProcess, eventually


def serve(environment: dict[str, str], cwd: Path) -> subprocess.CompletedProcess[bytes]:
    """Run `asf serve`, which cannot start."""
    command = [sys.executable, "-m", "asf", "serve"]
    return subprocess.run(
        command, env=os.environ | environment, cwd=cwd, capture_output=True, timeout=COMMAND_SECONDS, check=False
    )


def test_notify_and_listen_give_the_identical_file(server: ServerProcess, tmp_path: Path) -> None:
    """The first thing that the README shows."""
    audio = audio_of(500_000)
    (server.audio_root / "clip.mp3").write_bytes(audio)
    # A relative path counts from where the command is typed.
    announced = asf("notify", "clip", "clip.mp3", url=server.url, cwd=server.audio_root)
    assert announced.returncode == 0, announced.stderr
    assert b"asf listen clip" in announced.stdout
    heard = asf("listen", "clip", "-o", str(tmp_path / "out.mp3"), url=server.url)
    assert heard.returncode == 0, heard.stderr
    assert (tmp_path / "out.mp3").read_bytes() == audio
    assert b"100%" in heard.stderr
    piped = asf("listen", "clip", "-o", "-", url=server.url)
    assert piped.stdout == audio


def test_listen_prints_cues(server: ServerProcess, tmp_path: Path) -> None:
    """Each is one line of JSON, on standard output unless that has the audio. They cannot control a terminal."""
    audio = audio_of(50_000)
    server.announce("cued", audio)
    cues = [{"id": str(number), "start": number, "text": "ü\x1b[2J\x9b\n"} for number in range(3)]
    with BackendClient(server.url) as backend:
        backend.add_cues("cued", cues)
    printed = asf("listen", "cued", "--cues", "-o", str(tmp_path / "out.mp3"), url=server.url)
    assert (printed.returncode, (tmp_path / "out.mp3").read_bytes()) == (0, audio)
    assert [json.loads(line) for line in printed.stdout.splitlines()] == cues
    assert "ü" in printed.stdout.decode()
    assert b"\x1b" not in printed.stdout
    piped = asf("listen", "cued", "--cues", "-o", "-", url=server.url)
    assert piped.stdout == audio
    lines = [line for line in piped.stderr.decode().splitlines() if line.startswith("{")]
    assert [json.loads(line) for line in lines] == cues
    assert asf("listen", "cued", url=server.url).stdout == b""


def test_push_reaches_watch(server: ServerProcess) -> None:
    """Each update is one line of JSON."""
    command = [sys.executable, "-u", "-m", "asf", "watch", "alice", "-n", "2", "--url", server.url]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as watching:
        assert watching.stderr is not None
        assert "Watching alice" in watching.stderr.readline()
        for data in ('{"percentage": 50, "step": "Grüße"}', "null"):
            pushed = asf("push", "alice", "progress", data, url=server.url)
            assert (pushed.returncode, pushed.stdout) == (0, b"Sent to 1 subscriber(s) of alice.\n")
        output, _ = watching.communicate(timeout=COMMAND_SECONDS)
    assert watching.returncode == 0
    assert [json.loads(line) for line in output.splitlines()] == [
        {"event": "progress", "data": {"percentage": 50, "step": "Grüße"}, "seq": 1},
        {"event": "progress", "data": None, "seq": 2},
    ]


def test_errors_are_one_readable_line(server: ServerProcess, tmp_path: Path) -> None:
    """With exit code 1, and never a traceback."""
    nowhere = "http://127.0.0.1:9"
    unreachable = b": Connection refused.\nIs the server running (asf serve)? Is the address right (--url)?\n"
    attempts = [
        (("listen", "unknown"), server.url, b"(ASF_STREAM_NOT_FOUND)\nTo wait until it is announced, add --wait.\n"),
        (("notify", "s", "/etc/passwd"), server.url, b"ASF_NOTIFY_INVALID_FILEPATH"),
        (("notify", " ", "x.mp3"), server.url, b"ASF_NOTIFY_INVALID_STREAM_ID"),
        (("push", "alice", "connect", "1"), server.url, b"ASF_SENDUI_INVALID_EVENT_NAME"),
        (("watch", "x" * 256), server.url, b"ASF_SUBSCRIBE_INVALID_PAYLOAD"),
        (("listen", "s"), nowhere, unreachable),
        (("notify", "s", "x.mp3"), nowhere, unreachable),
        (("push", "a", "e", "1"), nowhere, unreachable),
        (("watch", "a"), nowhere, unreachable),
        (("watch", "a", "--namespace", "/nowhere"), server.url, b"No ASF server responded"),
    ]
    for arguments, url, expected in attempts:
        result = asf(*arguments, url=url, cwd=tmp_path)
        assert result.returncode == 1, (arguments, result)
        assert expected in result.stderr
        assert result.stderr.startswith(b"Error: ")
        assert result.stderr.count(b"\n") <= 2  # the second one is advice


def test_wrong_usage_has_an_exit_code_of_its_own(server: ServerProcess) -> None:
    """As usual on a command line."""
    for arguments in (("push", "alice", "e", "not json"), ("listen",), ("nonsense",), ("watch", "a", "-n", "0")):
        result = asf(*arguments, url=server.url)
        assert result.returncode == 2
        assert b"Traceback" not in result.stderr


def test_a_full_disk_is_reported(server: ServerProcess) -> None:
    """Writing may fail on the listener's own side."""
    server.announce("full", audio_of(100_000))
    result = asf("listen", "full", "-o", "/dev/full", url=server.url)
    assert result.returncode == 1
    assert b"No space left" in result.stderr
    assert b"Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("end", "said"),
    [(ServerProcess.kill, b"connection to ASF was lost"), (ServerProcess.stop, b"ASF_DRAINING")],
    ids=["killed", "stopped"],
)
def test_a_server_that_stops_is_reported(tmp_path: Path, end: Callable[[ServerProcess], object], said: bytes) -> None:
    """In the middle of a stream."""
    server = ServerProcess(tmp_path)
    server.announce("s", audio_of(20_000_000))
    command = [
        sys.executable,
        "-m",
        "asf",
        "listen",
        "s",
        "-o",
        str(tmp_path / "out"),
        "--patience",
        "0",
        "--url",
        server.url,
    ]
    with subprocess.Popen(command, stderr=subprocess.PIPE) as listening:
        eventually(lambda: (tmp_path / "out").exists() and (tmp_path / "out").stat().st_size > 0)
        end(server)
        _, stderr = listening.communicate(timeout=COMMAND_SECONDS)
    assert listening.returncode == 1
    assert said in stderr


def test_help_and_version() -> None:
    """Every command has help, with examples."""
    assert __version__.encode() in asf("--version").stdout
    listing = asf("--help").stdout.decode()
    commands = re.findall(r"^  (\w+)  ", listing.split("Commands:")[1], re.MULTILINE)
    assert {"serve", "doctor", "demo", "notify", "listen", "push", "watch", "streams"} <= set(commands)
    for command in commands:
        result = asf(command, "--help")
        assert result.returncode == 0
        assert re.search(rb"\n  Examples?:\n    \S", result.stdout), "an example on a line of its own"
    assert b"Exit codes: 0 " in asf("--help").stdout


def test_bad_settings_stop_the_start_with_a_line_each(tmp_path: Path) -> None:
    """From the environment and from .env."""
    (tmp_path / ".env").write_text("ASF_CHUNK_SIZE=0\n")
    result = serve({"ASF_PORT": "none"}, tmp_path)
    assert result.returncode == 2
    lines = result.stderr.decode().splitlines()
    assert sorted(line.split()[0] for line in lines) == ["ASF_CHUNK_SIZE", "ASF_PORT"]


def test_variables_that_are_no_settings_are_warned_of(tmp_path: Path) -> None:
    """At the start, once. Among those that Kubernetes sets the server starts, on the port in .env."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    (tmp_path / ".env").write_text(f"ASF_PORT={port}\nASF_PROT=7\n")
    links = {"ASF_PORT": "tcp://10.96.0.17:5006", "ASF_SERVICE_HOST": "10.96.0.17", "ASF_SERVICE_PORT": "5006"}
    server = ServerProcess(tmp_path, links)
    assert server.port == port
    said = [line for line in server.log if "is ignored" in line]
    assert len(said) == 1
    assert "ASF_PROT is not a setting and is ignored. Did you mean ASF_PORT?" in said[0]
    health = asf("health", cwd=tmp_path, environment=links | {"ASF_HOST": "127.0.0.1"})
    assert (health.returncode, health.stdout.decode()) == (0, f"{server.url} is ok (ASF {__version__})\n"), (
        health.stderr
    )
    assert server.stop() == 0


@SHARED_DATABASE
def test_a_second_server_on_one_database_is_refused(tmp_path: Path) -> None:
    """With one line that names the first one. After a kill the database is free again."""
    server = ServerProcess(tmp_path)
    result = serve({"ASF_HOST": "127.0.0.1", "ASF_PORT": "0"}, tmp_path)
    assert result.returncode == 2
    _version, line = result.stderr.decode().splitlines()
    assert line.startswith(f"ASF_DATABASE './var/asf.sqlite3' is in use by another server (process {server.pid} on ")
    doctor = asf("doctor", cwd=tmp_path, environment={"ASF_PORT": "0", "ASF_AUDIO_ROOTS": "audio"})
    assert (doctor.returncode, b"is in use by another server" in doctor.stdout) == (1, True), doctor.stdout
    own = {"ASF_HOST": "127.0.0.1", "ASF_PORT": str(server.port), "ASF_AUDIO_ROOTS": "audio"}
    assert b"is in use by another server" not in asf("doctor", cwd=tmp_path, environment=own).stdout
    server.kill()
    assert ServerProcess(tmp_path).stop() == 0


@UNAVAILABLE_ADDRESS
def test_a_port_in_use_is_reported(server: ServerProcess, tmp_path: Path) -> None:
    """Rather than shared silently."""
    port = server.url.rsplit(":", 1)[1]
    result = serve({"ASF_HOST": "127.0.0.1", "ASF_PORT": port}, tmp_path)
    assert result.returncode == 1
    line = result.stderr.decode().splitlines()[-1]
    assert line.startswith(
        f"Error: Port {port} on 127.0.0.1 is in use (ASF_PORT). Stop the other program or set another"
    )
    assert b"Errno" not in result.stderr
    assert b"Traceback" not in result.stderr


@UNAVAILABLE_ADDRESS
def test_a_host_that_does_not_exist_is_reported(tmp_path: Path) -> None:
    """A typing error in ASF_HOST."""
    for host in ("no.such.host.invalid", "300.1.1.1"):
        result = serve({"ASF_HOST": host, "ASF_PORT": "0"}, tmp_path)
        assert result.returncode == 1
        assert f"Error: ASF_HOST '{host}' cannot be resolved: " in result.stderr.decode().splitlines()[-1]
        assert b"Errno" not in result.stderr
        assert b"Traceback" not in result.stderr


@UNAVAILABLE_ADDRESS
@needs_ipv6
def test_localhost_is_reached_by_both_of_its_addresses(tmp_path: Path) -> None:
    """On one port. `asf health` finds it as well."""
    server = ServerProcess(tmp_path, {"ASF_HOST": "localhost"})
    assert server.url.startswith("http://127.0.0.1:")
    for host in ("127.0.0.1", "[::1]"):
        health = asf("health", "--url", f"http://{host}:{server.port}")
        assert health.returncode == 0, health.stderr
    own = asf("health", environment={"ASF_HOST": "localhost", "ASF_PORT": str(server.port)})
    assert own.returncode == 0, own.stderr
    assert server.stop() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_server_at_once(tmp_path: Path, number: signal.Signals) -> None:
    """With listeners or without, exit code 0, and the port is free again."""
    server = ServerProcess(tmp_path, {"ASF_DRAIN_SECONDS": "3600"})
    port = int(server.url.rsplit(":", 1)[1])
    with socket.create_connection(("127.0.0.1", port)):  # It is still there when the server has ended.
        server.process.send_signal(number)
        assert server.process.wait(STOP_SECONDS) == 0
    with socket.create_server(("127.0.0.1", port)):
        pass
    server.stop()
