"""The runtimes."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import eventlet
import pytest
from eventlet import tpool

from asf.adapters.eventlet_runtime.runtime import EventletRuntime
from tests.contracts.runtime import RuntimeContract
from tests.support.bounds import PATIENCE_SECONDS
from tests.support.threads_runtime import ThreadsRuntime


class TestEventletRuntime(RuntimeContract):
    """Green threads, on the hub of this thread."""

    @pytest.fixture
    def runtime(self) -> Iterator[EventletRuntime]:
        yield EventletRuntime()
        tpool.killall()

    @pytest.fixture
    def pause(self) -> Callable[[float], object]:
        sleep: Callable[[float], object] = eventlet.sleep
        return sleep


class TestThreadsRuntime(RuntimeContract):
    """Plain threads."""

    @pytest.fixture
    def runtime(self) -> ThreadsRuntime:
        return ThreadsRuntime()

    @pytest.fixture
    def pause(self) -> Callable[[float], object]:
        return time.sleep


BLOCKED = """
from asf.adapters.eventlet_runtime.patching import patch_standard_library
patch_standard_library()
import eventlet
from asf.adapters.eventlet_runtime.runtime import EventletRuntime

time = eventlet.patcher.original("time")
EventletRuntime().run_in_thread(lambda: time.sleep(3600), lambda: None)
eventlet.sleep(0.1)
print("end")
"""


def test_a_process_exits_while_a_worker_thread_is_blocked() -> None:
    """The library would wait for the thread."""
    program = [sys.executable, "-c", BLOCKED]
    result = subprocess.run(program, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=True)
    assert result.stdout == "end\n"


STARVED = """
from asf.adapters.eventlet_runtime.patching import patch_standard_library
patch_standard_library()
import os, resource, signal
from types import SimpleNamespace
from asf.adapters.connection_quota import ConnectionQuota
from asf.adapters.eventlet_runtime.runtime import EventletRuntime
from asf.adapters.serving import HttpTimeouts, Service
from asf.domain.signal import Signal

def starve():
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    runtime.run_in_thread(lambda: print("work"), lambda: os.kill(os.getpid(), signal.SIGTERM))

runtime = EventletRuntime()
pump = SimpleNamespace(on_due=Signal(), turn=lambda: None)
quota = ConnectionQuota(1, 0)
runtime.serve([], Service(None, pump, lambda pause: None, quota, HttpTimeouts(), bool, print), starve)
"""


def test_a_server_without_descriptors_has_its_worker_threads() -> None:
    """They are connected by sockets, which the library would open at first use, and never again if that failed."""
    program = [sys.executable, "-c", STARVED]
    result = subprocess.run(program, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=True)
    assert result.stdout == "work\n"
