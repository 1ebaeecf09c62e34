"""The stand-in for the services that make a podcast, on a real server."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests

from asf.application.demo_studio import INTERRUPTED
from asf.client import BackendClient
from asf.client.demo import (
    CLIP_BYTES_PER_SECOND,
    FIRST_PIECE_SECONDS,
    Progress,
    demo_clip,
    demo_cues,
    make_demo_podcast,
)
from tests.integration.test_ui_updates import Subscriber, has
from tests.support.bounds import PATIENCE_SECONDS
from tests.support.faults import STOPPED_DEMO
from tests.support.fixtures import audio_of
from tests.support.processes import ServerProcess, eventually


def updates_of(server: ServerProcess, client_id: str, last: str) -> list[tuple[Any, ...]]:
    """Return the name and the data of every update that is kept of the client, up to the one named `last`."""

    async def recover() -> list[tuple[Any, ...]]:
        async with Subscriber(server.url, ["websocket"]) as subscriber:
            await subscriber.subscribe({"client_id": client_id, "since": {"epoch": "", "seq": 0}})
            await subscriber.until(has(last))
            return [event[:2] for event in subscriber.events if event[0].startswith(("task_", "generation_"))]

    return asyncio.run(recover())


def test_it_grows_at_the_speed_of_speech(server: ServerProcess) -> None:
    """Faster by the pace; what is called back is what the client is sent."""
    pace, bytes_per_second, length = 10.0, 1000, 12_000
    clip = server.audio_root.parent / "clip.mp3"
    clip.write_bytes(audio_of(length))
    told: list[Progress] = []
    sizes: list[int] = []
    path = server.audio_root / "a%2Fb.mp3"

    def on_progress(progress: Progress) -> None:
        told.append(progress)
        sizes.append(path.stat().st_size if path.exists() else 0)

    with BackendClient(server.url) as backend:
        started = time.monotonic()
        made = make_demo_podcast(
            backend,
            clip,
            server.audio_root,
            "a/b",
            "speed",
            pace,
            bytes_per_second=bytes_per_second,
            on_progress=on_progress,
        )
        elapsed = time.monotonic() - started
        assert backend.stream("a/b").state == "complete"
        assert backend.stream("a/b").metadata == {"title": "clip"}
    assert made == path
    assert path.read_bytes() == clip.read_bytes()
    assert elapsed >= (length / bytes_per_second - FIRST_PIECE_SECONDS) / pace
    assert sizes == sorted(sizes)
    assert sizes[:2] == [0, FIRST_PIECE_SECONDS * bytes_per_second]
    assert len(set(sizes)) > 5
    progress = [("generation_progress", {"percentage": one.percentage, "step": one.step}) for one in told]
    completed = ("task_completed", {"stream_id": "a/b", "total_bytes": length})
    assert updates_of(server, "speed", "task_completed") == [*progress, completed]
    assert told[-1].percentage == 100


def test_the_words_of_the_clip_are_cues(server: ServerProcess) -> None:
    """All of them once, of the epoch of the audio, and none long before it is written."""
    behind: list[float] = []

    def on_progress(progress: Progress) -> None:
        if 0 < progress.percentage < 100:
            added = requests.get(url, timeout=PATIENCE_SECONDS).json()["cues"]
            written = (server.audio_root / "c.mp3").stat().st_size / CLIP_BYTES_PER_SECOND
            behind.append(max(cue["start"] for cue in added) - written)

    url = f"{server.url}/api/v1/podcasts/cues/c"
    with BackendClient(server.url) as backend:
        make_demo_podcast(
            backend, demo_clip(), server.audio_root, "c", "cued", 1000.0, cues=demo_cues(), on_progress=on_progress
        )
        epoch = backend.stream("c").epoch
    found = requests.get(url, timeout=PATIENCE_SECONDS).json()
    assert found["epoch"] == epoch
    assert [{name: value for name, value in cue.items() if name != "id"} for cue in found["cues"]] == demo_cues()
    assert behind
    assert max(behind) < 0


def test_a_demo_that_fails_says_so(server: ServerProcess) -> None:
    """To the listeners by the stream's state, to the client by an event."""

    def give_up(progress: Progress) -> None:
        if progress.percentage > 0:
            raise RuntimeError("The voice is gone.")

    with BackendClient(server.url) as backend:
        with pytest.raises(RuntimeError, match="voice is gone"):
            make_demo_podcast(backend, demo_clip(), server.audio_root, "f", "failing", 1000.0, on_progress=give_up)
        stream = backend.stream("f")
        assert (stream.state, stream.reason) == ("failed", "RuntimeError: The voice is gone.")
        failed = ("task_failed", {"stream_id": "f", "reason": "The voice is gone."})
        assert updates_of(server, "failing", "task_failed")[-1] == failed
        with pytest.raises(FileNotFoundError):
            make_demo_podcast(backend, Path("missing.mp3"), server.audio_root, "m", "missing")


@STOPPED_DEMO
@pytest.mark.parametrize(
    "end",
    [
        pytest.param(ServerProcess.stop, id="stopped"),
        pytest.param(
            ServerProcess.kill,
            id="killed",
            marks=pytest.mark.one_process("only a server alone records the demos of its console for the next start"),
        ),
    ],
)
def test_a_demo_of_the_console_fails_with_its_server(tmp_path: Path, end: Callable[[ServerProcess], object]) -> None:
    """At once, or at the next start after a kill. Nobody waits for the rest of it."""
    server = ServerProcess(tmp_path)
    started = requests.post(f"{server.url}/console/demo", timeout=PATIENCE_SECONDS).json()["stream_id"]
    route = f"/asf/internal/streams/{started}"
    eventually(lambda: requests.get(server.url + route, timeout=PATIENCE_SECONDS).json().get("state") == "generating")
    end(server)
    following = ServerProcess(tmp_path)
    stream = requests.get(following.url + route, timeout=PATIENCE_SECONDS).json()
    assert (stream["state"], stream["reason"]) == ("failed", INTERRUPTED)
    assert following.stop() == 0
    assert not any("Traceback (" in line for line in server.log + following.log)
