"""Checks what the server reads from and writes to: audio roots, database, Redis, object stores."""

import os
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

from asf.adapters.database_lock import holder_of
from asf.adapters.sqlite_catalog import IN_MEMORY, SqliteCatalogStore
from asf.adapters.sqlite_cues import SUFFIX as CUES_SUFFIX
from asf.adapters.sqlite_cues import SqliteCueStore
from asf.application.diagnosis.deadline import examine_in_time
from asf.application.diagnosis.finding import Finding, Severity, problem
from asf.domain.errors import CatalogUnavailable, CuesUnavailable
from asf.settings import Settings


def examine_audio_root(root: Path) -> Finding:
    """Return whether audio can be read from `root`. Waits for a bounded time."""
    path = root.absolute()
    return examine_in_time("audio root", path, partial(_examine_directory, path))


def _examine_directory(path: Path) -> Finding:
    if not path.exists():
        return problem("audio root", f"{path} does not exist", f"mkdir -p {path}, or correct ASF_AUDIO_ROOTS.")
    if not path.is_dir():
        return problem("audio root", f"{path} is not a directory", "Correct ASF_AUDIO_ROOTS.")
    if not os.access(path, os.R_OK | os.X_OK):
        remedy = "Allow the server's user to read and enter it (chmod o+rx)."
        return problem("audio root", f"{path} cannot be read", remedy)
    return Finding("audio root", Severity.OK, f"{path} is readable")


def examine_database(database: str, *, is_running: bool = False) -> Finding:
    """Return whether the catalog can be opened, or created if it is missing, and no other server uses it.

    `is_running` is whether the server of these settings is running: it may use it. Waits for a bounded time.
    """
    if database == IN_MEMORY:
        text = "the catalog is in memory, and lost when the server stops"
        return Finding("database", Severity.ADVICE, text, "Set ASF_DATABASE to a file to keep it.")
    path = Path(database).absolute()
    return examine_in_time("database", path, partial(_examine_file, path, is_running=is_running))


def examine_cues(database: str) -> Finding | None:
    """Return whether the cues beside the catalog at `database` can be opened; None if there are none yet.

    Waits for a bounded time.
    """
    path = Path(database + CUES_SUFFIX).absolute()
    if database == IN_MEMORY or not path.exists():
        return None
    return examine_in_time("cues", path, partial(_examine_cue_file, path))


def _examine_cue_file(path: Path) -> Finding:
    if not os.access(path, os.R_OK | os.W_OK):
        return problem("cues", f"{path} is not writable", "Allow the server's user to write to it.")
    try:
        with closing(SqliteCueStore(str(path), lambda work: work())) as store:
            store.page("", "", 0, 1, 1)
    except CuesUnavailable as error:
        remedy = "Move it away; the server creates a new one. Backends must then post their cues again."
        return problem("cues", f"{error.details}", remedy)
    return Finding("cues", Severity.OK, f"{path} can be opened")


def _examine_file(path: Path, *, is_running: bool) -> Finding:
    holder = None if is_running else holder_of(str(path))
    if holder is not None:  # Workers use what is beside it: it need not exist.
        remedy = "Stop that server, or set another ASF_DATABASE. To run several servers as one, set ASF_REDIS_URL."
        return problem("database", f"{path} is in use by another server ({holder or 'unknown process'})", remedy)
    if not path.exists():
        folder = next(one for one in path.parents if one.exists())
        if folder.is_dir() and os.access(folder, os.W_OK | os.X_OK):
            return Finding("database", Severity.OK, f"{path} does not exist yet; the server will create it")
        return problem(
            "database",
            f"{path} cannot be created in {folder}",
            "Correct ASF_DATABASE or the directory's permissions.",
        )
    if not os.access(path, os.R_OK | os.W_OK) or not os.access(path.parent, os.W_OK | os.X_OK):
        remedy = "Allow the server's user to write to it and to its directory."
        return problem("database", f"{path} is not writable", remedy)
    return _examine_content(path)


def _examine_content(path: Path) -> Finding:
    try:
        with closing(SqliteCatalogStore(str(path))) as store:
            streams = sum(store.count().values())
    except CatalogUnavailable as error:
        remedy = "Move it away; the server creates a new one. Backends must then announce their streams again."
        return problem("database", f"{error.details}", remedy)
    return Finding("database", Severity.OK, f"{path} can be opened; streams: {streams}")


def examine_uploads(directory: Path) -> Finding:
    """Return whether audio can be uploaded to `directory`, which need not exist yet. Waits for a bounded time."""
    path = directory.absolute()
    return examine_in_time("uploads", path, partial(_examine_upload_directory, path))


def _examine_upload_directory(path: Path) -> Finding:
    existing = next(one for one in (path, *path.parents) if one.exists())
    if existing.is_dir() and os.access(existing, os.R_OK | os.W_OK | os.X_OK):
        text = f"{path} is writable" if existing == path else f"{path} does not exist yet; the server will create it"
        return Finding("uploads", Severity.OK, text)
    return Finding(
        "uploads",
        Severity.ADVICE,  # Not all backends upload.
        f"{path} cannot be written" if existing == path else f"{path} cannot be created in {existing}",
        "To take uploads, correct ASF_UPLOAD_DIRECTORY or the directory's permissions.",
    )


def examine_redis(url: str) -> Finding:
    """Return whether the Redis at `url` stores and publishes, durably. Never shows the password."""
    from redis import RedisError  # noqa: PLC0415 - an extra

    from asf.adapters.redis_store.connection import connect  # noqa: PLC0415

    try:
        with closing(connect(url)) as client:
            client.set("asf:1:examined", 1, px=1)
            client.publish("asf:1:examined", "")
            memory, persistence = client.info("memory"), client.info("persistence")
    except (RedisError, OSError) as error:
        return problem("redis", f"cannot be used: {error}", "Start it, or correct ASF_REDIS_URL.")
    if memory["maxmemory_policy"] != "noeviction":
        text = f"may evict streams when its memory is full (maxmemory-policy {memory['maxmemory_policy']})"
        return Finding("redis", Severity.ADVICE, text, "Set maxmemory-policy to noeviction.")
    if not persistence["aof_enabled"]:
        text = "a restart loses streams, or brings older ones back"
        return Finding("redis", Severity.ADVICE, text, "Set appendonly to yes.")
    return Finding("redis", Severity.OK, "readable, writable and durable")


def examine_object_stores(settings: Settings) -> Iterator[Finding]:
    """Yield whether each bucket can be read. Waits for the timeout of those that do not respond."""
    from asf.adapters import object_store  # noqa: PLC0415 - an extra

    def run_here(work: Callable[[], None], done: Callable[[], None]) -> None:
        work()
        done()

    try:
        stores = object_store.create_stores(
            settings.s3_buckets, settings.gs_buckets, settings.az_containers, settings.s3_endpoint_url
        )
    except object_store.InvalidStoreConfiguration as error:
        yield problem("object store", str(error), "Correct it in the environment.")
        return
    problems = object_store.ObjectAudioSources(stores, run_here).unreachable()
    for url in stores:
        if url in problems:
            remedy = "Correct the name, the endpoint or the credentials (from the environment, not from .env)."
            yield problem("object store", f"{url}: {problems[url]}", remedy)
        else:
            yield Finding("object store", Severity.OK, f"{url} is reachable")
