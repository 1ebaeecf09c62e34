"""Hears what a browser plays at its sound device: which second of a tone-coded clip, and how long it was silent.

For WebKit, whose clock runs ahead of the sound, and stops now and then, when an element plays through Web Audio.
"""

import json
import subprocess
import threading
import time
from array import array
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from typing import Any

BASE_HERTZ, STEP_HERTZ = 300, 40
"""Second n of the clips is a sine of BASE_HERTZ + n * STEP_HERTZ."""

RATE = 12_000
WINDOW = RATE // 10
"""Samples that are looked at together: a tenth of a second."""

QUIET = 33
"""Samples below are silence: a thousandth of the loudest."""

GAP_SAMPLES = RATE // 20
"""A silence as long as that between two sounds is a gap."""


def second_of(samples: "array[int]") -> int | None:
    """Return which second of a clip a tone is from; None for silence, and for anything else."""
    if max(map(abs, samples)) < QUIET:
        return None
    rises = [
        index + left / (left - right) for index, (left, right) in enumerate(pairwise(samples)) if left < 0 <= right
    ]
    if len(rises) < 2:
        return None
    exact = ((len(rises) - 1) * RATE / (rises[-1] - rises[0]) - BASE_HERTZ) / STEP_HERTZ
    second = round(exact)
    return second if abs(exact - second) < 0.25 and second >= 0 else None


class Ears:
    """What was heard since `reset`, in the form of `seen` of engine.html."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.reset()

    def reset(self) -> None:
        """Forget what was heard."""
        with self._lock:
            self._second: int | None = None
            self._last: int | None = None
            self._heard: list[int] = []
            self._silences: list[float] = []
            self._first_sound_at: float | None = None
            self._silent = 0

    def hear(self, samples: "array[int]", at: float) -> None:
        """Take a window of samples. `at` is its end, in seconds since the Unix epoch."""
        second = second_of(samples)
        with self._lock:
            # A window in which one tone follows another looks like a third one.
            is_sure = second == self._last
            self._last = second
            self._count_silence(samples, at)
            if not is_sure:
                return
            self._second = second
            if second is not None and self._heard[-1:] != [second]:
                self._heard.append(second)

    def report(self) -> dict[str, Any]:
        """Return what was heard. Times are in milliseconds since the Unix epoch, and in seconds of silence."""
        with self._lock:
            first = None if self._first_sound_at is None else self._first_sound_at * 1000
            return {
                "second": self._second,
                "heard": self._heard,
                "silences": self._silences,
                "firstSoundAt": first,
            }

    def _count_silence(self, samples: "array[int]", at: float) -> None:
        for index, sample in enumerate(samples):
            if abs(sample) < QUIET:
                self._silent += 1
                continue
            if self._first_sound_at is None:
                self._first_sound_at = at - (len(samples) - index) / RATE
            elif self._silent > GAP_SAMPLES:
                self._silences.append(self._silent / RATE)
            self._silent = 0


@contextmanager
def listening(environment: Mapping[str, str]) -> Iterator[str]:
    """Hear the sound device of PulseAudio that `environment` names; yield a URL that reports it."""
    ears = Ears()
    command = ["parec", "-d", "null.monitor", f"--rate={RATE}", "--channels=1", "--format=s16le", "--latency-msec=50"]
    with subprocess.Popen(command, env=dict(environment), stdout=subprocess.PIPE) as recorder, _serving(ears) as url:
        threading.Thread(target=_hear_all, args=[recorder, ears], daemon=True).start()
        try:
            yield url
        finally:
            recorder.terminate()


def _hear_all(recorder: "subprocess.Popen[bytes]", ears: Ears) -> None:
    assert recorder.stdout is not None
    while len(data := recorder.stdout.read(2 * WINDOW)) == 2 * WINDOW:
        ears.hear(array("h", data), time.time())


@contextmanager
def _serving(ears: Ears) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/reset":
                ears.reset()
            body = json.dumps(ears.report()).encode()
            self.send_response(200)
            self.send_header("Access-Control-Allow-Origin", "*")
            self.send_header("Cache-Control", "no-store")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
