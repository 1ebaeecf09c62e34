"""The tools of the command line, on a real server: what they do, and how they fail."""

import fcntl
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from asf import __version__
from asf.client.reception import WINDOW_BYTES
from tests.support.bounds import COMMAND_SECONDS, PONG_SECONDS
from tests.support.command_line import asf
from tests.support.fixtures import StartServer, audio_of
from tests.support.frames import mp3_of
from tests.support.processes import ServerProcess, eventually
from tests.support.scripted_server import ScriptedServer

ROOT = Path(__file__).parents[2]
CLIP = ROOT / "demo" / "welcome.mp3"
NOWHERE = "http://127.0.0.1:9"


def start(*arguments: str, url: str, stdout: int = subprocess.PIPE) -> "subprocess.Popen[bytes]":
    """Start a command that runs for a while."""
    command = [sys.executable, "-u", "-m", "asf", *arguments, "--url", url]
    return subprocess.Popen(command, stdout=stdout, stderr=subprocess.PIPE)


def bytes_sent(server: ServerProcess) -> float:
    """Return how many bytes of audio the server has sent."""
    lines = server.metrics().splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith("asf_audio_bytes_sent_total "))


@pytest.mark.parametrize("listeners", [3])
def test_a_slow_player_behind_a_pipe_gets_every_byte_once(start_server: StartServer, listeners: int) -> None:
    """However long it reads nothing: pings are answered meanwhile, and the server sends no more than the window."""
    settings = {"TEST_PING_SECONDS": "0.5", "TEST_PONG_SECONDS": str(PONG_SECONDS)}
    server = start_server(
        settings | {"ASF_STREAM_SLEEP_INTERVAL": "0", "ASF_SLOW_LISTENER_SECONDS": str(PONG_SECONDS)}, observed=True
    )
    audio = audio_of(3 * WINDOW_BYTES)
    server.announce("s", audio)
    players = [start("listen", "s", "-o", "-", url=server.url) for _ in range(listeners)]
    try:
        for player in players:
            assert player.stdout is not None
            fcntl.fcntl(player.stdout, fcntl.F_SETPIPE_SZ, 4096)
        eventually(lambda: bytes_sent(server) == listeners * WINDOW_BYTES)
        pings, began = server.pings(), time.monotonic()
        eventually(lambda: server.pings() > pings + 3 * listeners and time.monotonic() > began + 2 * PONG_SECONDS)
        assert bytes_sent(server) == listeners * WINDOW_BYTES
        for player in players:
            heard, stderr = player.communicate(timeout=COMMAND_SECONDS)
            assert player.returncode == 0, stderr
            assert heard == audio
    finally:
        for player in players:
            player.kill()
            player.communicate(timeout=COMMAND_SECONDS)
    assert f"asf_joins_total {float(listeners)}" in server.metrics()


def test_a_demo_is_heard_and_watched_while_it_is_made(start_server: StartServer) -> None:
    """A listener that joined before gets the clip's bytes; the client gets all progress, in order."""
    server = start_server()
    folder = server.audio_root.parent
    # The secrets of the server are not needed, as in a container of a trial.
    audio_roots = {"ASF_AUDIO_ROOTS": str(server.audio_root), "ASF_DEBUG_MODE": "False"}
    listening = start("listen", "demo", "--wait", "-o", str(folder / "out.mp3"), url=server.url)
    watching = start("watch", "demo", url=server.url)
    try:
        assert watching.stderr is not None
        assert b"Watching demo" in watching.stderr.readline()
        eventually(lambda: "asf_listeners 1.0" in server.metrics())
        made = asf("demo", "--pace", "20", url=server.url, cwd=folder, environment=audio_roots)
        assert made.returncode == 0, made.stderr
        text = made.stdout.decode()
        assert f"{server.url}/api/v1/podcasts/stream/demo" in text
        assert f"asf listen demo -o - --url {server.url} | ffplay -" in text
        assert f"asf watch demo --url {server.url}" in text
        assert f"complete: {server.audio_root / 'demo.mp3'}" in text
        assert b"Speaking" in made.stderr
        assert b"100 %" in made.stderr

        updates = []
        assert watching.stdout is not None
        for line in watching.stdout:
            updates.append(json.loads(line))
            if updates[-1]["event"] != "generation_progress":
                break
        assert [update["seq"] for update in updates] == list(range(1, len(updates) + 1))
        completed = updates.pop()
        assert completed["event"] == "task_completed"
        assert completed["data"] == {"stream_id": "demo", "total_bytes": CLIP.stat().st_size}
        percentages = [update["data"]["percentage"] for update in updates]
        assert percentages == sorted(percentages)
        assert (percentages[0], percentages[-1], len(percentages) > 10) == (0, 100, True)
        assert all(update["data"]["step"] for update in updates)

        _, stderr = listening.communicate(timeout=COMMAND_SECONDS)
        assert listening.returncode == 0, stderr
        assert (folder / "out.mp3").read_bytes() == CLIP.read_bytes()
        again = asf("demo", "--pace", "1000", "--audio-root", str(server.audio_root), url=server.url)
        assert again.returncode == 0, again.stderr
    finally:
        for process in (listening, watching):
            process.kill()
            process.communicate(timeout=COMMAND_SECONDS)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_demo_that_is_interrupted_is_a_failed_one(start_server: StartServer, number: signal.Signals) -> None:
    """The stream fails for its listeners; the exit code is that of the signal."""
    server = start_server()
    making = start("demo", "stopped", "--audio-root", str(server.audio_root), url=server.url)
    try:
        eventually((server.audio_root / "stopped.mp3").exists)
        making.send_signal(number)
        _, stderr = making.communicate(timeout=COMMAND_SECONDS)
    finally:
        making.kill()
        making.communicate(timeout=COMMAND_SECONDS)
    assert making.returncode == 128 + number
    assert b"Traceback" not in stderr
    listed = asf("streams", "stopped", "--json", url=server.url)
    assert json.loads(listed.stdout)["state"] == "failed"


def test_streams_are_listed_and_deleted(start_server: StartServer) -> None:
    """As a table and as JSON; none at first."""
    server = start_server()
    none = asf("streams", url=server.url)
    assert (none.returncode, none.stdout) == (0, b"")
    assert b"No streams yet" in none.stderr
    path = str(server.audio_root / "a\x1b[2J.mp3")
    absent = asf("notify", "talk", path, "--metadata", '{"n": 1}', url=server.url)
    assert absent.returncode == 0
    assert b"does not exist on this machine" in absent.stderr
    assert asf("notify", "große€", path, "--state", "generating", url=server.url).returncode == 0
    assert asf("notify", "große€", "--state", "failed", "--reason", "No voice.", url=server.url).returncode == 0
    shown = asf("streams", url=server.url)
    assert shown.returncode == 0
    heading, first, second = shown.stdout.decode().splitlines()
    assert heading.split() == ["STREAM", "STATE", "TYPE", "ANNOUNCED", "FILE"]
    assert re.fullmatch(r"große€  failed    -     \d{4}-\d\d-\d\d \d\d:\d\d:\d\d  /.*/a\\x1b\[2J\.mp3", first), first
    assert second.startswith("talk    complete  -")
    as_json = [json.loads(line) for line in asf("streams", "--json", url=server.url).stdout.splitlines()]
    assert [stream["stream_id"] for stream in as_json] == ["große€", "talk"]
    assert (as_json[0]["reason"], as_json[1]["metadata"]) == ("No voice.", {"n": 1})
    latin = asf("streams", url=server.url, environment={"PYTHONIOENCODING": "latin-1"})
    assert (latin.returncode, b"gro\xdfe\\u20ac" in latin.stdout) == (0, True), latin.stderr
    assert asf("streams", "große€", "--delete", url=server.url).returncode == 0
    gone = asf("streams", "große€", url=server.url)
    assert (gone.returncode, b"ASF_STREAM_NOT_FOUND" in gone.stderr) == (1, True)


def test_a_push_with_a_key_is_sent_once(server: ServerProcess) -> None:
    """The second time is reported as a repeat."""
    first = asf("push", "keyed", "e", "1", "--idempotency-key", "k", url=server.url)
    again = asf("push", "keyed", "e", "1", "--idempotency-key", "k", url=server.url)
    assert first.stdout == b"Sent to 0 subscriber(s) of keyed.\n"
    assert again.stdout == b"Already sent, as update 1 of keyed.\n"


def test_the_token_is_sent() -> None:
    """From the option and from the environment."""
    announced = {"stream_id": "s", "state": "complete", "epoch": "e"}
    with ScriptedServer((200, announced)) as scripted:
        assert asf("notify", "s", "queue:talk", "--token", "one", url=scripted.url).returncode == 0
        environment = {"ASF_INTERNAL_API_TOKEN": "two"}
        sized = ("notify", "s", "s3://b/k.mp3", "--total-bytes", "0")
        assert asf(*sized, url=scripted.url, environment=environment).returncode == 0
    assert [one["headers"]["Authorization"] for one in scripted.requests] == ["Bearer one", "Bearer two"]
    assert [one["body"]["filepath"] for one in scripted.requests] == ["queue:talk", "s3://b/k.mp3"]
    assert [one["body"].get("total_bytes") for one in scripted.requests] == [None, 0]


def failures(server: str, folder: Path) -> list[tuple[tuple[str, ...], str, bytes]]:
    """Return commands that fail, with the server's URL and the expected message."""
    root = ("--audio-root", str(folder))
    return [
        (("demo", *root), NOWHERE, b"Is the server running"),
        (("demo", *root), server, b"ASF_NOTIFY_INVALID_FILEPATH"),
        (("demo", "--clip", str(folder / "missing.mp3"), *root), server, b"missing.mp3: No such file"),
        (("demo", "--clip", "/proc/self/mem", *root), server, b"Input/output error"),
        (("streams",), NOWHERE, b"No ASF server responded"),
        (("streams", "unknown"), server, b"ASF_STREAM_NOT_FOUND"),
        (("streams", "unknown", "--delete"), server, b"ASF_STREAM_NOT_FOUND"),
        (("notify", "unknown", "--state", "failed"), server, b"ASF_NOTIFY_INVALID_FILEPATH"),
        (("notify", "s", "audio/x.mp3", "--content-type", "video/mp4"), server, b"ASF_NOTIFY_INVALID_FIELD"),
        (("push", "s", "e", "1", "--idempotency-key", "k" * 129), server, b"ASF_SENDUI_INVALID_IDEMPOTENCY_KEY"),
        (("listen", "clip", "-o", str(folder / "no" / "out.mp3")), server, b"out.mp3: No such file"),
        (("listen", "clip", "-o", "/dev/full"), server, b"No space left"),
    ]


def test_nothing_from_a_server_controls_the_terminal(server: ServerProcess) -> None:
    """Reasons, updates, titles, names: what a terminal could interpret is shown as an escape sequence."""
    evil = "\x1b[2J\x1b]0;title\x07\x9b31m\r\nfake\u202e"
    stream_id, file = "evil\u202e", server.audio_root / "a\x1b[2Jb.mp3"
    file.write_bytes(b"audio")
    server.notify(stream_id, str(file), metadata={"title": evil}).raise_for_status()
    shown = [asf("streams", url=server.url), asf("streams", stream_id, "--json", url=server.url)]
    server.notify(stream_id, str(file), state="failed", reason=evil).raise_for_status()
    shown.append(asf("listen", stream_id, "-o", os.devnull, url=server.url))
    shown.append(asf("push", evil, "event", '"data"', url=server.url))
    shown.append(asf("listen", evil, url=server.url))
    server.send_ui_update("alice", f"event{evil[-1]}", {evil: [evil]})
    shown.append(asf("watch", "alice", "--history", "-n", "1", url=server.url))
    assert json.loads(shown[-1].stdout)["data"] == {evil: [evil]}
    with ScriptedServer((401, {"error_code": "ASF_UNAUTHORIZED", "message": evil, "details": evil})) as other:
        shown.append(asf("streams", url=other.url))
        shown.append(asf("health", "--ready", url=other.url))
    for done in shown:
        text = (done.stdout + done.stderr).decode()
        assert not re.search(r"[^\n\r -~]", re.sub(r"[█▏▎▍▌▋▊▉→]", "", text)), text
        assert "\rfake" not in text
        assert "\nfake" not in text
    assert "\\x1b[2J" in shown[2].stderr.decode()


def test_failures_have_a_message(start_server: StartServer, tmp_path: Path) -> None:
    """With exit code 1, and never a traceback."""
    server = start_server({"ASF_STREAM_SLEEP_INTERVAL": "0"})
    server.announce("clip", audio_of(100))
    for arguments, url, expected in failures(server.url, tmp_path):
        result = asf(*arguments, url=url, cwd=tmp_path)
        assert result.returncode == 1, (arguments, result)
        assert expected in result.stderr, (arguments, result)
        assert b"Traceback" not in result.stderr, (arguments, result)
    (tmp_path / "kept.mp3").write_bytes(b"kept")
    assert asf("listen", "unknown", "-o", "kept.mp3", url=server.url, cwd=tmp_path).returncode == 1
    assert (tmp_path / "kept.mp3").read_bytes() == b"kept"


@pytest.mark.parametrize(
    "arguments",
    [
        ("push", "a", "e", "NaN"),
        ("push", "a", "e", "not json"),
        ("notify", "s"),
        ("notify", "s", "x.mp3", "--metadata", "[]"),
        ("notify", "s", "x.mp3", "--state", "perhaps"),
        ("notify", "s", "x.mp3", "--total-bytes", "-1"),
        ("notify", "s", "x.mp3", "--total-bytes", "1", "--state", "generating"),
        ("streams", "--delete"),
        ("streams", "--url", "127.0.0.1:5006"),
        ("demo", "--pace", "0"),
        ("demo", "--clip", "/"),
        ("listen", "s", "-o", "/"),
        ("listen", "s", "--patience", "-1"),
        ("nonsense",),
    ],
)
def test_wrong_usage(arguments: tuple[str, ...]) -> None:
    """Exit code 2, before any request."""
    result = asf(*arguments, url=NOWHERE)
    assert result.returncode == 2, result
    assert b"Traceback" not in result.stderr
    assert b"Error: " in result.stderr


def test_wrong_settings_are_wrong_usage(tmp_path: Path) -> None:
    """The demo reads the audio root from its setting."""
    result = asf("demo", url=NOWHERE, cwd=tmp_path, environment={"ASF_AUDIO_ROOTS": ":"})
    assert (result.returncode, b"ASF_AUDIO_ROOTS" in result.stderr) == (2, True)


def test_a_closed_pipe_ends_a_command(start_server: StartServer) -> None:
    """As with `| head`: silently, with 1."""
    server = start_server()
    server.announce("long", audio_of(2_000_000))
    for number in range(300):
        server.notify(f"s{number}", str(server.audio_root / ("x" * 200)))
    for arguments in (("listen", "long", "-o", "-"), ("streams", "--json")):
        reading, writing = os.pipe()
        with start(*arguments, url=server.url, stdout=writing) as process:
            os.close(writing)
            assert os.read(reading, 10)
            os.close(reading)
            _, stderr = process.communicate(timeout=COMMAND_SECONDS)
        assert process.returncode == 1, arguments
        assert b"Error" not in stderr
        assert b"Exception" not in stderr
        assert b"Traceback" not in stderr


def test_an_interrupt_has_its_exit_code(server: ServerProcess) -> None:
    """While it waits, listens or watches."""
    server.announce("endless", audio_of(20_000_000))
    for arguments in (("listen", "nobody", "--wait"), ("listen", "endless"), ("watch", "alice")):
        process = start(*arguments, url=server.url)
        assert process.stderr is not None
        os.set_blocking(process.stderr.fileno(), False)
        said = bytearray()

        def has_begun(process: "subprocess.Popen[bytes]" = process, said: bytearray = said) -> bool:
            assert process.stderr is not None
            said.extend(process.stderr.read() or b"")
            waiting = "asf_listeners 0.0" not in server.metrics()
            return waiting if process.args[4] == "listen" else b"Watching" in said  # type: ignore[index]

        eventually(has_begun)
        process.send_signal(signal.SIGINT)
        os.set_blocking(process.stderr.fileno(), True)
        _, stderr = process.communicate(timeout=COMMAND_SECONDS)
        assert process.returncode == 130, (arguments, stderr)
        assert b"Interrupted." in stderr
        assert b"Traceback" not in stderr
        eventually(lambda: "asf_listeners 0.0" in server.metrics())


def test_the_doctor(server: ServerProcess, tmp_path: Path) -> None:
    """With a good setup, with ASF already running, and with a bad setup."""
    settings = {"ASF_HOST": "127.0.0.1", "ASF_AUDIO_ROOTS": str(tmp_path), "ASF_MAX_LISTENERS": "10"}
    well = asf("doctor", cwd=tmp_path, environment=settings | {"ASF_PORT": "0"})
    assert well.returncode == 0, well.stdout
    assert b"problem" not in well.stdout
    answering = asf("doctor", cwd=tmp_path, environment=settings | {"ASF_PORT": str(server.port)})
    assert answering.returncode == 0, answering.stdout
    assert f"ASF is already running on port {server.port}".encode() in answering.stdout
    assert list(tmp_path.iterdir()) == []

    (tmp_path / ".env").write_text("ASF_AUDIO_ROOTS=./missing\n")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        environment = {"ASF_HOST": "127.0.0.1", "ASF_PORT": str(port), "ASF_DATABASE": str(CLIP)}
        environment |= {"ASF_MAX_LISTENERS": "1000000"}
        ill = asf("doctor", cwd=tmp_path, environment=environment)
        shared = environment | {"ASF_REDIS_URL": f"redis://127.0.0.1:{port}"}
        assert b"redis: cannot be used" in asf("doctor", cwd=tmp_path, environment=shared).stdout
    assert ill.returncode == 1
    assert ill.stderr == b""
    text = ill.stdout.decode()
    for expected in (
        "missing does not exist",
        "file is not a database",
        f"Port {port} on 127.0.0.1 is in use",
    ):
        assert expected in text
    assert "mkdir -p" in text
    with ScriptedServer((200, "<html>")) as other:
        environment = settings | {"ASF_PORT": other.url.rsplit(":", 1)[1]}
        taken = asf("doctor", cwd=tmp_path, environment=environment)
    assert (taken.returncode, b"is in use (ASF_PORT)" in taken.stdout) == (1, True)
    wrong = asf("doctor", cwd=tmp_path, environment={"ASF_CHUNK_SIZE": "0"})
    assert (wrong.returncode, b"ASF_CHUNK_SIZE must be between" in wrong.stdout) == (1, True)


def test_health(server: ServerProcess, tmp_path: Path) -> None:
    """At the address in the settings, or at a given one, without the secrets of the server."""
    (tmp_path / ".env").write_text(f"ASF_HOST=0.0.0.0\nASF_PORT={server.port}\n")
    healthy = f"is ok (ASF {__version__})"
    for arguments, said in (((), healthy), (("--ready",), "is ready"), (("--url", server.url), healthy)):
        answered = asf("health", *arguments, cwd=tmp_path, environment={"ASF_DEBUG_MODE": "False"})
        assert (answered.returncode, answered.stdout.decode()) == (0, f"{server.url} {said}\n"), answered.stderr


def test_health_where_there_is_none(tmp_path: Path) -> None:
    """No server, another program, one that is not ready: exit code 1. No usable address: 2."""
    nobody = asf("health", "--url", NOWHERE)
    assert (nobody.returncode, b"No ASF server responded at" in nobody.stderr) == (1, True)
    refusal = {"error_code": "ASF_NOT_READY", "message": "m", "details": "catalog: It is gone."}
    for status, answer, said in (
        (200, "<html>", b"No ASF server responded at"),
        (200, {"status": "fine"}, b"HTTP status 200"),
        (503, refusal, b"is not ready: catalog: It is gone."),
    ):
        with ScriptedServer((status, answer)) as other:
            refused = asf("health", "--ready", url=other.url, environment={"ASF_INTERNAL_API_TOKEN": "token"})
        assert (refused.returncode, said in refused.stderr) == (1, True), refused.stderr
        assert b"Traceback" not in refused.stderr
    for name, value in (("ASF_PORT", "0"), ("ASF_PORT", "none")):
        unknown = asf("health", cwd=tmp_path, environment={name: value})
        assert (unknown.returncode, name.encode() in unknown.stderr) == (2, True)


def test_listening_is_not_limited_to_real_time(start_server: StartServer) -> None:
    """Half an hour of MP3 is received as fast as the pace allows: the command grants a window."""
    audio = mp3_of((64, 1800.0)).data
    server = start_server({"ASF_STREAM_SLEEP_INTERVAL": "0.001"})
    server.announce("episode", audio)
    out = server.audio_root.parent / "out.mp3"
    received = asf("listen", "episode", "-o", str(out), url=server.url)
    assert received.returncode == 0, received.stderr
    assert out.read_bytes() == audio
