"""Makes the standard library cooperative."""

import os
import warnings


def patch_standard_library() -> None:
    """Replace the standard library's blocking calls by cooperative ones, for the whole process.

    Call it once, before anything else is imported. eventlet warns at import that it only receives bug fixes; that is
    known, and the reason why nothing outside this package imports it. Its resolver is not used (see `name_lookup`).
    """
    os.environ["EVENTLET_NO_GREENDNS"] = "yes"  # Read at import.
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"\s*Eventlet is deprecated")
        import eventlet  # noqa: PLC0415 - the import warns, and must come first
    from eventlet.green import socket as green_socket  # noqa: PLC0415

    from asf.adapters.eventlet_runtime import name_lookup  # noqa: PLC0415

    name_lookup.install(green_socket)
    eventlet.monkey_patch()
