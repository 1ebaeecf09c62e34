"""`python -m asf.entrypoints.supervisor.worker DESCRIPTOR`: one of several workers.

The supervisor has written what the worker shares with others to the pipe `DESCRIPTOR`.
"""

import os
import sys


def main() -> int:
    """Serve until a signal stops the worker, and return the exit code."""
    with os.fdopen(int(sys.argv[1]), "rb") as pipe:
        described = pipe.read()
    from asf.adapters.eventlet_runtime.patching import patch_standard_library  # noqa: PLC0415

    patch_standard_library()
    from asf.adapters.workers.place import WorkerPlace  # noqa: PLC0415 - after patching
    from asf.entrypoints import serving  # noqa: PLC0415

    try:
        serving.serve(os.environ, WorkerPlace.from_json(described))
    except serving.CannotServe as error:
        sys.stderr.write(f"{error}\n")
        return error.code
    return 0


sys.exit(main())
