"""Parts of an observed server that fail on demand, and its wall clock, which may be set."""

import errno
import os
import random
import time
from collections import Counter
from collections.abc import Callable, Mapping
from functools import wraps
from pathlib import Path
from typing import Any
from weakref import WeakSet

from asf.adapters.audio_files import FileAudioSource, FileAudioSources, beneath, content, direct
from asf.adapters.engineio.transport import EngineIoTransport
from asf.adapters.http_api.playback import PlaybackBody
from asf.adapters.prometheus import PrometheusMetrics
from asf.adapters.realtime_api.listener_emitter import SocketIoListenerEmitter
from asf.adapters.realtime_api.plain_websocket import PlainWebSocketEmitter
from asf.adapters.sqlite_catalog import SqliteCatalogStore

PARTS: dict[str, list[tuple[type, list[str]]]] = {
    "audio": [(FileAudioSources, ["open"]), (FileAudioSource, ["read"])],
    "catalog": [(SqliteCatalogStore, ["put", "get", "delete", "page"])],
    "emitter": [
        (SocketIoListenerEmitter, ["emit", "send_audio"]),
        (PlainWebSocketEmitter, ["emit", "send_audio"]),
        (PlaybackBody, ["emit", "send_audio"]),
    ],
    "metrics": [(PrometheusMetrics, ["joined", "first_audio_sent", "ended", "pump_lagged", "relayed", "recovered"])],
    "ui_emitter": [(EngineIoTransport, ["send", "send_late"])],
}
"""The methods that raise what nobody expects of them: audio and emitters only of streams that are `BROKEN`."""

BROKEN = "broken"
"""What is in the names of streams that may break, so that others go on beside them."""

DISK = "disk"
"""Reading from a file fails with EIO."""

STAT, TAIL = "stat", "tail"
"""Examining a file of a `BROKEN` stream, or reading from it, fails with EIO."""

SHORT_READ = "short_read"
"""Reading from a file returns less than was asked for."""

rates: dict[str, float] = {}
failures: Counter[str] = Counter()
pings = 0
concerned: WeakSet[Any] = WeakSet()
_chance = random.Random(5)
_machine_time = time.time


class BrokenPartError(Exception):
    """What a part raises that was told to fail."""


def break_parts(new_rates: Mapping[str, float]) -> None:
    """Let each part fail so often (0 to 1) from now on, and all others never."""
    rates.clear()
    rates.update(new_rates)


def set_clock(seconds: float) -> None:
    """Let `time.time` be so many seconds ahead of the machine's clock. The monotonic clock is what it is."""
    time.time = lambda: _machine_time() + seconds


def counting(ping: Callable[[Any], None]) -> Callable[[Any], None]:
    """Return the same, counted in `pings`."""

    def count(connection: Any) -> None:
        global pings  # noqa: PLW0603 - it is told by a route
        ping(connection)
        pings += 1

    return count


def stop_clock(timestamp: float) -> None:
    """Let `time.time` stand still. The monotonic clock goes on."""
    time.time = lambda: timestamp


def install() -> None:
    """Wrap the parts. Until `break_parts` says so, none fails."""
    for part, places in PARTS.items():
        for owner, methods in places:
            for method in methods:
                setattr(owner, method, _failing(part, getattr(owner, method)))
    for module in (beneath, content, direct):
        setattr(module, "os", _FailingOs())  # noqa: B010 - they export none


def _fails(part: str) -> bool:
    fails = _chance.random() < rates.get(part, 0.0)
    failures[part] += fails
    return fails


def _failing(part: str, method: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(method)
    def failing(*arguments: Any, **options: Any) -> Any:
        if _concerns(part, *arguments) and _fails(part):
            raise BrokenPartError(f"The {part} is broken.")
        return method(*arguments, **options)

    return failing


def _concerns(part: str, owner: Any, *arguments: Any) -> bool:
    """Return whether a call concerns a stream that may break."""
    if part == "audio":
        return BROKEN in str(getattr(owner, "_path", arguments))
    if part == "emitter" and any(BROKEN in getattr(event, "stream_id", "") for event in arguments):
        concerned.add(owner)
    return part != "emitter" or owner in concerned


class _FailingOs:
    """The module `os`, with a disk that fails."""

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)

    def fstat(self, descriptor: int) -> os.stat_result:
        if _is_broken(descriptor) and _fails(STAT):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return os.fstat(descriptor)

    def pread(self, descriptor: int, length: int, offset: int) -> bytes:
        if _fails(DISK) or (_is_broken(descriptor) and _fails(TAIL)):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return os.pread(descriptor, length // 2 if _fails(SHORT_READ) else length, offset)


def _is_broken(descriptor: int) -> bool:
    return BROKEN in str(Path(f"/proc/self/fd/{descriptor}").readlink())
