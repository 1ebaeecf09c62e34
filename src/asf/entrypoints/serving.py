"""Reads the settings and serves in this process, whose standard library must have been patched."""

import logging
import platform
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from asf import __version__, settings
from asf.adapters.workers.place import WorkerPlace
from asf.domain.errors import CatalogFull, CatalogUnavailable, CuesUnavailable
from asf.entrypoints import logs, server

EXIT_FAILED, EXIT_USAGE = 1, 2

DOTENV_PATH = Path(".env")

logger = logging.getLogger(__name__)


class CannotServe(Exception):
    """The server cannot start: lines that say why, and the exit code."""

    def __init__(self, problem: str, code: int) -> None:
        super().__init__(problem)
        self.code = code


def complete(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of the environment, with those of .env that it does not have."""
    return settings.environment_with_dotenv(environment, DOTENV_PATH)


def read(environment: Mapping[str, str]) -> settings.Settings:
    """Return the settings in `environment`, and in .env. Raises `CannotServe`."""
    try:
        return settings.read_settings(complete(environment))
    except settings.SettingsError as error:
        raise CannotServe("\n".join(error.problems), EXIT_USAGE) from error


def serve(environment: Mapping[str, str], place: WorkerPlace | None = None) -> None:
    """Serve until a signal stops the process. `place` is that of one of several workers. Raises `CannotServe`."""
    values = read(environment)
    if place is not None:
        values = _shared(values, place)
    worker = None if place is None else place.slot
    logs.configure(debug=values.debug_mode, level=values.log_level, worker=worker)
    if place is None:
        logger.info("ASF %s on Python %s", __version__, platform.python_version())
        for warning in settings.environment_warnings(complete(environment)):
            logger.warning(warning)
    try:
        with logs.standard_error_logged():
            server.run(values, DOTENV_PATH, place)
    except settings.SettingsError as error:
        raise CannotServe("\n".join(error.problems), EXIT_USAGE) from error
    except server.CannotListen as error:
        raise CannotServe(str(error), EXIT_FAILED) from error
    except (CatalogUnavailable, CatalogFull, CuesUnavailable) as error:
        raise CannotServe(f"ASF_DATABASE: {error}", EXIT_FAILED) from error


def _shared(values: settings.Settings, place: WorkerPlace) -> settings.Settings:
    """Return the settings of a worker: those of all workers are the same, random ones as well."""
    return replace(
        values,
        secret_key=place.secret_key,
        redis_url=place.redis_url,
        redis_is_private=place.redis_is_private,
        upload_directory=Path(place.upload_directory) if place.upload_directory else values.upload_directory,
    )
