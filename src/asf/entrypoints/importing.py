"""The streams of a server alone, when it gets several workers: these have a Redis instead of its database."""

import logging
from contextlib import closing, suppress
from pathlib import Path

from asf.adapters.private_redis import FOLDER_SUFFIX
from asf.adapters.runtime import Runtime
from asf.adapters.sqlite_catalog import IN_MEMORY, SqliteCatalogStore
from asf.application.catalog_import import copy_streams
from asf.entrypoints.storage import Storage, create_cue_store
from asf.settings import Settings

DATA = "appendonlydir"
"""What the Redis of several workers has in that directory."""

IMPORTED = "imported"
"""Name of the file, in that directory, that says which state of the database was imported."""

logger = logging.getLogger(__name__)


def import_streams(settings: Settings, storage: Storage, runtime: Runtime) -> None:
    """Copy the streams of the database, if it has changed since that was done, and not those that are there.

    Raises `CatalogUnavailable`, `CatalogFull` or `CuesUnavailable`.
    """
    database = Path(settings.database)
    if settings.database == IN_MEMORY or not database.exists():
        return
    marker = Path(settings.database + FOLDER_SUFFIX) / IMPORTED
    if marker.exists() and marker.read_text() == _state_of(database):
        return
    cues = create_cue_store(settings.database, runtime)
    with closing(SqliteCatalogStore(settings.database)) as catalog, closing(cues):
        count = copy_streams(
            (catalog, storage.catalog_store),
            (cues, storage.cue_store),
            settings.max_streams,
            settings.max_cues,
            runtime.checkpoint,
        )
    if count:
        logger.info("%d streams imported from ASF_DATABASE '%s'", count, settings.database)
    with suppress(OSError):  # The next start looks again.
        marker.write_text(_state_of(database))


def warn_of_streams_elsewhere(settings: Settings) -> None:
    """Warn if several workers have used the database before: a server alone does not see what they have stored."""
    directory = Path(settings.database + FOLDER_SUFFIX)
    if not settings.redis_url and settings.database != IN_MEMORY and (directory / DATA).exists():
        logger.warning(
            "Streams that were announced while there were several workers are in '%s', and are not served by one. "
            "To serve them, set ASF_WORKERS to 2 or more. Otherwise delete that directory.",
            directory,
        )


def _state_of(database: Path) -> str:
    """Return a text that changes when the database does."""
    files = [database, database.with_name(database.name + "-wal")]
    states = [one.stat() for one in files if one.exists()]
    return repr([(one.st_ino, one.st_size, one.st_mtime_ns) for one in states if one.st_size])
