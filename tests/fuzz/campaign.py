"""One fuzzer at work: nonsense at a running server for a while, bystanders beside it, and what must hold."""

import random
import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.strategies import SearchStrategy

from tests.fuzz.bystanders import STREAM as BYSTANDERS
from tests.fuzz.bystanders import Bystanders
from tests.fuzz.grammar import FILE, STREAM
from tests.fuzz.sessions import Step, Tally, play
from tests.support.bounds import PATIENCE_SECONDS
from tests.support.fixtures import audio_of
from tests.support.ledger import Ledger
from tests.support.processes import ServerProcess, eventually

EXAMPLES = 25
"""Examples in one round; each round has a seed of its own."""

WARM_UP = 0.3
"""The part of the time after which the memory is taken for what the server needs."""

MEMORY_BYTES = 32 * 1024 * 1024
"""How far the memory may be beyond that at the end: what allocators keep, and not what a leak comes to."""

LOG_BYTES = 1000
"""What the log may grow by for each connection: a line for what was refused, two for each session, and not more."""

LONGEST_LINE = 2500
HEALTH_SECONDS = 5.0
"""Longest that the server may be at work, in seconds of its own, before it answers how it is."""


NOT_FAILURES = {503, 504, 505}
"""Statuses from 500 on that are no failures: not now, audio that has not grown, and a version of HTTP that is not
spoken."""

PING = {"TEST_PING_SECONDS": "2", "TEST_PONG_SECONDS": "10", "TEST_NAMESPACE_SECONDS": "10"}
"""So that a session that was left open is over soon after the end, and those who behave may answer late."""


class Campaign:
    """One fuzzer against one server, which must be an observed one."""

    def __init__(self, server: ServerProcess) -> None:
        self.server = server
        self._looked_at = 0
        self._has_failed = False
        self.tally = Tally()
        server.announce(STREAM, audio_of(200_000), Path(FILE).name)
        server.notify("growing", str(server.audio_root / "growing.mp3"), state="generating").raise_for_status()

    def run(self, sessions: SearchStrategy[list[list[Step]]], seconds: float) -> None:
        """Play sessions, side by side, until the time is over. Fails with the smallest example that does harm."""
        end = time.monotonic() + seconds
        with ThreadPoolExecutor(8) as pool:
            number = random.SystemRandom().randrange(2**32)
            while time.monotonic() < end:
                number += 1
                self._round(sessions, number, end, pool)

    def _round(
        self, sessions: SearchStrategy[list[list[Step]]], number: int, end: float, pool: ThreadPoolExecutor
    ) -> None:
        @seed(number)
        @settings(
            max_examples=EXAMPLES,
            database=None,
            deadline=None,
            phases=(Phase.generate, Phase.shrink),
            suppress_health_check=list(HealthCheck),
        )
        @given(sessions)
        def play_all(example: list[list[Step]]) -> None:
            # A failure is tried again, smaller, however long that takes.
            if time.monotonic() < end or self._has_failed:
                played = Tally()
                for tally in pool.map(partial(play, self.server.port), example):
                    played.add(tally)
                self.tally.add(played)
                self._check(played)

        play_all()

    def _check(self, tally: Tally) -> None:
        lines = self.server.log[self._looked_at :]
        self._looked_at += len(lines)
        failures = {status for status in tally.statuses if status >= 500} - NOT_FAILURES
        is_gone = self.server.process.poll() is not None
        if is_gone or failures or any(map(_is_wrong, lines)):
            self._has_failed = True
            raise AssertionError(f"Gone: {is_gone}; answered: {failures}; log:\n{''.join(map(_cut, lines))}")


def _is_wrong(line: str) -> bool:
    return "Traceback (" in line or re.search(r"\b(ERROR|CRITICAL)\b", line) is not None or len(line) > LONGEST_LINE


def _cut(line: str) -> str:
    return line if len(line) <= LONGEST_LINE else f"{line[:200]}... ({len(line)} characters)\n"


@contextmanager
def nothing_stays(server: ServerProcess) -> Iterator[None]:
    """See that there are no more sockets and greenlets at the end than at the beginning."""
    sockets, greenlets = server.sockets(), server.greenlets()
    yield
    eventually(lambda: server.sockets() <= sockets)
    eventually(lambda: server.greenlets() <= greenlets)
    eventually(lambda: "asf_listeners 0.0" in server.metrics())
    eventually(lambda: not server.open_files())


def fuzz(
    campaign: Campaign,
    sessions: SearchStrategy[list[list[Step]]],
    seconds: float,
    ledger: Ledger,
    fault: str,
) -> None:
    """Run a campaign for so many seconds, beside bystanders; check what must hold, and note it."""
    server = campaign.server
    first = Bystanders(server)  # so that what a server makes once is made
    eventually(lambda: first.joins >= 4)
    first.end()
    assert not first.lost, first.failures
    server.metrics()
    with nothing_stays(server):
        logged_before = len(server.log)
        bystanders = Bystanders(server)
        try:
            campaign.run(sessions, seconds * WARM_UP)
            memory = server.memory()
            campaign.run(sessions, seconds * (1 - WARM_UP))
            end = time.monotonic() + PATIENCE_SECONDS
            while not bystanders.have_enough and time.monotonic() < end:
                campaign.run(sessions, 1.0)
        finally:
            bystanders.end()
    grown = server.memory() - memory
    logged = sum(len(line) for line in server.log[logged_before:] if f"stream_id={BYSTANDERS}" not in line)
    tally = campaign.tally
    assert not bystanders.failures, bystanders.failures
    assert (bystanders.lost, bystanders.updates_lost) == (0, 0)
    assert bystanders.have_enough
    assert grown <= MEMORY_BYTES
    assert logged <= LOG_BYTES * tally.connections
    assert bystanders.longest_health < HEALTH_SECONDS
    answers = ", ".join(f"{number:,} × {status}" for status, number in sorted(tally.statuses.items()))
    ledger.note(
        fault,
        tried=tally.sessions,
        unit="sessions",
        must_hold=(
            "no crash, no 5xx response, no error and no traceback in the log; every byte and every update reaches "
            "the other clients; afterwards as many sockets and greenlets as before"
        ),
        lost=bystanders.lost + bystanders.updates_lost,
        measured=(
            f"{tally.connections:,} connections, {tally.sends:,} sends, {tally.sent_bytes:,} bytes in "
            f"{seconds:.0f} s; responses: {answers}; other clients: {bystanders.joins:,} streams "
            f"({bystanders.heard:,} bytes) and {bystanders.updates:,} updates; "
            f"/asf/health at most {bystanders.longest_health * 1000:.0f} ms; memory {grown / 2**20:+.1f} MiB; "
            f"log {logged / max(1, tally.connections):.0f} bytes per connection"
        ),
    )
