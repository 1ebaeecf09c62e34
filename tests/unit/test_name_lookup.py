"""Names are looked up as the C library does, each time anew, and hold up only those who ask.

Each program runs under the patched standard library, with a resolver in place of the C library's that it controls.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.bounds import COMMAND_SECONDS
from tests.support.faults import MOVING_NAME
from tests.support.redis_server import RedisServer

PREAMBLE = """
from asf.adapters.eventlet_runtime.patching import patch_standard_library
patch_standard_library()
import json, socket, sys, time
import eventlet
from eventlet import patcher
from asf.adapters.eventlet_runtime import name_lookup
from asf.adapters.redis_store.catalog import RedisCatalogStore
from asf.adapters.redis_store.connection import connect
from asf.adapters.redis_store.pubsub import RedisPubSub
from asf.domain.errors import CatalogUnavailable

original, threads = patcher.original("socket"), patcher.original("threading")
real = original.getaddrinfo
ports = [int(port) for port in sys.argv[1:]]
port = ports[0] if ports else 0
asked, answers, silent = [], threads.Event(), False
answers.set()

def resolve(host, service, *arguments, **options):
    if host != "redis.example" or options.get("flags", 0) & socket.AI_NUMERICHOST:
        return real(host, service, *arguments, **options)
    asked.append(threads.get_ident())
    answers.wait()
    if port is None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    return real("127.0.0.1", port, *arguments, **options)

original.getaddrinfo = resolve
client = connect("redis://redis.example:6379/0?socket_timeout=60&socket_connect_timeout=60&timeout=60")
store = RedisCatalogStore(client, RedisPubSub(client))

def outcome():
    try:
        store.get("one")
        return "answered"
    except CatalogUnavailable as error:
        return error.details
"""

MOVING = """
outcomes = [outcome()]
client.connection_pool.disconnect()
port = ports[1]
outcomes.append(outcome())
server = client.info("server")["tcp_port"]
client.connection_pool.disconnect()
port = None
outcomes.append(outcome())
port = ports[0]
outcomes.append(outcome())
print(json.dumps({"outcomes": outcomes, "moved": server == ports[1], "asked": len(asked)}))
"""

SILENT = """
answers.clear()
turns = 0

def tick():
    global turns
    while True:
        turns += 1
        eventlet.sleep(0.001)

eventlet.spawn(tick)
asking = [eventlet.spawn(outcome) for _ in range(20)]
outcomes = [one.wait() for one in asking]
name_lookup.RETRY_SECONDS = 0.0  # As if time passed.
outcomes += [outcome() for _ in range(12)]
turned, lookups = turns, len(asked)
answers.set()
while len(socket.getaddrinfo._started):
    eventlet.sleep(0.001)
print(json.dumps({
    "outcomes": sorted(set(outcomes)), "turned": turned > 20, "lookups": lookups, "afterwards": outcome(),
    "in threads": threads.main_thread().ident not in asked,
}))
"""

SLOW = """
answers.clear()
outcomes = [outcome()]
answers.set()
while len(socket.getaddrinfo._started):
    eventlet.sleep(0.001)
answers.clear()
outcomes.append(outcome())
print(json.dumps({"outcomes": outcomes, "asked": len(asked)}))
"""

NUMERIC = """
started = []
name_lookup._original_threads.start_new_thread = lambda *arguments: started.append(arguments)
found = [
    socket.getaddrinfo("127.0.0.1", 80, type=socket.SOCK_STREAM)[0][4],
    socket.getaddrinfo("::1", "80", 0, socket.SOCK_STREAM)[0][4],
    socket.getaddrinfo(None, 80, socket.AF_INET, socket.SOCK_STREAM)[0][4],
]
print(json.dumps({"found": found, "threads": len(started), "greendns": "eventlet.support.greendns" in sys.modules}))
"""

ELSEWHERE = """
def ask():
    found.append(socket.getaddrinfo("redis.example", 1, 0, socket.SOCK_STREAM)[0][4])

port, found = 7, []
thread = threads.Thread(target=ask)
thread.start()
thread.join()
ask()
print(json.dumps({"found": found, "own thread": asked[0] == thread.ident}))
"""


def run_patched(program: str, *ports: int) -> Any:
    """Run a program with the parts of a server in it, and return what it prints."""
    done = subprocess.run(
        [sys.executable, "-c", PREAMBLE + program, *map(str, ports)],
        cwd=Path(__file__).parents[2],
        env={name: value for name, value in os.environ.items() if name != "EVENTLET_NO_GREENDNS"},
        capture_output=True,
        text=True,
        timeout=COMMAND_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@MOVING_NAME
def test_a_name_is_looked_up_anew_for_each_connection(shared_redis: RedisServer, mortal_redis: RedisServer) -> None:
    """One that moves, and one that is missing for a moment, is followed with the next connection."""
    said = run_patched(MOVING, shared_redis.port, mortal_redis.port)
    assert said == {
        "outcomes": ["answered", "answered", "Redis is unreachable.", "answered"],
        "moved": True,
        "asked": 4,
    }


@MOVING_NAME
def test_a_silent_name_server_holds_up_only_those_who_ask(shared_redis: RedisServer) -> None:
    """They share lookups, are refused, and are served once it answers; the number of threads is bounded."""
    assert run_patched(SILENT, shared_redis.port) == {
        "outcomes": ["Redis is unreachable."],
        "turned": True,
        "lookups": 8,
        "afterwards": "answered",
        "in threads": True,
    }


@MOVING_NAME
def test_an_answer_that_comes_late_serves_the_next_one(shared_redis: RedisServer) -> None:
    """A name server that always takes longer than a lookup may is of use nevertheless."""
    assert run_patched(SLOW, shared_redis.port) == {"outcomes": ["Redis is unreachable.", "answered"], "asked": 1}


def test_an_address_needs_no_thread() -> None:
    """However it is written."""
    said = run_patched(NUMERIC)
    assert said == {
        "found": [["127.0.0.1", 80], ["::1", 80, 0, 0], ["127.0.0.1", 80]],
        "threads": 0,
        "greendns": False,
    }


def test_a_worker_thread_looks_up_by_itself() -> None:
    """It may block, and has no event loop."""
    assert run_patched(ELSEWHERE) == {"found": [["127.0.0.1", 7]] * 2, "own thread": True}


@pytest.mark.parametrize("name", ["gethostbyname", "gethostbyname_ex", "getnameinfo"])
def test_all_functions_that_look_up_names_are_replaced(name: str) -> None:
    """Also in eventlet's own module, from which its `connect` takes them."""
    program = (
        "from eventlet.green import socket as green\n"
        f"print(json.dumps([type(one.{name}).__name__ for one in (socket, green)]))"
    )
    assert run_patched(program) == ["NameLookup", "NameLookup"]


def test_an_unknown_name_is_the_error_of_the_c_library() -> None:
    """For each of those who share the lookup."""
    program = """
port = None

def ask():
    try:
        socket.getaddrinfo("redis.example", 1)
    except socket.gaierror as error:
        return error.args, id(error)

errors = [one.wait() for one in [eventlet.spawn(ask) for _ in range(3)]]
said = {json.dumps(arguments) for arguments, _ in errors}
print(json.dumps({"said": list(map(json.loads, said)), "asked": len(asked)}))
"""
    assert run_patched(program) == {"said": [[-2, "Name or service not known"]], "asked": 1}
