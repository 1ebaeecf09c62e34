"""URLs that name Sentinels instead of a Redis: `redis+sentinel://`, or `rediss+sentinel://` for TLS.

    redis+sentinel://[user:password@]host[:port][,host[:port]…]/master[/db][?option=value…]

User and password are those of Redis; the options `sentinel_username` and `sentinel_password` are those of the
Sentinels. All other options are redis-py's. redis-py has no such URLs; other libraries use the same form.
"""

import re
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, quote, unquote, urlencode

EXAMPLE = "redis+sentinel://:password@s1.example.com:26379,s2.example.com:26379,s3.example.com:26379/mymaster/0"

DEFAULT_PORT, LAST_PORT = 26379, 65535

NO_HOST = "sentinel.invalid"
"""Stands in `SentinelUrl.master_url` for the host that the Sentinels name (RFC 2606)."""

USERNAME, PASSWORD = "sentinel_username", "sentinel_password"
SHARED_OPTIONS = ("ssl_", "socket_")
"""Prefixes of the options that apply to connections to the Sentinels, too."""

SCHEMES = ("redis+sentinel://", "rediss+sentinel://")

_URL = re.compile(
    r"redis(?P<tls>s?)\+sentinel://(?:(?P<user>[^/?#]*)@)?(?P<hosts>[^/?#@]+)"
    r"/(?P<master>[^/?#]+)(?:/(?P<db>[0-9]*))?(?:\?(?P<query>[^#]*))?"
)
_HOST = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[^\s:\[\]]+)(?::(?P<port>[0-9]{1,5}))?")


@dataclass(frozen=True, slots=True)
class SentinelUrl:
    """The parts of such a URL. `sentinels` has a URL for redis-py by the address of each Sentinel, `host:port`.

    `master_url` is the one for connections to the master, with `NO_HOST` for its host.
    """

    master_name: str
    master_url: str = field(repr=False)
    sentinels: dict[str, str] = field(repr=False)


def is_sentinel_url(url: str) -> bool:
    """Return whether `url` names Sentinels, right or wrong."""
    return url.startswith(SCHEMES)


def parse_sentinel_url(url: str) -> SentinelUrl:
    """Return the parts of `url`. Raises ValueError, without a part of it: each may belong to the password."""
    parts = _URL.fullmatch(url)
    if parts is None:
        raise ValueError("It has another form")
    options = parse_qsl(parts["query"] or "", keep_blank_values=True)
    own = {name: value for name, value in options if name in {USERNAME, PASSWORD}}
    rest = [(name, value) for name, value in options if name not in own]
    shared = urlencode([(name, value) for name, value in rest if name.startswith(SHARED_OPTIONS)])
    user = f"{quote(own.get(USERNAME, ''), safe='')}:{quote(own.get(PASSWORD, ''), safe='')}@" if own else ""
    scheme = f"redis{parts['tls']}://"
    master_user = f"{parts['user']}@" if parts["user"] else ""
    return SentinelUrl(
        master_name=unquote(parts["master"]),
        master_url=f"{scheme}{master_user}{NO_HOST}/{parts['db'] or ''}?{urlencode(rest)}",
        sentinels={
            address: f"{scheme}{user}{address}?{shared}" for address in map(_address_of, parts["hosts"].split(","))
        },
    )


def _address_of(text: str) -> str:
    parts = _HOST.fullmatch(text)
    port = int(parts["port"] or DEFAULT_PORT) if parts else 0
    if parts is None or not 0 < port <= LAST_PORT:
        raise ValueError("A Sentinel's address is not HOST:PORT")
    return f"{parts['host']}:{port}"
