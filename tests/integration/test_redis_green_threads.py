"""Under the runtime's patched standard library, Redis holds up only those who ask it."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.support.bounds import COMMAND_SECONDS
from tests.support.redis_server import RedisServer
from tests.support.sentinels import SentinelTrio

PREAMBLE = """
from asf.adapters.eventlet_runtime.patching import patch_standard_library
patch_standard_library()
import json, os, signal, sys, time
from itertools import count
import eventlet
from asf.adapters.redis_store.catalog import RedisCatalogStore
from asf.adapters.redis_store.connection import connect
from asf.adapters.redis_store.grouped_reads import WAIT_SECONDS
from asf.adapters.redis_store.pubsub import RedisPubSub
from asf.adapters.redis_store.update_log import Limits, RedisUpdateLog
from asf.domain.streams.stream import AudioStream, FileLocator
from asf.domain.updates.update import UiUpdate
from asf.domain.errors import CatalogUnavailable, UiEmitFailed

url, pid, *others = sys.argv[1], *map(int, sys.argv[2:])
plain_url = url.partition("?")[0]  # with the product's own time-outs
client = connect(url)
client.connection_pool.timeout = 60.0
store = RedisCatalogStore(client, RedisPubSub(client))
epochs = count()
log = RedisUpdateLog(client, RedisPubSub(client), Limits(1000, 60.0), lambda: f"epoch-{next(epochs)}")
"""

HOLDING = """
store.put(AudioStream("one", FileLocator("/audio/one.mp3")), None, 10)
log.append(UiUpdate("alice", "progress", 0), 0.0, 0.0)
ended = []

def ask(number):
    if number % 2:
        ended.append(store.get("one").stream_id)
    else:
        ended.append(log.append(UiUpdate("alice", "progress", number), 0.0, 0.0).update.client_id)

os.kill(pid, signal.SIGSTOP)
asking = [eventlet.spawn(ask, number) for number in range(200)]
for _ in range(100):
    eventlet.sleep(0.001)
ended_while_held = len(ended)
os.kill(pid, signal.SIGCONT)
for one in asking:
    one.wait()
print(json.dumps({"ended while held": ended_while_held, "ended": len(ended)}))
"""

HANGING = """
from asf.adapters.redis_store.master_finder import MasterFinder
from collections import defaultdict
from queue import LifoQueue
import socket

store.put(AudioStream("one", FileLocator("/audio/one.mp3")), None, 10)
log.append(UiUpdate("alice", "progress", 0), 0.0, 0.0)
client = connect(plain_url)
store = RedisCatalogStore(client, RedisPubSub(client))
log = RedisUpdateLog(client, RedisPubSub(client), Limits(1000, 60.0), lambda: f"epoch-{next(epochs)}")
if others:
    client.connection_pool.find_master.func(60.0)  # They have named the master.
waits = defaultdict(float)
find, get, connect_to, receive = MasterFinder.find, LifoQueue.get, socket.socket.connect, socket.socket.recv_into

def note(seconds):
    waits[eventlet.getcurrent()] += seconds

def find_noted(finder, seconds):
    note(seconds)
    return find(finder, seconds)

def get_noted(places, block=True, timeout=None):
    note(timeout)
    return get(places, block, timeout)

def connect_noted(connection, address):
    note(connection.gettimeout())
    return connect_to(connection, address)

def receive_noted(connection, *arguments):
    note(connection.gettimeout())
    return receive(connection, *arguments)

MasterFinder.find, LifoQueue.get = find_noted, get_noted
socket.socket.connect, socket.socket.recv_into = connect_noted, receive_noted

def ask(number):
    try:
        if number % 2:
            store.get("one")
        else:
            log.append(UiUpdate("alice", "progress", number), 0.0, 0.0)
        return "answered"
    except (CatalogUnavailable, UiEmitFailed) as error:
        return error.error_code

for one in (pid, *others):
    os.kill(one, signal.SIGSTOP)
asking = [eventlet.spawn(ask, number) for number in range(200)]
codes = sorted({one.wait() for one in asking})
for one in (pid, *others):
    os.kill(one, signal.SIGCONT)
# Those who read wait for the first of their group, and that one a little for the group before.
waited = [waits[one] for one in asking if one in waits]
longest = max(waited) + WAIT_SECONDS
print(json.dumps({"codes": codes, "asked": len(waited), "least": min(waited), "longest": longest}))
"""

CROWDING = """
def send(number):
    store.get("one")
    return log.append(UiUpdate("alice", "progress", number), 0.0, 0.0).update.seq

sending = [eventlet.spawn(send, number) for number in range(500)]
numbers = [one.wait() for one in sending]
print(json.dumps({"numbers": sorted(numbers), "connections": len(client.client_list())}))
"""

HERDING = """
import queue
from types import SimpleNamespace
from eventlet.greenio import base
from asf.adapters.redis_store import pool

worked = 0.0

def clock():
    global worked
    worked += 1e-9  # No two moments are the same.
    return worked

def work(seconds):
    global worked
    worked += seconds

# Time passes only while this process works: however slow the machine and Redis are, they take no time.
eventlet.hubs.get_hub().clock = queue.time = clock
base.time = SimpleNamespace(time=clock)
pool.time = SimpleNamespace(monotonic=clock)
client = connect(plain_url)
store = RedisCatalogStore(client, RedisPubSub(client))

def join(number):
    work(0.001)
    try:
        store.get("one")
        return "answered"
    except CatalogUnavailable as error:
        return error.details
    finally:
        work(0.002)

joining = [eventlet.spawn(join, number) for number in range(400)]
outcomes = sorted({one.wait() for one in joining})
print(json.dumps({"outcomes": outcomes, "worked": worked}))
"""

BUSY = """
import select, socket
from eventlet import patcher
from asf.adapters.redis_store.connection import RESPONSE_SECONDS

store.put(AudioStream("one", FileLocator("/audio/one.mp3")), None, 10)
connection = client.connection_pool.get_connection()
answer = connection._sock.fileno()
client.connection_pool.release(connection)
woken, waking = socket.socketpair()
send = connection.send_packed_command

def send_and_wake(*arguments, **options):
    send(*arguments, **options)
    waking.send(b".")

def work():
    woken.recv(1)
    end = time.monotonic() + 2 * RESPONSE_SECONDS
    os.kill(pid, signal.SIGCONT)
    patcher.original("select").select([answer], [], [])
    while time.monotonic() < end:
        pass

def ask():
    try:
        return store.get("one").stream_id
    except CatalogUnavailable as error:
        return error.details

connection.send_packed_command = send_and_wake
os.kill(pid, signal.SIGSTOP)
working, asking = eventlet.spawn(work), eventlet.spawn(ask)
print(json.dumps({"outcome": asking.wait()}))
"""


def run_patched(program: str, redis: RedisServer, trio: SentinelTrio | None = None) -> dict[str, Any]:
    """Run a program with the parts of a server in it, and return what it prints. `trio` may name the Redis."""
    pids = [redis.pid] + ([one.pid for one in trio.sentinels] if trio else [])
    done = subprocess.run(
        [sys.executable, "-c", PREAMBLE + program, trio.url if trio else redis.url, *map(str, pids)],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=COMMAND_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    said: dict[str, Any] = json.loads(done.stdout)
    return said


def test_a_redis_that_hangs_holds_up_only_those_who_ask_it(mortal_redis: RedisServer) -> None:
    """While a crowd, larger than the number of connections, waits for it, others have their turns."""
    assert run_patched(HOLDING, mortal_redis) == {"ended while held": 0, "ended": 200}


def test_all_of_a_crowd_have_an_error_while_redis_hangs(mortal_redis: RedisServer) -> None:
    """What each waits for, a connection of the few as well, takes a second at most."""
    said = run_patched(HANGING, mortal_redis)
    assert said["codes"] == ["ASF_CATALOG_UNAVAILABLE", "ASF_SOCKETIO_EMIT_FAILED"]
    assert said["asked"] > 100
    assert 0 < said["least"] <= said["longest"] <= 1.0


def test_all_of_a_crowd_have_an_error_while_sentinels_hang_as_well(sentinels: SentinelTrio) -> None:
    """Waiting for them is a part of that second."""
    said = run_patched(HANGING, sentinels.master, sentinels)
    assert said["codes"] == ["ASF_CATALOG_UNAVAILABLE", "ASF_SOCKETIO_EMIT_FAILED"]
    assert said["asked"] > 100
    assert 0 < said["least"] <= said["longest"] <= 1.0


def test_a_crowd_shares_the_connections(mortal_redis: RedisServer) -> None:
    """Nobody is refused, and the numbers have no gaps."""
    said = run_patched(CROWDING, mortal_redis)
    assert said["numbers"] == list(range(1, 501))
    assert said["connections"] <= 32


def test_a_server_that_is_busy_does_not_take_that_for_a_lost_redis(mortal_redis: RedisServer) -> None:
    """When another server dies, all its listeners come at once, and wait for places longer than Redis takes."""
    said = run_patched(HERDING, mortal_redis)
    assert said["outcomes"] == ["answered"]
    assert said["worked"] > 1.2


def test_an_answer_that_came_while_the_server_was_busy_is_seen(mortal_redis: RedisServer) -> None:
    """Although the time for it is over by then: nobody looked."""
    assert run_patched(BUSY, mortal_redis) == {"outcome": "one"}
