"""The real server, with one route more: how many greenlets are alive."""

import gc

from asf.adapters.eventlet_runtime.patching import patch_standard_library

patch_standard_library()

import greenlet  # noqa: E402 - after patching, like everything else
from flask import Flask  # noqa: E402

from asf.adapters.http_api import app as http_app  # noqa: E402
from asf.entrypoints import cli  # noqa: E402

create_app = http_app.create_app


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
    from asf.adapters import http_api

    http_api.create_app = create_observed_app
    cli.main(["serve"], prog_name="asf")
