"""What several workers share: memory, limits, session ids and metrics; and how many of them a machine is for."""

import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from eventlet import hubs, patcher
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from asf.adapters.eventlet_runtime.hand_over import HandOver
from asf.adapters.eventlet_runtime.inbox import Inbox, end_of
from asf.adapters.prometheus import shared_page
from asf.adapters.prometheus.shared_page import Merged, SharedPage
from asf.adapters.workers.addresses import AddressCounts
from asf.adapters.workers.quota import SharedConnectionQuota
from asf.adapters.workers.seat import BEHIND_SECONDS, Seat
from asf.adapters.workers.session_ids import Owner, read_request_line
from asf.adapters.workers.table import AddressRow, Row, State, WorkerTable, create_file, size_of
from asf.domain.errors import RateLimited, TooManyConnections
from asf.domain.streaming.listener_limit import ListenerLimit
from asf.settings import SettingsError, cores, read_settings

SLOTS, CAPACITY = 3, 64
KEY = b"key"


@pytest.fixture
def table() -> Iterator[WorkerTable]:
    """Return the memory of three workers."""
    descriptor = create_file(size_of(SLOTS, CAPACITY))
    yield WorkerTable(descriptor, SLOTS, CAPACITY)
    os.close(descriptor)


def seat_of(
    table: WorkerTable, slot: int, generation: int | None = None, now: Callable[[], float] = time.monotonic
) -> Seat:
    """Return the seat of a worker that is ready."""
    owner = Owner(slot, slot + 1 if generation is None else generation)
    table.set(Row.GENERATION, slot, owner.generation)
    seat = Seat(table, owner, now)
    seat.set_state(State.READY)
    return seat


def quota_of(table: WorkerTable, slot: int, most: int, most_each: int) -> SharedConnectionQuota:
    """Return a worker's quota."""
    addresses = AddressCounts(table, AddressRow.CONNECTIONS, slot, KEY)
    return SharedConnectionQuota(table, Row.CONNECTIONS, slot, addresses, most, most_each)


def test_what_one_process_writes_another_reads(table: WorkerTable) -> None:
    """Through the descriptor, which it inherits."""
    other = WorkerTable(table.descriptor, SLOTS, CAPACITY)
    table.set(Row.LISTENERS, 2, 7)
    assert other.get(Row.LISTENERS, 2) == other.total(Row.LISTENERS) == 7


def test_connections_are_limited_over_all_workers(table: WorkerTable) -> None:
    """In total, and by address."""
    first, second = quota_of(table, 0, 4, 2), quota_of(table, 1, 4, 2)
    first.take("192.0.2.1")
    second.take("192.0.2.1")
    assert isinstance(first.rejection("192.0.2.1"), RateLimited)
    assert first.rejection("192.0.2.2") is None
    first.take("192.0.2.2")
    second.take("192.0.2.3")
    assert isinstance(second.rejection("192.0.2.4"), TooManyConnections)
    assert (len(first), len(second)) == (2, 2)
    second.release("192.0.2.1")
    assert first.rejection("192.0.2.1") is None


def test_the_counts_of_a_worker_that_has_ended_are_forgotten(table: WorkerTable) -> None:
    """Those of others are not."""
    first, second = quota_of(table, 0, 9, 2), quota_of(table, 1, 9, 2)
    for quota in (first, first, second):
        quota.take("192.0.2.1")
    table.clear(0)
    assert second.total == 1
    assert second.rejection("192.0.2.1") is None


@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 20), st.booleans()), max_size=200))
def test_counts_by_address_are_exact(changes: list[tuple[int, int, bool]]) -> None:
    """Whatever comes and goes, at whichever worker; against dictionaries."""
    descriptor = create_file(size_of(SLOTS, CAPACITY))
    table = WorkerTable(descriptor, SLOTS, CAPACITY)
    counts = [AddressCounts(table, AddressRow.CONNECTIONS, slot, KEY) for slot in range(2)]
    model: dict[tuple[int, int], int] = {}
    for slot, number, is_more in changes:
        have = model.get((slot, number), 0)
        if is_more or have:
            counts[slot].add(f"a{number}", 1 if is_more else -1)
            model[slot, number] = have + (1 if is_more else -1)
    for number in range(21):
        assert counts[0].total(f"a{number}") == model.get((0, number), 0) + model.get((1, number), 0)
    os.close(descriptor)


def test_addresses_that_come_and_go_take_no_room(table: WorkerTable) -> None:
    """Many times more than there is room for."""
    counts = AddressCounts(table, AddressRow.CONNECTIONS, 0, KEY)
    for number in range(20 * CAPACITY):
        counts.add(f"a{number}", 1)
        assert counts.total(f"a{number}") == 1
        counts.add(f"a{number}", -1)


def test_of_two_listeners_for_one_place_at_most_one_is_admitted() -> None:
    """Each is noted before the sum is taken."""
    noted = [0, 0]
    limits = [
        ListenerLimit(3, lambda: noted[1], lambda count: noted.__setitem__(0, count)),
        ListenerLimit(3, lambda: noted[0], lambda count: noted.__setitem__(1, count)),
    ]
    assert [limits[0].admits(0), limits[1].admits(0), limits[0].admits(1)] == [True, True, True]
    assert not limits[1].admits(1)
    assert noted == [2, 1]
    limits[0].release(1)
    assert limits[1].admits(1)


@pytest.mark.parametrize(
    ("line", "owner", "sid"),
    [
        (b"GET /socket.io/?EIO=4&transport=polling&sid=1-23-abc HTTP/1.1\r\n", Owner(1, 23), b"1-23-abc"),
        (b"GET /socket.io/?sid=0-1-a&sid=1-2-b HTTP/1.1\r\n", Owner(0, 1), b"0-1-a"),
        (b"POST http://a.example/socket.io/?sid=1-2-x&t=1 HTTP/1.1\r\n", Owner(1, 2), b"1-2-x"),
        (b"GET /socket.io/?sid=abc HTTP/1.1\r\n", None, b"abc"),
        (b"GET /socket.io/?sid=1-99999999999999999-a HTTP/1.1\r\n", None, b"1-99999999999999999-a"),
        (b"GET /socket.io/?EIO=4&xsid=1-2-a HTTP/1.1\r\n", None, b""),
        (b"GET /socket.io/?sid= HTTP/1.1\r\n", None, b""),
    ],
)
def test_the_first_line_says_whose_a_request_is(line: bytes, owner: Owner | None, sid: bytes) -> None:
    """Of several ids the first one counts, as for the library."""
    request = read_request_line(line)
    assert request is not None
    assert (request.owner, request.sid) == (owner, sid)


@pytest.mark.parametrize(
    "line", [b"GET /socket.iox/?sid=1-2-a HTTP/1.1\r\n", b"GET /a?x=/socket.io/?sid=1-2-a HTTP/1.1\r\n", b"\r\n", b""]
)
def test_other_requests_are_anybodys(line: bytes) -> None:
    """Also where a path or a query looks similar."""
    assert read_request_line(line) is None


@given(st.binary(max_size=200))
def test_any_line_can_be_read(line: bytes) -> None:
    """None raises."""
    read_request_line(b"GET /socket.io/?" + line)
    read_request_line(line)


def test_only_living_workers_have_sessions(table: WorkerTable) -> None:
    """Of this generation, in a slot that exists."""
    first, second = seat_of(table, 0), seat_of(table, 1)
    assert first.has(second.me)
    assert not first.has(Owner(1, 99))
    assert not first.has(Owner(99, 1))
    assert not first.has(first.me)
    table.clear(1)
    assert not first.has(second.me)


def test_a_worker_with_more_connections_leaves_some_to_others(table: WorkerTable) -> None:
    """Those that are under way count."""
    first, second = seat_of(table, 0), seat_of(table, 1)
    assert first.lighter() is None
    table.set(Row.CONNECTIONS, 0, 2)
    assert first.lighter() == 1
    assert second.lighter() is None
    table.note_sent(0, 1, 1)
    assert first.lighter() is None
    table.set(Row.RECEIVED, 1, table.sent_to(1))
    assert first.lighter() == 1
    second.set_state(State.DRAINING)
    assert first.lighter() is None


class Empty(Exception):
    """Nothing more is in the inbox."""


@pytest.mark.parametrize("is_full", [False, True])
def test_a_connection_that_arrives_before_its_sender_goes_on_is_not_under_way(
    table: WorkerTable, monkeypatch: pytest.MonkeyPatch, is_full: bool
) -> None:
    """Nor one that could not be sent. Else its worker would be taken for one that receives nothing."""
    first, second = seat_of(table, 0), seat_of(table, 1)
    table.set(Row.CONNECTIONS, 0, 100)
    sending, arriving = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listening = socket.create_server(("127.0.0.1", 0))
    client = socket.create_connection(listening.getsockname())
    accepted, _ = listening.accept()
    inboxes = [end_of(os.dup(end.fileno())) for end in (sending, sending)]
    hand_over = HandOver(first, inboxes)
    inbox = Inbox(second, hand_over, end_of(os.dup(arriving.fileno())), listening)
    received: list[socket.socket] = []
    really_send = socket.send_fds

    def trampoline(*_arguments: object, **_options: object) -> None:
        raise Empty

    def send(*arguments: Any) -> None:
        """Send, and let the other worker go on at once, until it waits."""
        if is_full:
            raise BlockingIOError
        really_send(*arguments)
        with suppress(Empty):
            while True:
                received.append(inbox.accept()[0])

    monkeypatch.setattr(hubs, "trampoline", trampoline)
    monkeypatch.setattr(patcher.original("socket"), "send_fds", send)
    assert hand_over.keeps(accepted) == is_full
    assert len(received) == (not is_full)
    assert table.under_way_to(1) == 0
    inbox.close()
    for one in (*received, *inboxes, sending, arriving, listening, client, accepted):
        one.close()


def test_a_worker_that_receives_nothing_is_sent_nothing_else(table: WorkerTable) -> None:
    """It may have stopped. What only that worker can serve is sent to it nevertheless."""
    seconds = 100.0
    first, second = seat_of(table, 0, now=lambda: seconds), seat_of(table, 1)
    table.set(Row.CONNECTIONS, 0, 100)
    first.note_sent(1)
    assert first.lighter() == 1
    seconds += BEHIND_SECONDS
    assert first.lighter() == 1
    seconds += 0.01
    assert first.lighter() is None
    assert first.has(second.me)
    first.note_sent(1)
    assert first.lighter() is None
    table.set(Row.RECEIVED, 1, 1)  # It goes on, and is slow.
    assert first.lighter() == 1
    seconds += BEHIND_SECONDS + 0.01
    assert first.lighter() is None
    first.set_state(State.DRAINING)  # Else its connections would end with it.
    assert first.lighter() == 1
    first.set_state(State.READY)
    table.set(Row.RECEIVED, 1, 2)
    seconds += 1000
    assert first.lighter() == 1


def test_a_worker_that_drains_leaves_everything_to_others(table: WorkerTable) -> None:
    """Unless there are none."""
    first, second = seat_of(table, 0), seat_of(table, 1)
    table.set(Row.CONNECTIONS, 1, 1000)
    first.set_state(State.DRAINING)
    assert first.lighter() == 1
    second.set_state(State.DRAINING)
    assert first.lighter() is None


def test_workers_that_drain_together_wait_for_each_others_listeners(table: WorkerTable) -> None:
    """One that is replaced does not: the others go on."""
    first, second = seat_of(table, 0), seat_of(table, 1)
    table.set(Row.LISTENERS, 0, 5)
    table.set(Row.LISTENERS, 1, 3)
    first.set_state(State.DRAINING)
    assert first.listeners_beside() == 0
    second.set_state(State.DRAINING)
    assert (first.listeners_beside(), second.listeners_beside()) == (3, 5)
    table.clear(1)
    assert first.listeners_beside() == 0


def _nothing(*_arguments: object) -> None:
    """Neither wait, nor ask."""


def page_of(number: int) -> bytes:
    """Return metrics in which everything is `number`."""
    registry = CollectorRegistry()
    Counter("c", "Counts.", ["kind"], registry=registry).labels("a").inc(number)
    Gauge("g", "Now.", registry=registry).set(number)
    Gauge("asf_redis_connected", "Whether.", registry=registry).set(number)
    Gauge("asf_catalog_streams", "Streams.", ["state"], registry=registry).labels("complete").set(number)
    Histogram("h", "Times.", buckets=(1, 5), registry=registry).observe(number)
    return generate_latest(registry)


def test_metrics_are_added_up() -> None:
    """Those of workers that have ended, as far as they only increase."""
    merged = Merged(_nothing)
    merged.add(page_of(1).decode(), is_live=True)
    merged.add(page_of(3).decode(), is_live=True)
    merged.add(page_of(9).decode(), is_live=False)
    lines = merged.render().decode().splitlines()
    for line in (
        'c_total{kind="a"} 13.0',
        "g 4.0",
        "asf_redis_connected 1.0",
        'asf_catalog_streams{state="complete"} 3.0',
        'h_bucket{le="1.0"} 1.0',
        'h_bucket{le="5.0"} 2.0',
        'h_bucket{le="+Inf"} 3.0',
        "h_sum 13.0",
        "# TYPE c_total counter",
    ):
        assert line in lines, lines


def test_counters_do_not_go_back_when_a_worker_is_replaced(table: WorkerTable, tmp_path: Path) -> None:
    """Nor when the next one in its slot is."""
    seat_of(table, 0)
    asked: list[int] = []
    for generation, total in ((5, 2.0), (6, 4.0), (7, 6.0)):
        page = SharedPage(
            lambda: page_of(2), tmp_path, seat_of(table, 1, generation), asked.append, _nothing, _nothing
        )
        assert f'c_total{{kind="a"}} {total}' in page.render().decode().splitlines()
        assert "g 2.0" in page.render().decode().splitlines()
        assert f'c_total{{kind="a"}} {total}' in page.render().decode().splitlines()
    assert set(asked) == {0}


def test_a_worker_that_does_not_answer_delays_the_page_for_a_moment_only(
    table: WorkerTable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it has written before counts."""
    monkeypatch.setattr(shared_page, "WAIT_SECONDS", 0.0)
    other = SharedPage(lambda: page_of(3), tmp_path, seat_of(table, 0), _nothing, _nothing, _nothing)
    other.write()
    page = SharedPage(lambda: page_of(2), tmp_path, seat_of(table, 1), _nothing, _nothing, _nothing)
    assert "g 5.0" in page.render().decode().splitlines()


@pytest.mark.parametrize(
    ("files", "count"),
    [
        ({}, 8),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "150000 100000\n"}, 2),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "max 100000\n"}, 8),
        ({"proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/cpu.max": "50000 100000\n"}, 1),
        (
            {
                "proc/self/cgroup": "0::/a/b\n",
                "sys/fs/cgroup/a/cpu.max": "300000 100000\n",
                "sys/fs/cgroup/a/b/cpu.max": "max 100000\n",
            },
            3,
        ),
        ({"proc/self/cgroup": "0::/docker/123\n", "sys/fs/cgroup/cpu.max": "150000 100000\n"}, 2),
        (
            {
                "proc/self/cgroup": "4:cpu,cpuacct:/x\n1:name=systemd:/\n",
                "sys/fs/cgroup/cpu,cpuacct/x/cpu.cfs_quota_us": "250000\n",
                "sys/fs/cgroup/cpu,cpuacct/x/cpu.cfs_period_us": "100000\n",
            },
            3,
        ),
        (
            {
                "proc/self/cgroup": "4:cpu:/\n",
                "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n",
                "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
            },
            8,
        ),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "nonsense\n"}, 8),
        ({"proc/self/cgroup": "nonsense"}, 8),
    ],
)
def test_a_cpu_quota_limits_the_cores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, str], count: int
) -> None:
    """Rounded up, of this control group or one above it."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: set(range(8)))
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    assert cores.available_cores(tmp_path) == count


def test_auto_is_the_number_of_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many as the setting permits."""
    monkeypatch.setattr("asf.settings.parsing.available_cores", lambda: 3)
    assert read_settings({"ASF_WORKERS": "auto"}).workers == 3
    monkeypatch.setattr("asf.settings.parsing.available_cores", lambda: 500)
    assert read_settings({"ASF_WORKERS": "auto"}).workers == 64


@pytest.mark.parametrize("text", ["0", "65", "1000", "-1", "1.5", "all", ""])
def test_other_numbers_are_rejected(text: str) -> None:
    """In one line that says what is possible."""
    with pytest.raises(SettingsError) as raised:
        read_settings({"ASF_WORKERS": text})
    assert raised.value.problems == [f"ASF_WORKERS must be auto or an integer between 1 and 64 (got {text!r})."]
