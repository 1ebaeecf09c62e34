"""`asf serve` with a route more, /tests/greenlets, and with pings as often as TEST_PING_SECONDS says."""

import gc
import os

from asf.adapters.eventlet_runtime.patching import patch_standard_library

patch_standard_library()

import greenlet  # noqa: E402 - after patching, like everything else
from flask import Flask  # noqa: E402

from asf.adapters import http_api  # noqa: E402
from asf.adapters.socketio_api import server as socketio_server  # noqa: E402
from asf.entrypoints import cli  # noqa: E402

create_app = http_api.create_app


def create_observed_app(secret_key: str) -> Flask:
    """Return the application with the route for tests."""
    app = create_app(secret_key)

    @app.get("/tests/greenlets")
    def greenlets() -> str:
        gc.collect()
        alive = [one for one in gc.get_objects() if isinstance(one, greenlet.greenlet) and not one.dead]
        return str(len(alive))

    return app


if __name__ == "__main__":
    http_api.create_app = create_observed_app
    if "TEST_PING_SECONDS" in os.environ:
        socketio_server.PING_INTERVAL_SECONDS = float(os.environ["TEST_PING_SECONDS"])
        socketio_server.PING_TIMEOUT_SECONDS = float(os.environ["TEST_PING_SECONDS"])
    cli.main(prog_name="asf")
