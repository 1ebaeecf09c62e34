"""Whether a server can do its work on this machine with these settings, and what to do where it cannot."""

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
"""How long a server on the port may take to answer."""


class Severity(StrEnum):
    """How much a finding matters."""

    OK = "ok"
    ADVICE = "advice"
    """The server works, though perhaps not as meant."""
    PROBLEM = "problem"
    """The server does not start, or not all of it works."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found about one subject, and what to do about it; an empty remedy where there is nothing to do."""

    subject: str
    severity: Severity
    text: str
    remedy: str = ""


def examine(environment: Mapping[str, str]) -> Iterator[Finding]:
    """Yield what is found with the settings in `environment`. Nothing is changed on the machine."""
    try:
        settings = read_settings(environment)
    except SettingsError as error:
        for problem in error.problems:
            yield Finding("settings", Severity.PROBLEM, problem, "Correct it in the environment or in .env.")
        return
    yield Finding("settings", Severity.OK, "all are as they are allowed to be")
    yield from examine_posture(settings)
    for root in settings.audio_roots:
        yield examine_audio_root(root)
    yield examine_redis(settings.redis_url) if settings.redis_url else examine_database(settings.database)
    if settings.has_object_stores:
        yield from examine_object_stores(settings)
    yield examine_address(settings.host, settings.port)
    yield examine_file_limit(settings.open_files, resource.getrlimit(resource.RLIMIT_NOFILE)[1])


def examine_posture(settings: Settings) -> Iterator[Finding]:
    """Yield what holds of development and production."""
    if settings.debug_mode:
        text = "ASF_DEBUG_MODE is True: made for development"
        remedy = "In production set ASF_DEBUG_MODE=False and an ASF_SECRET_KEY of 32 or more characters."
        yield Finding("settings", Severity.ADVICE, text, remedy)
    if settings.internal_api_is_open:
        text = "whoever reaches the port may use the internal API"
        remedy = "Set ASF_INTERNAL_API_TOKEN, and ASF_INTERNAL_TRUSTED_NETWORKS to the networks of your backends."
        yield Finding("internal API", Severity.ADVICE, text, remedy)
    elif wide := [network for network in settings.internal_trusted_networks if not network.is_loopback]:
        text = f"peers in {', '.join(map(str, wide))} may use the internal API without its token"
        remedy = "Set ASF_INTERNAL_API_TOKEN, and ASF_INTERNAL_TRUSTED_NETWORKS=none, unless nobody else is in there."
        yield Finding("internal API", Severity.ADVICE, text, remedy)
    if not settings.require_tokens:
        text = "whoever reaches the port may hear every stream and watch every client whose id is known"
        yield Finding("listeners", Severity.ADVICE, text, "Set ASF_REQUIRE_TOKENS=True; asf token makes tokens.")
    if not settings.debug_mode and settings.cors_allowed_origins == [ANY_ORIGIN]:
        text = "pages of every web origin may connect (ASF_CORS_ALLOWED_ORIGINS=*)"
        remedy = "Set ASF_CORS_ALLOWED_ORIGINS to the origins of your front-ends, such as https://app.example.com"
        yield Finding("origins", Severity.ADVICE, text, remedy)
    if not settings.ui_updates_namespace:
        text = "ASF_UI_UPDATES_NAMESPACE is empty: UI updates are turned off"
        yield Finding("settings", Severity.ADVICE, text, "Unset it to turn them on.")


def examine_audio_root(root: Path) -> Finding:
    """Return whether audio can be read from `root`."""
    path = root.absolute()
    if not path.exists():
        return _problem("audio root", f"{path} does not exist", f"mkdir -p {path}, or correct ASF_AUDIO_ROOTS.")
    if not path.is_dir():
        return _problem("audio root", f"{path} is not a directory", "Correct ASF_AUDIO_ROOTS.")
    if not os.access(path, os.R_OK | os.X_OK):
        remedy = "Give the user that runs the server the rights to read and enter it (chmod o+rx)."
        return _problem("audio root", f"{path} cannot be read", remedy)
    return Finding("audio root", Severity.OK, f"{path} can be read")


def examine_database(database: str) -> Finding:
    """Return whether the catalog can be opened, or made where there is none yet."""
    if database == IN_MEMORY:
        text = "the catalog is forgotten when the server ends"
        return Finding("database", Severity.ADVICE, text, "Set ASF_DATABASE to a file to keep it.")
    path = Path(database).absolute()
    if not path.exists():
        folder = next(one for one in path.parents if one.exists())
        if folder.is_dir() and os.access(folder, os.W_OK | os.X_OK):
            return Finding("database", Severity.OK, f"{path} will be made by the server")
        return _problem(
            "database", f"{path} cannot be made in {folder}", "Correct ASF_DATABASE or the folder's rights."
        )
    if not os.access(path, os.R_OK | os.W_OK) or not os.access(path.parent, os.W_OK | os.X_OK):
        remedy = "Give the user that runs the server the rights to it and to its folder."
        return _problem("database", f"{path} cannot be written to", remedy)
    try:
        with closing(SqliteCatalogStore(str(path))) as store:
            streams = sum(store.count().values())
    except CatalogUnavailable as error:
        remedy = "Move it away, and the server makes a new one; backends have to announce their streams again."
        return _problem("database", f"{error.details}", remedy)
    return Finding("database", Severity.OK, f"{path} can be opened; streams in it: {streams}")


def examine_redis(url: str) -> Finding:
    """Return whether the Redis at `url` answers, keeps what it is given, and passes news on. No password is told."""
    from redis import RedisError  # noqa: PLC0415 - an extra

    from asf.adapters.redis_store.connection import connect  # noqa: PLC0415

    try:
        with closing(connect(url)) as client:
            client.set("asf:1:examined", 1, px=1)
            client.publish("asf:1:examined", "")
            memory, persistence = client.info("memory"), client.info("persistence")
    except (RedisError, OSError) as error:
        return _problem("redis", f"it cannot be used: {error}", "Start it, or correct ASF_REDIS_URL.")
    if memory["maxmemory_policy"] != "noeviction":
        text = f"it may forget streams when its memory is full (maxmemory-policy {memory['maxmemory_policy']})"
        return Finding("redis", Severity.ADVICE, text, "Set maxmemory-policy to noeviction.")
    if not persistence["aof_enabled"]:
        text = "the streams are forgotten, or older ones come back, when it is started anew"
        return Finding("redis", Severity.ADVICE, text, "Set appendonly to yes.")
    return Finding("redis", Severity.OK, "it can be read and written, and keeps what it is given")


def examine_object_stores(settings: Settings) -> Iterator[Finding]:
    """Yield whether each bucket can be read from; one that does not answer takes its time."""
    from asf.adapters import object_store  # noqa: PLC0415 - an extra

    def at_once(work: Callable[[], None], done: Callable[[], None]) -> None:
        work()
        done()

    try:
        stores = object_store.create_stores(
            settings.s3_buckets, settings.gs_buckets, settings.az_containers, settings.s3_endpoint_url
        )
    except object_store.InvalidStoreConfiguration as error:
        yield _problem("object store", str(error), "Correct it in the environment.")
        return
    problems = object_store.ObjectAudioSources(stores, at_once).unreachable()
    for url in stores:
        if url in problems:
            remedy = "Correct its name, the endpoint or the credentials, which the environment has, and not .env."
            yield _problem("object store", f"{url}: {problems[url]}", remedy)
        else:
            yield Finding("object store", Severity.OK, f"{url} answers")


def examine_address(host: str, port: int) -> Finding:
    """Return whether the address is free, or ASF answers there already."""
    if port == 0:
        return Finding("port", Severity.OK, "any free one (ASF_PORT=0)")
    problem = _listening_problem(host, port)
    if problem is None:
        return Finding("port", Severity.OK, f"{port} is free on {host}")
    if problem.errno != errno.EADDRINUSE:
        remedy = "Correct ASF_HOST and ASF_PORT. Ports below 1024 need a privilege."
        return _problem("port", f"{host} port {port} cannot be listened on: {problem.strerror}", remedy)
    if examine_server(url_of(host, port)).severity is Severity.OK:
        return Finding("port", Severity.OK, f"ASF answers on port {port} already")
    remedy = f"End that program, or choose another ASF_PORT. Which it is: ss -ltnp 'sport = :{port}'"
    return _problem("port", f"{port} is taken by another program, which does not answer as ASF does", remedy)


def examine_server(url: str, *, ready: bool = False) -> Finding:
    """Return whether the server at `url` lives; with `ready`, whether it takes listeners. No proxy is used."""
    route, status = ("/asf/ready", "ready") if ready else ("/asf/health", "ok")
    try:
        with requests.Session() as session:
            session.trust_env = False  # The server itself is asked.
            response = session.get(url + route, timeout=ANSWER_SECONDS)
            answer = response.json()
    except (requests.RequestException, ValueError):
        return _problem("server", f"{url}{route} does not answer as ASF does", "Start it: asf serve")
    if response.ok and answer == {"status": status}:
        return Finding("server", Severity.OK, f"{url} is {status}")
    details = answer.get("details") if isinstance(answer, dict) else None
    text = f"{url} is not {status}: {details or f'HTTP status {response.status_code}'}"
    return _problem("server", text, "Its log says more; asf doctor looks at what it needs.")


def examine_file_limit(needed: int, hard_limit: int) -> Finding:
    """Return whether `needed` files may be open, which is what the settings allow.

    `hard_limit`, to which the server raises its limit, may be RLIM_INFINITY.
    """
    if hard_limit == resource.RLIM_INFINITY or hard_limit >= needed:
        return Finding("open files", Severity.OK, f"{needed} may be open, as many as the settings allow")
    remedy = f"Raise it (ulimit -Hn {needed}, LimitNOFILE={needed} with systemd) or lower ASF_MAX_LISTENERS."
    return _problem("open files", f"{hard_limit} may be open, and up to {needed} are needed", remedy)


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
