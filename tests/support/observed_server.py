"""`asf serve` with additional routes, under /tests/, and other values for some constants and timeouts.

/tests/greenlets returns the number of greenlets, /tests/garbage what the collector finds, by type,
/tests/pings the number of pings of Engine.IO that were sent;
/tests/faults and /tests/clock inject faults (`tests.support.faulty_parts`).
"""

import gc
import os
from collections import Counter
from typing import Any

from asf.adapters.eventlet_runtime.patching import patch_standard_library

patch_standard_library()

import greenlet  # noqa: E402 - after patching, like everything else
from flask import Flask, Response, jsonify, request  # noqa: E402

from asf.adapters import connection_quota, http_api  # noqa: E402
from asf.adapters.engineio import connections, pings  # noqa: E402
from asf.adapters.engineio import requests as engineio_requests  # noqa: E402
from asf.adapters.engineio import upgrade as engineio_upgrade  # noqa: E402
from asf.adapters.eventlet_runtime import listening  # noqa: E402
from asf.adapters.realtime_api import (  # noqa: E402
    audio_namespace,
    socketio_server,
    ui_namespace,
)
from asf.adapters.redis_store import listener_counts, presence, pubsub  # noqa: E402
from asf.adapters.websocket import connection  # noqa: E402
from asf.adapters.websocket import endpoint as websocket_endpoint  # noqa: E402
from asf.adapters.websocket import pings as websocket_pings  # noqa: E402
from asf.domain.streaming import audience_changes  # noqa: E402
from asf.entrypoints import cli, container  # noqa: E402
from asf.settings import values  # noqa: E402
from tests.support import faulty_parts  # noqa: E402

CONSTANTS: dict[str, list[tuple[Any, str]]] = {
    "TEST_PING_SECONDS": [
        (socketio_server, "PING_INTERVAL_SECONDS"),
        (socketio_server, "PING_TIMEOUT_SECONDS"),
        (websocket_endpoint, "PING_SECONDS"),
    ],
    "TEST_PONG_SECONDS": [(socketio_server, "PING_TIMEOUT_SECONDS")],
    "TEST_UNANSWERED_PINGS": [(websocket_pings, "MAX_UNANSWERED")],
    "TEST_JOINS_PER_SECOND": [
        (audio_namespace, "JOINS_PER_SECOND"),
        (ui_namespace, "SUBSCRIPTIONS_PER_SECOND"),
    ],
    "TEST_FRAMES_PER_SECOND": [(connection, "FRAMES_PER_SECOND")],
    "TEST_FRAMES_AT_ONCE": [(connection, "FRAMES_AT_ONCE")],
    "TEST_NOTICE_SECONDS": [(connection, "THROTTLED_NOTICE_SECONDS")],
    "TEST_NEWS_SILENCE_SECONDS": [(pubsub, "SILENCE_SECONDS")],
    "TEST_CONFIRMATION_SECONDS": [(pubsub, "CONFIRMATION_SECONDS")],
    "TEST_KEEPALIVE_SECONDS": [(listening, "KEEPALIVE_IDLE_SECONDS")],
    "TEST_JOIN_SECONDS": [(connections, "JOIN_SECONDS")],
    "TEST_NAMESPACE_SECONDS": [(connections, "NAMESPACE_SECONDS")],
    "TEST_UPGRADE_SECONDS": [(engineio_upgrade, "UPGRADE_SECONDS")],
    "TEST_BEGINNINGS_PER_SECOND": [(engineio_requests, "BEGINNINGS_PER_SECOND")],
    "TEST_BEGINNINGS_EACH": [(connection_quota, "BEGINNINGS_EACH")],
    "TEST_SPARE_CONNECTIONS": [(values, "SPARE_CONNECTIONS")],
    "TEST_GRACE_SECONDS": [(audience_changes, "GRACE_SECONDS")],
    "TEST_LOOK_SECONDS": [(listener_counts, "LOOK_SECONDS")],
    "TEST_STANDING_ROOM": [(connection_quota, "REJECTION_HEADROOM")],
}
"""Variables of the environment, and which constants they stand for. Of two for one, the later one counts."""

HEARTBEAT = "TEST_BEAT_SECONDS"
"""The variable with the seconds of a server's lease, which it renews three times in that time."""

TIMEOUTS = {
    "TEST_ANSWER_SECONDS": "write",
    "TEST_FIRST_REQUEST_SECONDS": "first_request",
    "TEST_HEAD_SECONDS": "head",
    "TEST_BODY_SECONDS": "body",
}
"""Variables of the environment, and which of the `HttpTimeouts` they stand for."""

WALL_CLOCK = "TEST_WALL_CLOCK"
"""The variable with the time at which the wall clock stands still."""


def create_observed_app(*arguments: Any) -> Flask:
    """Return the application with the routes for tests."""
    app = http_api.create_app(*arguments)

    @app.get("/tests/greenlets")
    def greenlets() -> str:
        gc.unfreeze()  # The server exempts objects from the collector,
        gc.collect()
        gc.unfreeze()  # which does so again at the end of a collection.
        alive = [one for one in gc.get_objects() if isinstance(one, greenlet.greenlet) and not one.dead]
        return str(len(alive))

    @app.get("/tests/garbage")
    def garbage() -> Response:
        gc.unfreeze()
        gc.set_debug(gc.DEBUG_SAVEALL)
        try:
            gc.collect()
            found = Counter(type(one).__name__ for one in gc.garbage)
        finally:
            gc.set_debug(0)
            gc.garbage.clear()
        gc.collect()
        gc.disable()  # So that none of it is collected before the next request.
        return jsonify(found)

    @app.get("/tests/pings")
    def pings() -> str:
        return str(faulty_parts.pings)

    @app.get("/tests/faults")
    def failures() -> Response:
        return jsonify(faulty_parts.failures)

    @app.post("/tests/faults")
    def break_parts() -> Response:
        faulty_parts.break_parts(request.get_json())
        return jsonify(faulty_parts.failures)

    @app.post("/tests/clock")
    def set_clock() -> Response:
        faulty_parts.set_clock(request.get_json())
        return jsonify(None)

    return app


def main() -> None:
    """Serve."""
    faulty_parts.install()
    setattr(pings, "ping", faulty_parts.counting(pings.ping))  # noqa: B010 - a function, to a type checker
    container.Container.bare_app.set_provides(create_observed_app)  # type: ignore[attr-defined]
    for variable, constants in CONSTANTS.items():
        if variable in os.environ:
            for module, name in constants:
                setattr(module, name, type(getattr(module, name))(os.environ[variable]))
    if HEARTBEAT in os.environ:
        seconds = float(os.environ[HEARTBEAT])
        presence.DEFAULT_TIMING = presence.Timing(heartbeat_seconds=seconds / 3, lease_seconds=seconds)
    timeouts = {name: float(os.environ[variable]) for variable, name in TIMEOUTS.items() if variable in os.environ}
    container.Container.http_timeouts.add_kwargs(**timeouts)  # type: ignore[attr-defined]
    if WALL_CLOCK in os.environ:
        faulty_parts.stop_clock(float(os.environ[WALL_CLOCK]))
    cli.main(["serve"], prog_name="asf")


if __name__ == "__main__":
    main()
