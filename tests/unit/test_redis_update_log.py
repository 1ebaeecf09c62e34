"""The update log in Redis keeps its port's promises, over all servers that share it and whatever befalls Redis."""

import shutil
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

import pytest

from asf.adapters.redis_store.connection import connect
from asf.adapters.redis_store.pubsub import RedisPubSub, SubscribeFailed
from asf.adapters.redis_store.update_log import MAX_BYTES, MAX_CLIENTS, Limits, RedisUpdateLog, Timing
from asf.domain.access.control import AccessControl
from asf.domain.access.expiry import Expiries
from asf.domain.errors import IdempotencyConflict, UiEmitFailed
from asf.domain.updates.router import UiUpdateRouter
from asf.domain.updates.update import EVERYTHING, Position, Recovery, SequencedUpdate, UiUpdate
from tests.contracts.update_log import MAX_SECONDS, MAX_UPDATES, START, UpdateLogContract, listen_to
from tests.support.bounds import HUNG_SECONDS, PATIENCE_SECONDS, STOP_SECONDS
from tests.support.processes import eventually
from tests.support.redis_server import RedisServer
from tests.support.virtual import ManualClock, RecordingObserver, ScriptedSubscribers

pytestmark = pytest.mark.usefixtures("patient_news")


def make_epoch() -> str:
    """Return another text at every call, in every process."""
    return uuid4().hex


class Logs:
    """Makes logs in one Redis, each an empty one unless a `prefix` is given.

    They receive updates until `close`, or, unless it `hears`, not at all.
    """

    def __init__(self, url: str, *, hears: bool = True) -> None:
        self.client = connect(url)
        self.pubsub = RedisPubSub(self.client)
        self._thread = threading.Thread(target=self.pubsub.run, daemon=True)
        if hears:
            self._thread.start()
            eventually(lambda: self.pubsub.is_connected)

    def close(self) -> None:
        """Hear no more."""
        if self._thread.is_alive():
            self.pubsub.close()
            self._thread.join(STOP_SECONDS)
        self.client.close()

    def __call__(
        self,
        max_updates: int = MAX_UPDATES,
        max_seconds: float = MAX_SECONDS,
        max_bytes: int = MAX_BYTES,
        max_clients: int = MAX_CLIENTS,
        prefix: str | None = None,
        timing: Timing | None = None,
        *,
        by_callers_clock: bool = True,
    ) -> RedisUpdateLog:
        """Return a log, on the clock of the test."""
        return RedisUpdateLog(
            self.client,
            self.pubsub,
            Limits(max_updates, max_seconds, max_bytes, max_clients),
            make_epoch,
            prefix or f"{uuid4().hex}:",
            timing,
            by_callers_clock=by_callers_clock,
        )


@pytest.fixture
def make_log(shared_redis: RedisServer) -> Iterator[Logs]:
    """Return a function that makes logs in a Redis that stays."""
    logs = Logs(shared_redis.url)
    yield logs
    logs.close()


@pytest.fixture
def patience() -> float:
    """Return how many seconds a log to do harm to waits for Redis."""
    return PATIENCE_SECONDS


@pytest.fixture
def mortal_log(mortal_redis: RedisServer, patience: float) -> Iterator[RedisUpdateLog]:
    """Return a log in a Redis to do harm to, on Redis's own clock."""
    logs = Logs(mortal_redis.url_with(patience), hears=False)
    yield logs(by_callers_clock=False)
    logs.close()


def position_of(update: SequencedUpdate) -> Position:
    """Return the position after an update."""
    return Position(update.epoch, update.seq)


class TestRedisUpdateLog(UpdateLogContract):
    """The contract, in a real Redis."""

    @pytest.fixture
    def make_log(self, make_log: Logs) -> Callable[[], RedisUpdateLog]:
        return make_log

    def test_all_that_is_appended_is_broadcast(self, log: RedisUpdateLog) -> None:
        """To the server that it came to, too."""
        assert log.append(UiUpdate("alice", "progress", 1), START, START).is_broadcast


def test_a_subscriber_that_is_behind_holds_up_nobody(make_log: Logs, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the log takes long to answer for it, others subscribe and get their updates: the reader keeps reading."""
    prefix = f"{uuid4().hex}:"
    log, publisher = (make_log(prefix=prefix) for _ in range(2))
    subscribers, clock = ScriptedSubscribers(), ManualClock()
    access = AccessControl(None, Expiries(), clock, lambda: None)
    router = UiUpdateRouter(subscribers, log, access, clock, RecordingObserver(), start_thread)
    for client_id in ("alice", "bob"):
        router.subscribe(client_id, client_id, EVERYTHING)
    lost = threading.Event()
    log.connect(lambda _update: lost.set(), router.recover_missed)
    kept = [publisher.append(UiUpdate("alice", "progress", 1), START, START).update]
    assert lost.wait(PATIENCE_SECONDS)
    log.connect(router.deliver, router.recover_missed)
    recover, asked, may_answer = log.recover, threading.Event(), threading.Event()

    def recover_slowly(client_id: str, since: Position | None, now: float) -> Recovery:
        asked.set()
        assert may_answer.wait(PATIENCE_SECONDS)
        return recover(client_id, since, now)

    monkeypatch.setattr(log, "recover", recover_slowly)
    kept.append(publisher.append(UiUpdate("alice", "progress", 2), START, START).update)
    assert asked.wait(PATIENCE_SECONDS)
    log.follow("carol")
    bobs = publisher.append(UiUpdate("bob", "progress", 1), START, START).update
    eventually(lambda: subscribers.updates("bob") == [bobs])
    assert subscribers.updates("alice") == []
    may_answer.set()
    eventually(lambda: subscribers.updates("alice") == kept)
    assert router.subscriptions == 2


def start_thread(work: Callable[[], object]) -> None:
    """Run work in a thread of its own."""
    threading.Thread(target=work, daemon=True).start()


def assert_lost(log: RedisUpdateLog) -> None:
    """Both operations fail now."""
    operations: list[Callable[[], object]] = [
        lambda: log.append(UiUpdate("alice", "progress", 1), START, START),
        lambda: log.recover("alice", EVERYTHING, START),
    ]
    for operation in operations:
        with pytest.raises(UiEmitFailed, match="Redis"):
            operation()


def test_a_client_that_cannot_be_followed_has_no_subscribers(
    shared_redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All who wait for the same channel get the error."""
    logs = Logs(shared_redis.url, hears=False)
    log = logs()
    entered, may_fail = threading.Event(), threading.Event()

    def fail(*_: object) -> None:
        entered.set()
        assert may_fail.wait(PATIENCE_SECONDS)
        raise SubscribeFailed("Redis is unreachable.")

    monkeypatch.setattr(logs.pubsub, "follow", fail)
    with ThreadPoolExecutor(2) as threads:
        following = [threads.submit(log.follow, "alice")]
        assert entered.wait(PATIENCE_SECONDS)
        following.append(threads.submit(log.follow, "alice"))
        eventually(lambda: log._channels.count_of("alice") == 2)  # noqa: SLF001
        may_fail.set()
        for one in following:
            with pytest.raises(UiEmitFailed, match="unreachable"):
                one.result()
    assert log._channels.subjects() == []  # noqa: SLF001
    logs.close()


APPENDING = """
import sys
from uuid import uuid4
from asf.adapters.redis_store.connection import connect
from asf.adapters.redis_store.pubsub import RedisPubSub
from asf.adapters.redis_store.update_log import Limits, RedisUpdateLog
from asf.domain.updates.update import UiUpdate

url, prefix, number = sys.argv[1:]
client = connect(url)
log = RedisUpdateLog(client, RedisPubSub(client), Limits(10_000, 60.0), lambda: uuid4().hex, prefix=prefix)
sys.stdin.readline()
for turn in range(300):
    kept = log.append(UiUpdate("alice", "progress", [number, turn]), 0.0, 0.0).update
    print(kept.epoch, kept.seq, number, turn)
client.close()
"""


def test_processes_that_append_at_once_get_numbers_without_gaps(shared_redis: RedisServer, make_log: Logs) -> None:
    """Each number once, in the order of each process, and the history is all of them in their order."""
    prefix = f"{uuid4().hex}:"
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", APPENDING, shared_redis.url, prefix, str(number)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
        )
        for number in range(3)
    ]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    said = [line.split() for process in processes for line in process.communicate()[0].splitlines()]
    assert [process.returncode for process in processes] == [0, 0, 0]
    assert len({epoch for epoch, *_ in said}) == 1
    assert sorted(int(seq) for _, seq, *_ in said) == list(range(1, 901))
    by_seq = {int(seq): f'["{number}",{turn}]' for _, seq, number, turn in said}
    log = make_log(10_000, prefix=prefix, by_callers_clock=False)
    kept = log.recover("alice", EVERYTHING, 0.0).updates
    assert [(update.seq, update.data_json) for update in kept] == sorted(by_seq.items())
    for number in range(3):
        turns = [update.data_json for update in kept if update.data_json.startswith(f'["{number}"')]
        assert turns == [f'["{number}",{turn}]' for turn in range(300)]


def test_a_key_counts_once_however_many_send_it_at_once(make_log: Logs) -> None:
    """One is published, and all get its position."""
    prefix = f"{uuid4().hex}:"
    logs = [make_log(prefix=prefix) for _ in range(4)]

    def send(log: RedisUpdateLog) -> list[tuple[int, bool]]:
        sent = [log.append(UiUpdate("alice", "progress", turn, f"key-{turn}"), START, START) for turn in range(50)]
        return [(one.update.seq, one.duplicate) for one in sent]

    with ThreadPoolExecutor(len(logs)) as threads:
        sent = [one for answers in threads.map(send, logs) for one in answers]
    assert sorted(seq for seq, duplicate in sent if not duplicate) == list(range(1, 51))
    assert Counter(seq for seq, _ in sent) == dict.fromkeys(range(1, 51), len(logs))


def test_what_one_server_appends_another_recovers(make_log: Logs) -> None:
    """And knows the keys of."""
    prefix = f"{uuid4().hex}:"
    first, second = make_log(prefix=prefix), make_log(prefix=prefix)
    before = second.recover("alice", EVERYTHING, START).latest
    kept = first.append(UiUpdate("alice", "Über", {"text": "alles"}, "key"), START, START).update
    assert second.recover("alice", before, START).updates == (kept,)
    again = second.append(UiUpdate("alice", "Über", {"text": "alles"}, "key"), START + 1, START + 1)
    assert (again.update, again.duplicate) == (kept, True)
    with pytest.raises(IdempotencyConflict):
        second.append(UiUpdate("alice", "Über", 2, "key"), START, START)


def test_updates_expire_by_the_clock_of_redis(make_log: Logs) -> None:
    """Whatever the servers' clocks say."""
    prefix = f"{uuid4().hex}:"
    patient = make_log(max_seconds=3600.0, prefix=prefix, by_callers_clock=False)
    first = patient.append(UiUpdate("alice", "progress", 1), START, 1e9).update
    assert patient.recover("alice", EVERYTHING, -1e9).updates == (first,)
    log = make_log(max_seconds=0.3, prefix=prefix, by_callers_clock=False)
    eventually(lambda: not log.recover("alice", EVERYTHING, 0.0).updates)
    second = log.append(UiUpdate("alice", "progress", 2), START, 0.0).update
    assert (second.epoch, second.seq) == (first.epoch, 2)


def test_updates_of_silent_clients_expire(make_log: Logs) -> None:
    """All that is left of silent clients is their number."""
    prefix = f"{uuid4().hex}:"
    lists = prefix + "updates:*"
    patient = make_log(max_seconds=3600.0, prefix=prefix, by_callers_clock=False)
    patient.append(UiUpdate("alice", "progress", "x" * 1000), START, 0.0)
    assert make_log.client.keys(lists)
    log = make_log(max_seconds=0.5, prefix=prefix, by_callers_clock=False)
    log.append(UiUpdate("alice", "progress", "x" * 1000), START, 0.0)
    eventually(lambda: not make_log.client.keys(lists))
    log.append(UiUpdate("bob", "progress", 1), START, 0.0)
    assert make_log.client.zcard(prefix + "places") == 1
    assert int(make_log.client.hget(prefix + "log", "bytes") or 0) < 1000


def test_keys_expire(make_log: Logs) -> None:
    """After five minutes, by themselves."""
    prefix = f"{uuid4().hex}:"
    before = make_log.client.time()[0]
    make_log(prefix=prefix).append(UiUpdate("alice", "progress", 1, "key"), START, START)
    after = make_log.client.time()[0]
    assert before + 300 <= make_log.client.expiretime(prefix + "key:key") <= after + 301


def test_all_clients_together_are_bounded(make_log: Logs) -> None:
    """The oldest updates of all clients are evicted first; the numbers continue."""
    prefix = f"{uuid4().hex}:"
    log = make_log(max_updates=1000, max_bytes=100_000, prefix=prefix)
    for number in range(300):
        log.append(UiUpdate(f"client-{number % 3}", "progress", "x" * 600), START + number / 10, START + number / 10)
        assert 0 < int(make_log.client.hget(prefix + "log", "bytes") or 0) <= 100_000
    kept = [log.recover(f"client-{number}", EVERYTHING, START + 30).updates for number in range(3)]
    assert [updates[-1].seq for updates in kept] == [100, 100, 100]
    assert all(10 < len(updates) < 60 for updates in kept)
    assert make_log.client.zcard(prefix + "places") == sum(map(len, kept))


def test_an_update_that_is_larger_than_all_that_may_be_kept_is_numbered_all_the_same(make_log: Logs) -> None:
    """It cannot be recovered."""
    log = make_log(max_bytes=1000)
    assert log.append(UiUpdate("alice", "progress", "x" * 2000), START, START).update.seq == 1
    assert log.recover("alice", EVERYTHING, START).updates == ()
    assert log.append(UiUpdate("alice", "progress", 1), START, START).update.seq == 2


@pytest.mark.parametrize("more", ["", "\N{PARTY POPPER}" * 200, "x" * 200])
def test_the_bytes_that_are_counted_are_not_less_than_those_that_are_taken(
    mortal_redis: RedisServer, more: str
) -> None:
    """In the worst case: many clients with one update each, whatever their names are."""
    logs = Logs(mortal_redis.url)
    log = logs(prefix="asf:")
    log.append(UiUpdate("first", "progress", 1), START, START)
    before = logs.client.info("memory")["used_memory"]
    for number in range(2000):
        log.append(UiUpdate(f"{number}{more}", "progress", number), START, START)
    taken = logs.client.info("memory")["used_memory"] - before
    counted = int(logs.client.hget("asf:log", "bytes") or 0)
    assert taken <= counted < taken * 1.6
    logs.close()


def test_the_number_of_clients_is_bounded(make_log: Logs) -> None:
    """The client without an update for longest starts another epoch."""
    log = make_log(max_clients=2)
    first = log.append(UiUpdate("alice", "progress", 1), START, START).update
    for client_id in ("bob", "carol"):
        log.append(UiUpdate(client_id, "progress", 1), START, START)
    again = log.append(UiUpdate("alice", "progress", 1), START, START).update
    assert (first.seq, again.seq) == (1, 1)
    assert first.epoch != again.epoch
    assert log.recover("alice", EVERYTHING, START).updates == (again,)


def test_reads_take_no_memory(make_log: Logs) -> None:
    """Subscribers of any number of clients without updates evict nothing."""
    log = make_log(max_clients=2)
    kept = log.append(UiUpdate("alice", "progress", 1), START, START).update
    for number in range(100):
        log.recover(f"client-{number}", EVERYTHING, START)
    assert log.recover("alice", EVERYTHING, START).updates == (kept,)


def test_a_log_that_lost_its_data_starts_another_epoch(mortal_redis: RedisServer, mortal_log: RedisUpdateLog) -> None:
    """Subscribers that come back learn that they may have missed something, those of silent clients as well."""
    kept = mortal_log.append(UiUpdate("alice", "progress", 1), START, 0.0).update
    silent = mortal_log.recover("bob", EVERYTHING, 0.0).latest
    mortal_redis.kill()
    assert_lost(mortal_log)
    mortal_redis.start()
    for client_id, since in (("alice", mortal_log.recover("alice", None, 0.0).latest), ("bob", silent)):
        assert mortal_log.recover(client_id, since, 0.0).latest.epoch != kept.epoch
    assert not mortal_log.recover("bob", silent, 0.0).recovered
    again = mortal_log.append(UiUpdate("alice", "progress", 2), START, 0.0).update
    assert again.seq == 1
    assert again.epoch != kept.epoch


def test_a_log_that_came_back_older_than_it_was_starts_another_epoch(tmp_path: Path) -> None:
    """A snapshot has numbers that were given again since; no number is ever given twice in an epoch."""
    server = RedisServer(tmp_path)
    logs = Logs(server.url)
    log = logs(prefix="asf:", by_callers_clock=False)
    try:
        before = log.append(UiUpdate("alice", "progress", 1, "key"), START, 0.0).update
        assert logs.client.save()
        after = log.append(UiUpdate("alice", "progress", 2), START, 0.0).update
        server.kill()
        server.start()
        assert logs.client.exists("asf:log")
        recovery = log.recover("alice", EVERYTHING, 0.0)
        assert (recovery.latest.seq, recovery.updates) == (0, ())
        again = log.append(UiUpdate("alice", "progress", 3), START, 0.0).update
        assert again.epoch not in {before.epoch, after.epoch}
        assert log.recover("alice", EVERYTHING, 0.0).updates == (again,)
        # What was answered before is answered again.
        repeated = log.append(UiUpdate("alice", "progress", 1, "key"), START, 0.0)
        assert (repeated.update, repeated.duplicate) == (before, True)
    finally:
        logs.close()
        server.stop()


def test_a_log_that_is_persisted_continues(persistent_redis: RedisServer) -> None:
    """However often Redis is killed: the same epoch, the next number, and nothing to recover is missing."""
    logs = Logs(persistent_redis.url)
    log = logs(max_updates=100, max_seconds=300, prefix="asf:", by_callers_clock=False)
    since = log.recover("alice", None, 0.0).latest
    updates = []
    for number in range(30):
        updates.append(log.append(UiUpdate("alice", "progress", number, f"key-{number}"), START, 0.0).update)
        if number % 10 == 9:
            persistent_redis.kill()
            persistent_redis.start()
    assert [update.seq for update in updates] == list(range(1, 31))
    recovery = log.recover("alice", since, 0.0)
    assert (recovery.recovered, recovery.updates) == (True, tuple(updates))
    assert log.append(UiUpdate("alice", "progress", 3, "key-3"), START, 0.0).duplicate
    logs.close()


@pytest.mark.parametrize("knows", ["append", "recover", "hear"])
@pytest.mark.parametrize("restarts", [1, 3])
def test_a_log_that_lost_what_a_server_knows_starts_another_epoch(
    persistent_redis: RedisServer, tmp_path: Path, knows: str, restarts: int
) -> None:
    """Such as the last seconds before a loss of power, which were not on the disk yet."""
    logs = Logs(persistent_redis.url)
    first = logs(prefix="asf:", by_callers_clock=False)
    other = logs(prefix="asf:", by_callers_clock=False)
    kept = first.append(UiUpdate("alice", "progress", 1), START, 0.0).update
    other.recover("alice", None, 0.0)
    heard = listen_to(other)
    if knows == "hear":
        other.follow("alice")
    copy = tmp_path / "copy"
    shutil.copytree(tmp_path / "redis" / "appendonlydir", copy)
    lost = first.append(UiUpdate("alice", "progress", 2), START, 0.0).update
    if knows == "hear":
        eventually(lambda: heard == [lost])
        first, other = other, first
    if knows == "recover":
        first, other = other, first
        assert first.recover("alice", EVERYTHING, 0.0).updates == (kept, lost)
    persistent_redis.kill()
    shutil.rmtree(tmp_path / "redis" / "appendonlydir")
    shutil.copytree(copy, tmp_path / "redis" / "appendonlydir")
    persistent_redis.start()
    for number in range(1, restarts):
        third = logs(prefix="asf:", by_callers_clock=False)  # of a server that knows nothing
        assert third.append(UiUpdate("bob", "progress", number), START, 0.0).update.epoch == kept.epoch
        persistent_redis.kill()
        persistent_redis.start()
    again = first.append(UiUpdate("alice", "progress", 3), START, 0.0).update
    assert again.epoch != kept.epoch
    assert again.seq == 1
    assert not first.recover("alice", Position(lost.epoch, lost.seq), 0.0).recovered
    assert other.append(UiUpdate("alice", "progress", 4), START, 0.0).update.epoch == again.epoch
    logs.close()


@pytest.mark.parametrize("patience", [HUNG_SECONDS])
def test_a_redis_that_hangs_is_an_error_until_it_goes_on(
    mortal_redis: RedisServer, mortal_log: RedisUpdateLog
) -> None:
    """What was sent to it meanwhile may have been kept; with a key, that is found out."""
    first = mortal_log.append(UiUpdate("alice", "progress", 1), START, 0.0).update
    mortal_redis.hang()
    update = UiUpdate("alice", "progress", 2, "key")
    with pytest.raises(UiEmitFailed, match="Redis"):
        mortal_log.append(update, START, 0.0)
    mortal_redis.resume()
    mortal_redis.wait_for_stragglers()
    again = mortal_log.append(update, START, 0.0)
    assert (again.update.seq, again.duplicate) == (2, True)
    recovery = mortal_log.recover("alice", EVERYTHING, 0.0)
    assert recovery.updates == (first, again.update)
    mortal_redis.hang()
    assert_lost(mortal_log)


def test_a_full_memory_is_an_error_and_nothing_is_half_done(
    mortal_redis: RedisServer, mortal_log: RedisUpdateLog
) -> None:
    """The next number is the next one."""
    first = mortal_log.append(UiUpdate("alice", "progress", 1), START, 0.0).update
    client = mortal_redis.client()
    client.config_set("maxmemory", "1")
    with pytest.raises(UiEmitFailed, match="memory"):
        mortal_log.append(UiUpdate("alice", "progress", 2), START, 0.0)
    client.config_set("maxmemory", "0")
    second = mortal_log.append(UiUpdate("alice", "progress", 3), START, 0.0).update
    assert mortal_log.recover("alice", EVERYTHING, 0.0).updates == (first, second)
    assert second.seq == 2
    client.close()


def test_what_is_lost_in_part_is_not_taken_for_the_whole(make_log: Logs) -> None:
    """A list was deleted: subscribers from before learn that they missed something, and the numbers continue."""
    prefix = f"{uuid4().hex}:"
    log = make_log(prefix=prefix)
    first = log.append(UiUpdate("alice", "progress", 1), START, START).update
    second = log.append(UiUpdate("alice", "progress", 2), START, START).update
    for key in make_log.client.keys(prefix + "updates:*"):
        make_log.client.delete(key)
    later = START + MAX_SECONDS - 1
    third = log.append(UiUpdate("alice", "progress", 3), later, later).update
    assert (third.epoch, third.seq) == (first.epoch, 3)
    recoveries = [log.recover("alice", position, later) for position in map(position_of, (first, second, third))]
    assert [(one.recovered, one.updates) for one in recoveries] == [(False, ()), (True, (third,)), (True, ())]
    log.append(UiUpdate("bob", "progress", 1), later + 2, later + 2)
    assert log.recover("alice", EVERYTHING, later + 2).updates == (third,)
    assert make_log.client.zcard(prefix + "places") == 2


class Servers:
    """Makes logs that share a Redis, each with a pub/sub reader and heartbeats, as a server has them."""

    def __init__(self, url: str, timing: Timing) -> None:
        self.prefix = f"{uuid4().hex}:"
        self._url = url
        self._timing = timing
        self._running: dict[RedisUpdateLog, tuple[Logs, threading.Thread]] = {}

    def start(self) -> RedisUpdateLog:
        """Return the log of another server."""
        logs = Logs(self._url)
        log = logs(prefix=self.prefix, timing=self._timing, by_callers_clock=False)
        thread = threading.Thread(target=log.run, daemon=True)
        thread.start()
        self._running[log] = logs, thread
        return log

    def kill(self, log: RedisUpdateLog) -> None:
        """End a server, which says nothing of it."""
        logs, thread = self._running.pop(log)
        log.close()
        thread.join(STOP_SECONDS)
        logs.close()

    def close(self) -> None:
        """End all servers."""
        for log in list(self._running):
            self.kill(log)


@pytest.fixture
def lease_seconds() -> float:
    """Return when a server is missed: soon. One that is slow to say that it is there may be missed for a moment."""
    return 1.0


@pytest.fixture
def timing(lease_seconds: float) -> Timing:
    """Return the timing of servers with frequent heartbeats."""
    return Timing(heartbeat_seconds=0.1, lease_seconds=lease_seconds)


@pytest.fixture
def servers(mortal_redis: RedisServer, timing: Timing) -> Iterator[Servers]:
    """Return servers with that timing."""
    servers = Servers(mortal_redis.url, timing)
    yield servers
    servers.close()


def subscribe(log: RedisUpdateLog, client_id: str, times: int = 1) -> None:
    """Subscribe as a router does."""
    for _ in range(times):
        log.follow(client_id)
        log.recover(client_id, None, 0.0)


def subscribers(log: RedisUpdateLog, client_id: str) -> int:
    """Return how many there are, as a publisher learns it."""
    return log.append(UiUpdate(client_id, "progress", 1), START, 0.0).subscribers


@pytest.mark.parametrize("lease_seconds", [PATIENCE_SECONDS])
def test_subscribers_are_counted_over_all_servers(servers: Servers) -> None:
    """Of each client by itself; one that leaves is not counted any more."""
    first, second, third = (servers.start() for _ in range(3))
    subscribe(first, "alice", 2)
    subscribe(second, "alice", 3)
    subscribe(second, "bob")
    eventually(lambda: (subscribers(third, "alice"), subscribers(third, "bob")) == (5, 1))
    assert (subscribers(first, "alice"), subscribers(second, "bob")) == (5, 1)
    second.unfollow("alice")
    second.unfollow("bob")
    eventually(lambda: (subscribers(third, "alice"), subscribers(third, "bob")) == (4, 0))


def test_a_server_that_died_counts_no_more(servers: Servers, mortal_redis: RedisServer) -> None:
    """And an update clears away what it left."""
    first, second = servers.start(), servers.start()
    subscribe(first, "alice", 2)
    subscribe(second, "alice", 3)
    eventually(lambda: subscribers(first, "alice") == 5)
    servers.kill(second)
    eventually(lambda: subscribers(first, "alice") == 2)
    client = mortal_redis.client()
    eventually(lambda: client.hlen(f"{servers.prefix}subscribers:alice") == 1)
    eventually(lambda: len(client.keys(f"{servers.prefix}server:*")) == 1)
    client.close()


@pytest.mark.parametrize("timing", [Timing(0.1, 1.0, 1, 0.3)])
def test_numbers_of_subscribers_last_as_long_as_their_server(servers: Servers, mortal_redis: RedisServer) -> None:
    """Without any update; when all servers of a client are dead, nothing is left."""
    first, second = servers.start(), servers.start()
    subscribe(first, "alice", 2)
    for client_id in ("alice", "bob"):
        subscribe(second, client_id)
    client = mortal_redis.client()
    counts = f"{servers.prefix}subscribers:"
    servers.kill(second)
    eventually(lambda: client.hlen(counts + "alice") == 1)
    eventually(lambda: not client.exists(counts + "bob"))
    eventually(lambda: subscribers(first, "alice") == 2)
    servers.kill(first)
    eventually(lambda: not client.keys(counts + "*") + client.keys(f"{servers.prefix}server:*"))
    client.close()


@pytest.mark.parametrize("harm", ["all is lost", "the server was away"])
def test_a_server_that_redis_does_not_know_any_more_sends_all_counts(
    servers: Servers, mortal_redis: RedisServer, harm: str
) -> None:
    """However it came to that."""
    first, second = servers.start(), servers.start()
    subscribe(first, "alice", 2)
    subscribe(second, "alice", 3)
    eventually(lambda: subscribers(first, "alice") == 5)
    client = mortal_redis.client()
    for key in client.keys("*" if harm == "all is lost" else f"{servers.prefix}server:*"):
        client.delete(key)
    subscribers(first, "alice")
    eventually(lambda: subscribers(first, "alice") == 5)
    eventually(lambda: client.hlen(f"{servers.prefix}subscribers:alice") == 2)
    client.close()


def test_what_may_have_been_missed_is_looked_for_until_that_succeeds(
    servers: Servers, mortal_redis: RedisServer
) -> None:
    """After a lost connection, however often Redis fails meanwhile; the counts are sent again."""
    log, other = servers.start(), servers.start()
    subscribe(log, "alice", 2)
    attempts: list[Exception | None] = [UiEmitFailed("lost"), RuntimeError("a bug"), None]
    made: list[Exception | None] = []

    def look() -> None:
        made.append(attempts[len(made)])
        if made[-1] is not None:
            raise made[-1]

    log.connect(lambda _update: None, look)
    client = mortal_redis.client()
    client.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
    eventually(lambda: len(made) >= 2)
    client.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
    eventually(lambda: made == attempts)
    eventually(lambda: subscribers(other, "alice") == 2)
    client.close()
