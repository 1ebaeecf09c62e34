"""What a server process holds: whether it is back at its start."""

import gc
import time
from dataclasses import dataclass
from typing import Self

from tests.support.audience import TRANSPORTS, Audience, LightListener, lost_bytes
from tests.support.bounds import PATIENCE_SECONDS
from tests.support.fixtures import audio_of
from tests.support.processes import ServerProcess, eventually

MEMORY_TOLERANCE_BYTES = 16 * 1024 * 1024
"""What the memory of a process may be above its start: the allocator keeps what was freed once, for the next time."""

MEBIBYTE = 1024 * 1024

GREENLET_TOLERANCE = 2
"""Greenlets above the start: the server's own come and go, such as the one that does the work that is due."""


@dataclass(frozen=True, slots=True)
class Footprint:
    """Descriptors, greenlets, and bytes of resident memory of an observed server."""

    descriptors: int
    greenlets: int
    memory: int

    @classmethod
    def of(cls, server: ServerProcess) -> Self:
        """Return what the server holds now, after a garbage collection."""
        greenlets = server.greenlets()
        return cls(server.descriptors(), greenlets, server.memory())

    def within(self, before: Self, memory_tolerance: int) -> bool:
        """Return whether this is no more than `before`."""
        return (
            self.descriptors <= before.descriptors
            and self.greenlets <= before.greenlets + GREENLET_TOLERANCE
            and self.memory <= before.memory + memory_tolerance
        )


def footprint_after_use(server: ServerProcess, listeners_each: int = 1, token: str | None = None) -> Footprint:
    """Let some listeners of every transport hear a little, and return what the server holds when they are gone.

    What is made once, at first use, does not count.
    """
    audio = audio_of(60_000)
    server.announce("warm-up", audio)
    with Audience() as audience:
        listeners = [
            LightListener(server.port, "warm-up", audio, one, token=token)
            for one in TRANSPORTS
            for _ in range(listeners_each)
        ]
        audience.join(*listeners)
        audience.wait_for_all()
    assert lost_bytes(listeners) == 0
    gc.collect()  # Connections of the test's own that nobody closed.
    eventually(lambda: "asf_listeners 0.0" in server.metrics())
    eventually(lambda: not server.open_files())
    footprint = Footprint.of(server)

    def stays() -> bool:
        nonlocal footprint
        time.sleep(0.1)  # The time in which it is to stay.
        earlier, footprint = footprint, Footprint.of(server)
        return (earlier.descriptors, earlier.greenlets) == (footprint.descriptors, footprint.greenlets)

    eventually(stays)
    return footprint


def wait_until_back(
    server: ServerProcess,
    before: Footprint,
    seconds: float = PATIENCE_SECONDS,
    memory_tolerance: int = MEMORY_TOLERANCE_BYTES,
) -> str:
    """Wait until the server holds no more than `before`, or fail. Returns the difference, in words."""
    eventually(lambda: "asf_listeners 0.0" in server.metrics(), seconds)
    now = Footprint.of(server)

    def is_back() -> bool:
        nonlocal now
        now = Footprint.of(server)
        return now.within(before, memory_tolerance)

    try:
        eventually(is_back, seconds)
    except AssertionError:
        raise AssertionError(f"{now} is more than {before}") from None
    return (
        f"descriptors {now.descriptors - before.descriptors:+d}, greenlets {now.greenlets - before.greenlets:+d}, "
        f"memory {(now.memory - before.memory) / MEBIBYTE:+.1f} MiB"
    )
