"""`asf serve`."""

import logging
import os
import sys
from pathlib import Path

import click

from asf.entrypoints.cli.options import examples
from asf.entrypoints.cli.output import show

EXIT_USAGE = 2


@click.command(epilog=examples("ASF_AUDIO_ROOTS=/srv/audio ASF_PORT=8080 asf serve"))
def serve() -> None:
    """Start the server.

    Settings are read from the environment and from .env in the working directory. SIGTERM and Ctrl-C stop the server
    with exit code 0. With invalid settings it prints one line for each, and exits with 2.
    """
    from asf.adapters.eventlet_runtime.patching import patch_standard_library  # noqa: PLC0415

    patch_standard_library()
    from asf import settings  # noqa: PLC0415
    from asf.domain.errors import CatalogUnavailable  # noqa: PLC0415 - after patching
    from asf.entrypoints import logs, server  # noqa: PLC0415

    dotenv_path = Path(".env")
    environment = settings.environment_with_dotenv(os.environ, dotenv_path)
    try:
        read = settings.read_settings(environment)
        logs.configure(debug=read.debug_mode)
        for warning in settings.environment_warnings(environment):
            logging.getLogger(__name__).warning(warning)
        with logs.standard_error_logged():
            server.run(read, dotenv_path)
    except settings.SettingsError as error:
        show("\n".join(error.problems), err=True)
        sys.exit(EXIT_USAGE)
    except server.CannotListen as error:
        raise click.ClickException(str(error)) from error
    except CatalogUnavailable as error:
        raise click.ClickException(f"ASF_DATABASE: {error}") from error
