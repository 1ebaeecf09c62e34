"""Parsers of the settings' values: each takes text, and returns the value or raises `InvalidValue`."""

import math
import re
from collections.abc import Callable
from difflib import get_close_matches
from importlib.util import find_spec
from ipaddress import ip_network
from pathlib import Path
from urllib.parse import urlsplit

from asf.adapters.locator_syntax import is_bucket_name
from asf.adapters.redis_store.sentinel_url import EXAMPLE, is_sentinel_url, parse_sentinel_url
from asf.adapters.stream_path import STREAM_PATH
from asf.settings.cores import available_cores
from asf.settings.networks import Networks
from asf.settings.origins import normalize_host, normalize_origin
from asf.settings.secret_strength import MIN_CHARACTERS

ANY_ORIGIN = "*"
MAX_WORKERS = 64
"""Largest number of worker processes."""

AUTO = "auto"
"""The number of workers that stands for the number of cores."""

NO_NETWORK = "none"
"""The value that stands for no network at all, as empty text does."""

DEFAULT_NETWORKS = "auto"
"""The value that stands for the networks that the mode and the token suggest."""

ORIGINS_RULE = (
    "must be * or a comma-separated list of origins such as https://app.example.com or capacitor://localhost"
)

HOST_NAMES_RULE = "must be a comma-separated list of host names such as asf.internal, without ports"

REDIS_URL_RULE = (
    "must be a URL such as redis://:password@redis.example.com:6379/0, or start with rediss://, unix://, "
    "redis+sentinel:// or rediss+sentinel://"
)
REDIS_OPTION_RULE = "has an option after '?' that redis-py does not know, or cannot use"
"""Does not say which one: it may be a part of the password."""

SENTINEL_URL_RULE = f"must list Sentinels and name the master, as in {EXAMPLE}"

TRUE = frozenset({"t", "T", "true", "True", "TRUE", "on", "On", "ON", "y", "Y", "yes", "Yes", "YES", "1"})
FALSE = frozenset({"f", "F", "false", "False", "FALSE", "off", "Off", "OFF", "n", "N", "no", "No", "NO", "0"})


class InvalidValue(ValueError):
    """A value that a setting cannot have.

    `rule` completes a sentence that starts with the name of the variable, such as `must be an integer`. `hint` is a
    further sentence. `is_shown` is false where the value is not the problem, and does not appear in the message.
    """

    def __init__(self, rule: str, hint: str = "", *, is_shown: bool = True) -> None:
        super().__init__(rule)
        self.rule = rule
        self.hint = hint
        self.is_shown = is_shown


def integer(text: str) -> int:
    """Return an integer."""
    try:
        return int(text)
    except ValueError as error:
        raise InvalidValue("must be an integer") from error


def workers(text: str) -> int:
    """Return a number of workers; `AUTO` is the number of cores that this process may use."""
    if text == AUTO:
        return min(available_cores(), MAX_WORKERS)
    rule = f"must be {AUTO} or an integer between 1 and {MAX_WORKERS}"
    try:
        count = int(text)
    except ValueError as error:
        raise InvalidValue(rule) from error
    if not 1 <= count <= MAX_WORKERS:
        raise InvalidValue(rule)
    return count


def number(text: str) -> float:
    """Return a finite number."""
    try:
        value = float(text)
    except ValueError as error:
        raise InvalidValue("must be a number") from error
    if not math.isfinite(value):
        raise InvalidValue("must be a finite number")
    return value


def boolean(text: str) -> bool:
    """Return True or False; also accepts YAML's spellings."""
    if text in TRUE:
        return True
    if text in FALSE:
        return False
    raise InvalidValue("must be True or False")


def any_text(text: str) -> str:
    """Return the text as it is."""
    return text


def required(what: str) -> Callable[[str], str]:
    """Return a parser of non-empty text; `what` describes it in the message."""

    def parse(text: str) -> str:
        if not text:
            raise InvalidValue(f"must be {what}")
        return text

    return parse


def origins(text: str) -> list[str]:
    """Return origins as browsers send them (RFC 6454), or `ANY_ORIGIN` alone; none for empty text."""
    if not text.strip():
        return []
    values = _items(text, ",")
    if values == [ANY_ORIGIN]:
        return values
    try:
        return list(dict.fromkeys(map(normalize_origin, values)))
    except ValueError as error:
        raise InvalidValue(ORIGINS_RULE) from error


def paths(text: str) -> list[Path]:
    """Return the paths, which are separated by colons: at least one."""
    if not text.strip():
        raise InvalidValue("must name at least one directory")
    return [Path(item) for item in _items(text, ":")]


def optional_path(text: str) -> Path | None:
    """Return the path, or None for empty text."""
    return Path(text) if text else None


def one_of(*names: str) -> Callable[[str], str]:
    """Return a parser of one of these names, in capital or small letters."""
    rule = f"must be {', '.join(names[:-1])} or {names[-1]}"

    def parse(text: str) -> str:
        name = text.strip().lower()
        if name not in names:
            similar = get_close_matches(name, names, n=1)
            raise InvalidValue(rule, f"Did you mean {similar[0]}?" if similar else "")
        return name

    return parse


def buckets(text: str) -> list[str]:
    """Return bucket names; none for empty text. Needs the extra `objects`."""
    if not text.strip():
        return []
    if find_spec("obstore") is None:
        raise InvalidValue(
            "needs the extra 'objects': run pip install 'audio-stream-feeder[objects]'", is_shown=False
        )
    names = [name.strip() for name in text.split(",")]
    if not all(map(is_bucket_name, names)):
        raise InvalidValue("must be a comma-separated list of bucket names, without s3:// or the like")
    return names


def networks(text: str) -> Networks | None:
    """Return networks, none for `NO_NETWORK` and for empty text, or None for `DEFAULT_NETWORKS`."""
    text = text.strip()
    if text == DEFAULT_NETWORKS:
        return None
    if text in {"", NO_NETWORK}:
        return []
    try:
        return [ip_network(item.strip()) for item in text.split(",")]
    except ValueError as error:
        raise InvalidValue(
            f"must be {DEFAULT_NETWORKS}, {NO_NETWORK} or a comma-separated list of networks such as 10.0.0.0/8 or "
            "fd00::/8",
            f"{error}.",
        ) from error


def host_names(text: str) -> list[str]:
    """Return host names as browsers send them; none for empty text."""
    if not text.strip():
        return []
    try:
        names = [normalize_host(name.strip()) for name in text.split(",")]
    except ValueError as error:
        raise InvalidValue(HOST_NAMES_RULE) from error
    if any(":" in name for name in names):
        raise InvalidValue(HOST_NAMES_RULE)
    return names


def api_token(text: str) -> str:
    """Return the token, or empty text."""
    if text and not re.fullmatch(rf"[!-~]{{{MIN_CHARACTERS},}}", text):
        raise InvalidValue(f"must be {MIN_CHARACTERS} or more printable ASCII characters without spaces")
    return text


def redis_url(text: str) -> str:
    """Return the URL, or empty text. Needs the extra `redis`."""
    if not text:
        return text
    try:
        from redis import RedisError  # noqa: PLC0415 - an extra
        from redis.connection import BlockingConnectionPool  # noqa: PLC0415
    except ImportError as error:
        raise InvalidValue(
            "needs the extra 'redis': run pip install 'audio-stream-feeder[redis]'", is_shown=False
        ) from error
    names_sentinels = is_sentinel_url(text)
    try:
        url = parse_sentinel_url(text).master_url if names_sentinels else text
    except ValueError as error:
        raise InvalidValue(SENTINEL_URL_RULE) from error
    try:
        pool = BlockingConnectionPool.from_url(url)
    except ValueError as error:
        raise InvalidValue(REDIS_OPTION_RULE if names_sentinels else REDIS_URL_RULE) from error
    try:
        pool.make_connection()  # type: ignore[no-untyped-call]
    except (TypeError, ValueError, RedisError) as error:
        raise InvalidValue(REDIS_OPTION_RULE) from error
    return text


def endpoint_url(text: str) -> str:
    """Return the URL of an object store, or empty text."""
    if not text:
        return text
    rule = "must be a URL such as https://s3.example.com:9000, without user name, password or query"
    try:
        parts = urlsplit(text)
    except ValueError as error:
        raise InvalidValue(rule) from error
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.username is not None:
        raise InvalidValue(rule)
    return text


def namespace(text: str) -> str:
    """Return a namespace of Socket.IO, or empty text."""
    if text and (not re.fullmatch(r"/[^\s,?]*", text) or text == STREAM_PATH):
        raise InvalidValue(
            "must be a path such as /ui_updates, without white space, commas or question marks, and other than "
            f"{STREAM_PATH}",
            "Leave it empty to turn UI updates off.",
        )
    return text


def _items(text: str, separator: str) -> list[str]:
    """Return the items, without white space around them."""
    items = [item.strip() for item in text.split(separator)]
    if not all(items):
        raise InvalidValue(f"must be a list separated by '{separator}', without empty items")
    return items
