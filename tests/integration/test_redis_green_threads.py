"""Under the runtime's patched standard library, Redis holds up only those who ask it."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.support.bounds import STOP_SECONDS
from tests.support.redis_server import RedisServer

PREAMBLE = """
from asf.adapters.eventlet_runtime.patching import patch_standard_library
patch_standard_library()
import json, os, signal, sys, time
from itertools import count
import eventlet
from asf.adapters.redis_store.catalog import RedisCatalogStore
from asf.adapters.redis_store.connection import connect
from asf.adapters.redis_store.news import RedisNews
from asf.adapters.redis_store.update_log import RedisUpdateLog
from asf.domain import AudioStream, FileLocator, UiUpdate
from asf.domain.errors import CatalogUnavailable, UiEmitFailed

url, pid = sys.argv[1], int(sys.argv[2])
client = connect(url)
store = RedisCatalogStore(client, RedisNews(client))
epochs = count()
log = RedisUpdateLog(client, RedisNews(client), 1000, 60.0, lambda: f"epoch-{next(epochs)}")
"""

HANGING = """
store.put(AudioStream("one", FileLocator("/audio/one.mp3")), None, 10)
log.append(UiUpdate("alice", "progress", 0), 0.0, 0.0)
ticks = []

def tick():
    while True:
        ticks.append(time.monotonic())
        eventlet.sleep(0.01)

def ask(number):
    start = time.monotonic()
    try:
        if number % 2:
            store.get("one")
        else:
            log.append(UiUpdate("alice", "progress", number), 0.0, 0.0)
        return "answered", time.monotonic() - start
    except (CatalogUnavailable, UiEmitFailed) as error:
        return error.error_code, time.monotonic() - start

clock = eventlet.spawn(tick)
os.kill(pid, signal.SIGSTOP)
asking = [eventlet.spawn(ask, number) for number in range(200)]
outcomes = [one.wait() for one in asking]
os.kill(pid, signal.SIGCONT)
clock.kill()
gaps = [later - earlier for earlier, later in zip(ticks, ticks[1:])]
print(json.dumps({
    "codes": sorted({code for code, _ in outcomes}),
    "longest": max(seconds for _, seconds in outcomes),
    "ticks": len(ticks),
    "gap": max(gaps),
}))
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
def work(seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass

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
print(json.dumps({"outcomes": sorted({one.wait() for one in joining})}))
"""

BUSY = """
import select, socket
from eventlet import patcher
from asf.adapters.redis_store.connection import ANSWER_SECONDS

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
    end = time.monotonic() + 2 * ANSWER_SECONDS
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


def run_patched(program: str, redis: RedisServer) -> dict[str, Any]:
    """Run a program with the parts of a server in it, and return what it prints."""
    done = subprocess.run(
        [sys.executable, "-c", PREAMBLE + program, redis.url, str(redis.pid)],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=STOP_SECONDS * 3,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    said: dict[str, Any] = json.loads(done.stdout)
    return said


def test_a_redis_that_hangs_holds_up_only_those_who_ask_it(mortal_redis: RedisServer) -> None:
    """All of a crowd, larger than the number of connections, have an error within a second; others run meanwhile."""
    said = run_patched(HANGING, mortal_redis)
    assert said["codes"] == ["ASF_CATALOG_UNAVAILABLE", "ASF_SOCKETIO_EMIT_FAILED"]
    assert said["longest"] < 1.0
    assert said["ticks"] > 10
    assert said["gap"] < 0.2


def test_a_crowd_shares_the_connections(mortal_redis: RedisServer) -> None:
    """Nobody is refused, and the numbers have no gaps."""
    said = run_patched(CROWDING, mortal_redis)
    assert said["numbers"] == list(range(1, 501))
    assert said["connections"] <= 32


def test_a_server_that_is_busy_does_not_take_that_for_a_lost_redis(mortal_redis: RedisServer) -> None:
    """When another server dies, all its listeners come at once, and wait for places longer than Redis takes."""
    assert run_patched(HERDING, mortal_redis) == {"outcomes": ["answered"]}


def test_an_answer_that_came_while_the_server_was_busy_is_seen(mortal_redis: RedisServer) -> None:
    """Although the time for it is over by then: nobody looked."""
    assert run_patched(BUSY, mortal_redis) == {"outcome": "one"}
