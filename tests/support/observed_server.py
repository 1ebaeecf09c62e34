"""`asf serve` with a route more, /tests/greenlets, and the times of TEST_PING_SECONDS and TEST_ANSWER_SECONDS."""

import gc
import os
from typing import Any

from asf.adapters.eventlet_runtime.patching import patch_standard_library

patch_standard_library()

import greenlet  # noqa: E402 - after patching, like everything else
from flask import Flask  # noqa: E402

from asf.adapters import http_api  # noqa: E402
from asf.adapters.eventlet_runtime import websocket_door  # noqa: E402
from asf.adapters.realtime_api import server as socketio_server  # noqa: E402
from asf.entrypoints import cli, container, server  # noqa: E402


def create_observed_app(*arguments: Any) -> Flask:
    """Return the application with the route for tests."""
    app = http_api.create_app(*arguments)

    @app.get("/tests/greenlets")
    def greenlets() -> str:
        gc.collect()
        alive = [one for one in gc.get_objects() if isinstance(one, greenlet.greenlet) and not one.dead]
        return str(len(alive))

    return app


if __name__ == "__main__":
    container.Container.bare_app.set_provides(create_observed_app)  # type: ignore[attr-defined]
    if "TEST_PING_SECONDS" in os.environ:
        socketio_server.PING_INTERVAL_SECONDS = float(os.environ["TEST_PING_SECONDS"])
        socketio_server.PING_TIMEOUT_SECONDS = float(os.environ["TEST_PING_SECONDS"])
        websocket_door.PING_SECONDS = float(os.environ["TEST_PING_SECONDS"])
    server.ANSWER_SECONDS = float(os.environ.get("TEST_ANSWER_SECONDS", server.ANSWER_SECONDS))
    cli.main(prog_name="asf")
