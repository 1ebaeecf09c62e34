"""`asf serve`."""

import os
import sys

import click

from asf.entrypoints.cli.options import examples
from asf.entrypoints.cli.output import show
from asf.entrypoints.interpreter import command_of

WORKERS = "ASF_WORKERS"

TRIAL = """TRIAL MODE: nothing is configured. Use it to try ASF, not to run it: anyone who can reach this port can
use the console, and streams, audio and tokens are lost with the container.
  Console:            http://127.0.0.1:{port}/
  Internal API token: {token}
To run it, set ASF_SECRET_KEY and ASF_INTERNAL_API_TOKEN, as docs/production.md says.
"""


@click.command(epilog=examples("ASF_AUDIO_ROOTS=/srv/audio ASF_PORT=8080 asf serve", "asf serve --workers auto"))
@click.option(
    "--workers", metavar="N", help="Processes that serve; auto: one for each core. [default: ASF_WORKERS, or 1]"
)
@click.option(
    "--trial",
    is_flag=True,
    help="Where nothing is configured, start in debug mode, with a random token for the internal API.",
)
def serve(workers: str | None, trial: bool) -> None:  # noqa: FBT001
    """Start the server.

    Settings are read from the environment and from .env in the working directory. SIGTERM and Ctrl-C stop the server
    with exit code 0. With invalid settings it prints one line for each, and exits with 2.
    """
    from asf.adapters.eventlet_runtime.patching import patch_standard_library  # noqa: PLC0415

    patch_standard_library()
    from asf import settings  # noqa: PLC0415 - after patching
    from asf.entrypoints import serving  # noqa: PLC0415

    environment = dict(os.environ) | ({WORKERS: workers} if workers is not None else {})
    is_trial = trial and not settings.is_configured(serving.complete(environment))
    if is_trial:
        environment = settings.trial_environment(environment)
    try:
        read = serving.read(environment)
        if is_trial:
            show(TRIAL.format(port=read.port, token=read.internal_api_token))
        if read.workers == 1:
            serving.serve(environment)
            return
    except serving.CannotServe as error:
        if error.code != serving.EXIT_USAGE:
            raise click.ClickException(str(error)) from error
        show(str(error), err=True)
        sys.exit(error.code)
    # A process of its own kind, in the place of this one: it needs nothing of what was imported here.
    command = command_of("asf.entrypoints.supervisor")
    os.execve(command[0], command, environment)  # noqa: S606 - no shell is wanted
