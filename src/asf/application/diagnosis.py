"""Checks a machine's setup and the settings of a server, and suggests fixes."""

import errno
import os
import resource
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import requests

from asf.adapters.sqlite_catalog import IN_MEMORY, SqliteCatalogStore
from asf.domain.errors import CatalogUnavailable
from asf.settings import ANY_ORIGIN, Settings, SettingsError, read_settings, url_of

ANSWER_SECONDS = 3.0
"""Timeout for the response of a server on the port."""


class Severity(StrEnum):
    """How much a finding matters."""

    OK = "ok"
    ADVICE = "advice"
    """The server works, but perhaps not as intended."""
    PROBLEM = "problem"
    """The server does not start, or a part of it does not work."""


@dataclass(frozen=True, slots=True)
class Finding:
    """The state of one subject, with a remedy unless it is OK."""

    subject: str
    severity: Severity
    text: str
    remedy: str = ""


def examine(environment: Mapping[str, str]) -> Iterator[Finding]:
    """Yield the findings for the settings in `environment`. Changes nothing on the machine."""
    try:
        settings = read_settings(environment)
    except SettingsError as error:
        for problem in error.problems:
            yield Finding("settings", Severity.PROBLEM, problem, "Correct it in the environment or in .env.")
        return
    yield Finding("settings", Severity.OK, "valid")
    yield from examine_posture(settings)
    for root in settings.audio_roots:
        yield examine_audio_root(root)
    yield examine_redis(settings.redis_url) if settings.redis_url else examine_database(settings.database)
    if settings.has_object_stores:
        yield from examine_object_stores(settings)
    yield examine_address(settings.host, settings.port)
    yield examine_file_limit(settings.open_files, resource.getrlimit(resource.RLIMIT_NOFILE)[1])


def examine_posture(settings: Settings) -> Iterator[Finding]:
    """Yield which settings are unsafe, or unusual, in production."""
    if settings.debug_mode:
        text = "ASF_DEBUG_MODE is True, which is for development only"
        remedy = "In production, set ASF_DEBUG_MODE=False and an ASF_SECRET_KEY of 32 or more characters."
        yield Finding("settings", Severity.ADVICE, text, remedy)
    if settings.internal_api_is_open:
        text = "The internal API is open to anyone who can reach this port."
        remedy = "Set ASF_INTERNAL_API_TOKEN, and set ASF_INTERNAL_TRUSTED_NETWORKS to your backends' networks."
        yield Finding("internal API", Severity.ADVICE, text, remedy)
    elif wide := [network for network in settings.internal_trusted_networks if not network.is_loopback]:
        text = f"Clients in {', '.join(map(str, wide))} can use the internal API without a token."
        remedy = (
            "Unless only your backends are there, set ASF_INTERNAL_API_TOKEN and ASF_INTERNAL_TRUSTED_NETWORKS=none."
        )
        yield Finding("internal API", Severity.ADVICE, text, remedy)
    if not settings.require_tokens:
        text = "Anyone who can reach this port and knows an id can listen to that stream or watch that client."
        yield Finding(
            "listeners", Severity.ADVICE, text, "Set ASF_REQUIRE_TOKENS=True, and create tokens with asf token."
        )
    if not settings.debug_mode and settings.cors_allowed_origins == [ANY_ORIGIN]:
        text = "Pages of any web origin can connect (ASF_CORS_ALLOWED_ORIGINS=*)."
        remedy = "Set ASF_CORS_ALLOWED_ORIGINS to the origins of your front ends, such as https://app.example.com"
        yield Finding("origins", Severity.ADVICE, text, remedy)
    if not settings.ui_updates_namespace:
        text = "UI updates are off (ASF_UI_UPDATES_NAMESPACE is empty)"
        yield Finding("settings", Severity.ADVICE, text, "Unset the variable to turn them on.")


def examine_audio_root(root: Path) -> Finding:
    """Return whether audio can be read from `root`."""
    path = root.absolute()
    if not path.exists():
        return _problem("audio root", f"{path} does not exist", f"mkdir -p {path}, or correct ASF_AUDIO_ROOTS.")
    if not path.is_dir():
        return _problem("audio root", f"{path} is not a directory", "Correct ASF_AUDIO_ROOTS.")
    if not os.access(path, os.R_OK | os.X_OK):
        remedy = "Allow the server's user to read and enter it (chmod o+rx)."
        return _problem("audio root", f"{path} cannot be read", remedy)
    return Finding("audio root", Severity.OK, f"{path} is readable")


def examine_database(database: str) -> Finding:
    """Return whether the catalog can be opened, or created if it is missing."""
    if database == IN_MEMORY:
        text = "the catalog is in memory, and lost when the server stops"
        return Finding("database", Severity.ADVICE, text, "Set ASF_DATABASE to a file to keep it.")
    path = Path(database).absolute()
    if not path.exists():
        folder = next(one for one in path.parents if one.exists())
        if folder.is_dir() and os.access(folder, os.W_OK | os.X_OK):
            return Finding("database", Severity.OK, f"{path} does not exist yet; the server will create it")
        return _problem(
            "database",
            f"{path} cannot be created in {folder}",
            "Correct ASF_DATABASE or the directory's permissions.",
        )
    if not os.access(path, os.R_OK | os.W_OK) or not os.access(path.parent, os.W_OK | os.X_OK):
        remedy = "Allow the server's user to write to it and to its directory."
        return _problem("database", f"{path} is not writable", remedy)
    try:
        with closing(SqliteCatalogStore(str(path))) as store:
            streams = sum(store.count().values())
    except CatalogUnavailable as error:
        remedy = "Move it away; the server creates a new one. Backends must then announce their streams again."
        return _problem("database", f"{error.details}", remedy)
    return Finding("database", Severity.OK, f"{path} can be opened; streams: {streams}")


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
        return _problem("redis", f"cannot be used: {error}", "Start it, or correct ASF_REDIS_URL.")
    if memory["maxmemory_policy"] != "noeviction":
        text = f"may evict streams when its memory is full (maxmemory-policy {memory['maxmemory_policy']})"
        return Finding("redis", Severity.ADVICE, text, "Set maxmemory-policy to noeviction.")
    if not persistence["aof_enabled"]:
        text = "a restart loses streams, or brings older ones back"
        return Finding("redis", Severity.ADVICE, text, "Set appendonly to yes.")
    return Finding("redis", Severity.OK, "readable, writable and durable")


def examine_object_stores(settings: Settings) -> Iterator[Finding]:
    """Yield whether each bucket can be read. Waits for the timeout of those that do not answer."""
    from asf.adapters import object_store  # noqa: PLC0415 - an extra

    def run_here(work: Callable[[], None], done: Callable[[], None]) -> None:
        work()
        done()

    try:
        stores = object_store.create_stores(
            settings.s3_buckets, settings.gs_buckets, settings.az_containers, settings.s3_endpoint_url
        )
    except object_store.InvalidStoreConfiguration as error:
        yield _problem("object store", str(error), "Correct it in the environment.")
        return
    problems = object_store.ObjectAudioSources(stores, run_here).unreachable()
    for url in stores:
        if url in problems:
            remedy = "Correct the name, the endpoint or the credentials (from the environment, not from .env)."
            yield _problem("object store", f"{url}: {problems[url]}", remedy)
        else:
            yield Finding("object store", Severity.OK, f"{url} is reachable")


def examine_address(host: str, port: int) -> Finding:
    """Return whether the address is free, or ASF is running there."""
    if port == 0:
        return Finding("port", Severity.OK, "any free port (ASF_PORT=0)")
    problem = _listening_problem(host, port)
    if problem is None:
        return Finding("port", Severity.OK, f"{port} is free on {host}")
    if problem.errno != errno.EADDRINUSE:
        remedy = "Correct ASF_HOST or ASF_PORT. Ports below 1024 need a privilege."
        return _problem("port", f"cannot listen on {host} port {port}: {problem.strerror}", remedy)
    if examine_server(url_of(host, port)).severity is Severity.OK:
        return Finding("port", Severity.OK, f"ASF is already running on port {port}")
    remedy = f"Stop that program or set another ASF_PORT. To find the program: ss -ltnp 'sport = :{port}'"
    return _problem("port", f"{port} is in use by another program", remedy)


def examine_server(url: str, *, ready: bool = False) -> Finding:
    """Return whether a server is running at `url`; with `ready`, whether it accepts listeners. Uses no proxy."""
    route, status = ("/asf/ready", "ready") if ready else ("/asf/health", "ok")
    try:
        with requests.Session() as session:
            session.trust_env = False  # No proxy: the server itself must respond.
            response = session.get(url + route, timeout=ANSWER_SECONDS)
            answer = response.json()
    except (requests.RequestException, ValueError):
        return _problem("server", f"No ASF server responded at {url}{route}", "Start it: asf serve")
    if response.ok and answer == {"status": status}:
        return Finding("server", Severity.OK, f"{url} is {status}")
    details = answer.get("details") if isinstance(answer, dict) else None
    text = f"{url} is not {status}: {details or f'HTTP status {response.status_code}'}"
    return _problem("server", text, "See its log, or run asf doctor.")


def examine_file_limit(needed: int, hard_limit: int) -> Finding:
    """Return whether `needed` files, as many as the settings allow, can be open at a time.

    The server raises its limit to `hard_limit`, which may be RLIM_INFINITY.
    """
    if hard_limit == resource.RLIM_INFINITY or hard_limit >= needed:
        return Finding("open files", Severity.OK, f"limit is sufficient ({needed} needed)")
    remedy = f"Raise it (ulimit -Hn {needed}; with systemd, LimitNOFILE={needed}), or lower ASF_MAX_LISTENERS."
    return _problem("open files", f"limit is too low ({hard_limit}, but up to {needed} needed)", remedy)


def _problem(subject: str, text: str, remedy: str) -> Finding:
    return Finding(subject, Severity.PROBLEM, text, remedy)


def _listening_problem(host: str, port: int) -> OSError | None:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as listening:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind(address)
    except OSError as error:
        return error
    return None
