"""The settings: read once, from a mapping, and refused with one line for each variable that is wrong.

Values come as text from the environment and the file `.env`. marshmallow validates them as it validates everything
else that comes from outside; environs would do so too, but only from the process's own environment.
"""

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from ipaddress import IPv4Network, IPv6Network, collapse_addresses, ip_network
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from dotenv import dotenv_values
from marshmallow import EXCLUDE, Schema, ValidationError, fields, validate, validates_schema

from asf.adapters.limits import REJECTION_HEADROOM

ANY_ORIGIN = "*"
MIN_SECRET_KEY_CHARACTERS = 32
MIN_API_TOKEN_CHARACTERS = 32

Networks = list[IPv4Network | IPv6Network]

ALL_OF_IPV4 = IPv4Network("0.0.0.0/0")
ALL_OF_IPV6 = IPv6Network("::/0")
WIDEST_PREFIXES = {4: 8, 6: 7}
"""Prefixes, by the version of IP, of the widest networks that belong to one owner: 10.0.0.0/8 (RFC 1918) and fc00::/7
(RFC 4193)."""

LOOPBACK: Networks = [IPv4Network("127.0.0.0/8"), IPv6Network("::1/128")]
NO_NETWORK = "none"
"""The value that stands for no network at all."""

LOOPBACK_OF_WILDCARD = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - compared, not bound
"""Addresses that can be opened on this machine, for those of ASF_HOST that cannot."""

SPARE_CONNECTIONS = 1_000
"""Connections beyond the listeners' own: of backends, of subscribers to UI updates, of listeners that come and go."""

SPARE_FILES = 200
"""Open files beside connections: audio, the database, libraries."""

RESERVED_NAMESPACE = "/api/v1/podcasts/stream"


class SettingsError(Exception):
    """Some settings are wrong. `problems` has one line for each, with name, value and what is allowed."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that can be set. Names and meanings as in docs/contract.md, section 1, without the prefix `ASF_`."""

    secret_key: str
    cors_allowed_origins: list[str]
    chunk_size: int
    stream_sleep_interval: float
    host: str
    port: int
    debug_mode: bool
    ui_updates_namespace: str
    audio_roots: list[Path]
    require_tokens: bool
    internal_api_token: str
    """Empty where there is none."""
    internal_trusted_networks: Networks
    max_message_bytes: int
    database: str
    redis_url: str
    """Empty where there is none."""
    s3_buckets: list[str]
    s3_endpoint_url: str
    object_cache_bytes: int
    """Empty for Amazon's."""
    gs_buckets: list[str]
    az_containers: list[str]
    join_wait_seconds: float
    stall_seconds: float
    stall_give_up_seconds: float
    slow_listener_seconds: float
    ui_history_size: int
    ui_history_seconds: float
    max_listeners: int
    max_connections_per_ip: int
    """0 for no bound."""
    max_streams: int
    drain_seconds: float
    secret_key_is_random: bool

    @property
    def max_connections(self) -> int:
        """Most connections at a time."""
        return self.max_listeners + SPARE_CONNECTIONS

    @property
    def has_object_stores(self) -> bool:
        """Whether objects may be announced."""
        return bool(self.s3_buckets or self.gs_buckets or self.az_containers)

    @property
    def open_files(self) -> int:
        """Most files that are open at a time, connections among them, those too that are refused."""
        return self.max_connections + REJECTION_HEADROOM + SPARE_FILES

    @property
    def internal_api_is_open(self) -> bool:
        """Whether strangers' addresses may call the internal API."""
        return let_strangers_in(self.internal_trusted_networks)


def url_of(host: str, port: int) -> str:
    """Return where a server that listens on `host` and `port` can be asked on this machine."""
    reachable = LOOPBACK_OF_WILDCARD.get(host, host)
    return f"http://[{reachable}]:{port}" if ":" in reachable else f"http://{reachable}:{port}"


def let_strangers_in(networks: Networks) -> bool:
    """Return whether `networks`, put together, are wider than what can belong to one owner."""
    four = collapse_addresses(network for network in networks if isinstance(network, IPv4Network))
    six = collapse_addresses(network for network in networks if isinstance(network, IPv6Network))
    together: Networks = [*four, *six]
    return any(network.prefixlen < WIDEST_PREFIXES[network.version] for network in together)


class _Separated(fields.Field[list[str]]):
    """Text with a separator between its items; white space around them does not count."""

    def __init__(self, separator: str, **options: Any) -> None:
        super().__init__(**options)
        self._separator = separator

    def _deserialize(self, value: Any, *_args: Any, **_kwargs: Any) -> list[str]:
        items = [item.strip() for item in value.split(self._separator)]
        if not all(items):
            raise ValidationError(f"is allowed to be items separated by '{self._separator}', none of them empty")
        return items


class _Buckets(fields.Field[list[str]]):
    """Names of buckets with commas between; none where nothing is said."""

    def _deserialize(self, value: Any, *_args: Any, **_kwargs: Any) -> list[str]:
        if not value.strip():
            return []
        if find_spec("obstore") is None:
            raise ValidationError("needs the extra 'objects': pip install 'asf[objects]'")
        names = [name.strip() for name in value.split(",")]
        if not all(re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,221}", name) for name in names):
            raise ValidationError("is allowed to be names of buckets, without s3:// or the like, with commas between")
        return names


class _Networks(fields.Field[Networks | None]):
    """Networks with commas between, or `none`; None where nothing is said."""

    def _deserialize(self, value: Any, *_args: Any, **_kwargs: Any) -> Networks | None:
        text = value.strip()
        if not text:
            return None
        if text == NO_NETWORK:
            return []
        try:
            return [ip_network(item.strip()) for item in text.split(",")]
        except ValueError as error:
            raise ValidationError(
                "is allowed to be networks such as 10.0.0.0/8 or fd00::/8, with commas between, or "
                f"{NO_NETWORK} ({error})"
            ) from error


def _api_token(value: str) -> None:
    if value and not re.fullmatch(rf"[!-~]{{{MIN_API_TOKEN_CHARACTERS},}}", value):
        raise ValidationError(
            f"is allowed to be {MIN_API_TOKEN_CHARACTERS} or more letters, digits and signs of ASCII, "
            "without white space"
        )


def _redis_url(value: str) -> None:
    if not value:
        return
    try:
        from redis.connection import parse_url  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise ValidationError("needs the extra 'redis': pip install 'asf[redis]'") from error
    try:
        parse_url(value)  # type: ignore[no-untyped-call]
    except ValueError as error:
        raise ValidationError(
            "is allowed to be a URL such as redis://:password@redis.example.com:6379/0, or one that begins with "
            "rediss:// or unix://"
        ) from error


def _endpoint_url(value: str) -> None:
    if not value:
        return
    allowed = "is allowed to be a URL such as https://s3.example.com:9000, without a name or password"
    try:
        parts = urlsplit(value)
    except ValueError as error:
        raise ValidationError(allowed) from error
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.username is not None:
        raise ValidationError(allowed)


def _origins(values: list[str]) -> None:
    if values == [ANY_ORIGIN]:
        return
    for value in values:
        parts = urlsplit(value)
        if parts.scheme not in {"http", "https"} or not parts.netloc or parts.path or parts.query or "*" in value:
            raise ValidationError(
                "is allowed to be * or origins such as https://app.example.com, with commas between"
            )


def _namespace(value: str) -> None:
    if value and (not re.fullmatch(r"/[^\s,?]*", value) or value == RESERVED_NAMESPACE):
        raise ValidationError(
            f"is allowed to be a path such as /ui_updates, without white space, comma or question mark, other than "
            f"{RESERVED_NAMESPACE}; empty turns UI updates off"
        )


def _between(low: float, high: float) -> validate.Range:
    return validate.Range(min=low, max=high, error="is allowed to be from {min} to {max}")


_Messages = dict[str, str | list[Any] | dict[Any, Any]]
_WHOLE_NUMBER: _Messages = {"invalid": "is allowed to be a whole number", "too_large": "is too large"}
_NUMBER: _Messages = {
    "invalid": "is allowed to be a number",
    "too_large": "is too large",
    "special": "is allowed to be a finite number",
}


def _described(text: str, when_empty: str = "") -> dict[str, str]:
    """Return the metadata of a setting: what it means, and what holds without a value, for the documents."""
    return {"description": text, "when_empty": when_empty}


class SettingsSchema(Schema):
    """The environment variables, their defaults and what is allowed."""

    class Meta:
        """Options of marshmallow."""

        unknown = EXCLUDE

    secret_key = fields.String(
        data_key="ASF_SECRET_KEY",
        metadata=_described(
            "Flask secret and token signing key: random at each start if empty; 32 or more characters in production.",
            when_empty="random",
        ),
        load_default="",
    )
    cors_allowed_origins = _Separated(
        ",",
        data_key="ASF_CORS_ALLOWED_ORIGINS",
        metadata=_described("Web origins that may connect: * for all, or a list with commas between."),
        load_default=[ANY_ORIGIN],
        validate=_origins,
    )
    chunk_size = fields.Integer(
        data_key="ASF_CHUNK_SIZE",
        metadata=_described("Bytes in one audio_chunk."),
        load_default=4096,
        validate=_between(1, 1048576),
        error_messages=_WHOLE_NUMBER,
    )
    stream_sleep_interval = fields.Float(
        data_key="ASF_STREAM_SLEEP_INTERVAL",
        metadata=_described("Seconds between chunks; 0: as fast as the listener takes them."),
        load_default=0.01,
        validate=_between(0, 60),
        error_messages=_NUMBER,
    )
    host = fields.String(
        data_key="ASF_HOST",
        metadata=_described("Address to listen on."),
        load_default="0.0.0.0",  # noqa: S104 - the documented default
        validate=validate.Length(min=1, error="is allowed to be a host name or address"),
    )
    port = fields.Integer(
        data_key="ASF_PORT",
        metadata=_described("Port to listen on; 0: any free one."),
        load_default=5006,
        validate=_between(0, 65535),
        error_messages=_WHOLE_NUMBER,
    )
    debug_mode = fields.Boolean(
        data_key="ASF_DEBUG_MODE",
        metadata=_described("True for development, False for production."),
        load_default=True,
        error_messages={"invalid": "is allowed to be True or False"},
    )
    ui_updates_namespace = fields.String(
        data_key="ASF_UI_UPDATES_NAMESPACE",
        metadata=_described("Socket.IO namespace of UI updates; empty turns them off."),
        load_default="/ui_updates",
        validate=_namespace,
    )
    audio_roots = _Separated(
        ":",
        data_key="ASF_AUDIO_ROOTS",
        metadata=_described("Shared audio directories, with colons between; no file outside them is ever read."),
        load_default=["./shared_audio"],
    )
    require_tokens = fields.Boolean(
        data_key="ASF_REQUIRE_TOKENS",
        metadata=_described("Whether listeners and subscribers to UI updates must present a token."),
        load_default=False,
        error_messages={"invalid": "is allowed to be True or False"},
    )
    internal_api_token = fields.String(
        data_key="ASF_INTERNAL_API_TOKEN",
        metadata=_described(
            "Bearer token of the internal API, 32 or more characters; without one only trusted networks can call it.",
            when_empty="none",
        ),
        load_default="",
        validate=_api_token,
    )
    internal_trusted_networks = _Networks(
        data_key="ASF_INTERNAL_TRUSTED_NETWORKS",
        metadata=_described(
            "Networks whose peers may call the internal API without the token, as CIDRs with commas between; none: "
            "no network. Production does not start with one that is wider than /8 (IPv6: /7).",
            when_empty="any in debug mode, else loopback",
        ),
        load_default=None,
    )
    max_message_bytes = fields.Integer(
        data_key="ASF_MAX_MESSAGE_BYTES",
        metadata=_described("Largest message accepted from a client, in bytes."),
        load_default=65536,
        validate=_between(1024, 1048576),
        error_messages=_WHOLE_NUMBER,
    )
    database = fields.String(
        data_key="ASF_DATABASE",
        metadata=_described(
            "Catalog of streams: a file, made where it is missing, or :memory: for one that is forgotten at the end."
        ),
        load_default="./var/asf.sqlite3",
        validate=validate.Length(min=1, error="is allowed to be a file's path, or :memory:"),
    )
    redis_url = fields.String(
        data_key="ASF_REDIS_URL",
        metadata=_described(
            "Redis that several servers share: it has the catalog, in place of ASF_DATABASE, and the UI updates. "
            "Needs the extra redis.",
            when_empty="none",
        ),
        load_default="",
        validate=_redis_url,
    )
    s3_buckets = _Buckets(
        data_key="ASF_S3_BUCKETS",
        metadata=_described(
            "Buckets of S3 whose objects may be announced as s3://bucket/key, with commas between. The credentials "
            "are those of AWS_ACCESS_KEY_ID and its like. Needs the extra objects.",
            when_empty="none",
        ),
        load_default=[],
    )
    s3_endpoint_url = fields.String(
        data_key="ASF_S3_ENDPOINT_URL",
        metadata=_described("Where S3 is, if it is not Amazon's.", when_empty="Amazon's"),
        load_default="",
        validate=_endpoint_url,
    )
    object_cache_bytes = fields.Integer(
        data_key="ASF_OBJECT_CACHE_BYTES",
        metadata=_described(
            "Memory for what was read of objects, in bytes. With less than 512 KiB for each place that listeners are "
            "at, much is read again and again."
        ),
        load_default=64 * 1024 * 1024,
        validate=_between(16 * 1024 * 1024, 2**40),
        error_messages=_WHOLE_NUMBER,
    )
    gs_buckets = _Buckets(
        data_key="ASF_GS_BUCKETS",
        metadata=_described(
            "The same for Google Cloud Storage, gs://bucket/key; credentials: GOOGLE_SERVICE_ACCOUNT and its like.",
            when_empty="none",
        ),
        load_default=[],
    )
    az_containers = _Buckets(
        data_key="ASF_AZ_CONTAINERS",
        metadata=_described(
            "The same for containers of Azure Blob Storage, az://container/key; account and credentials: "
            "AZURE_STORAGE_ACCOUNT_NAME and its like.",
            when_empty="none",
        ),
        load_default=[],
    )
    join_wait_seconds = fields.Float(
        data_key="ASF_JOIN_WAIT_SECONDS",
        metadata=_described("Longest wait for a stream that is not announced yet, in seconds."),
        load_default=120.0,
        validate=_between(0.1, 86400),
        error_messages=_NUMBER,
    )
    stall_seconds = fields.Float(
        data_key="ASF_STALL_SECONDS",
        metadata=_described("Seconds after which a stream that is being made and does not grow is stalled."),
        load_default=10.0,
        validate=_between(0.1, 86400),
        error_messages=_NUMBER,
    )
    stall_give_up_seconds = fields.Float(
        data_key="ASF_STALL_GIVE_UP_SECONDS",
        metadata=_described("Seconds after which it is given up."),
        load_default=120.0,
        validate=_between(0.1, 86400),
        error_messages=_NUMBER,
    )
    slow_listener_seconds = fields.Float(
        data_key="ASF_SLOW_LISTENER_SECONDS",
        metadata=_described("Seconds after which a listener that takes no byte loses its place."),
        load_default=30.0,
        validate=_between(0.1, 3600),
        error_messages=_NUMBER,
    )
    ui_history_size = fields.Integer(
        data_key="ASF_UI_HISTORY_SIZE",
        metadata=_described("UI updates that are kept for each client."),
        load_default=500,
        validate=_between(0, 100000),
        error_messages=_WHOLE_NUMBER,
    )
    ui_history_seconds = fields.Float(
        data_key="ASF_UI_HISTORY_SECONDS",
        metadata=_described("Seconds for which they are kept."),
        load_default=300.0,
        validate=_between(0, 86400),
        error_messages=_NUMBER,
    )
    drain_seconds = fields.Float(
        data_key="ASF_DRAIN_SECONDS",
        metadata=_described("Seconds that listeners have, after SIGTERM, to hear the rest or to go elsewhere."),
        load_default=20.0,
        validate=_between(0, 3600),
        error_messages=_NUMBER,
    )
    max_listeners = fields.Integer(
        data_key="ASF_MAX_LISTENERS",
        metadata=_described("Most listeners at a time."),
        load_default=10000,
        validate=_between(1, 1000000),
        error_messages=_WHOLE_NUMBER,
    )

    max_connections_per_ip = fields.Integer(
        data_key="ASF_MAX_CONNECTIONS_PER_IP",
        metadata=_described(
            "Most connections at a time from one address, or from one network of 64 bits of IPv6; 0: no bound, as "
            "behind a proxy, where all come from its address."
        ),
        load_default=0,
        validate=_between(0, 1000000),
        error_messages=_WHOLE_NUMBER,
    )
    max_streams = fields.Integer(
        data_key="ASF_MAX_STREAMS",
        metadata=_described("Most streams in the catalog."),
        load_default=1000000,
        validate=_between(1, 100000000),
        error_messages=_WHOLE_NUMBER,
    )

    @validates_schema(skip_on_field_errors=False)
    def _production_needs_a_secret(self, values: dict[str, Any], **_options: Any) -> None:
        length = len(values.get("secret_key", ""))
        if not values.get("debug_mode", True) and length < MIN_SECRET_KEY_CHARACTERS:
            raise ValidationError(
                f"needs {MIN_SECRET_KEY_CHARACTERS} or more characters when ASF_DEBUG_MODE is False, not {length}",
                "ASF_SECRET_KEY",
            )

    @validates_schema(skip_on_field_errors=False)
    def _production_guards_the_internal_api(self, values: dict[str, Any], **_options: Any) -> None:
        """Refuse what looks locked and is not, and what nobody could open."""
        networks = values.get("internal_trusted_networks")
        token = values.get("internal_api_token", "")
        if networks == [] and not token:
            raise ValidationError(
                "is allowed to be none only with an ASF_INTERNAL_API_TOKEN: nobody could call the internal API",
                "ASF_INTERNAL_TRUSTED_NETWORKS",
            )
        if values.get("debug_mode", True):
            return
        if networks and let_strangers_in(networks):
            raise ValidationError(
                "is allowed to hold strangers' addresses in debug mode only; when ASF_DEBUG_MODE is False name your "
                "backends' networks, such as 10.1.2.0/24, none of them wider than 10.0.0.0/8 or fc00::/7",
                "ASF_INTERNAL_TRUSTED_NETWORKS",
            )
        if token and token == values.get("secret_key"):
            raise ValidationError(
                "must differ from ASF_SECRET_KEY: who may announce audio could make tokens, too",
                "ASF_INTERNAL_API_TOKEN",
            )


SECRET_VARIABLES = frozenset({"ASF_SECRET_KEY", "ASF_INTERNAL_API_TOKEN", "ASF_REDIS_URL", "ASF_S3_ENDPOINT_URL"})
"""Variables whose values are, or hold, secrets, and are never shown."""


def read_settings(environment: Mapping[str, str]) -> Settings:
    """Return the settings in `environment`. Raises `SettingsError`."""
    try:
        values: dict[str, Any] = SettingsSchema().load(environment)
    except ValidationError as error:
        problems = [
            _problem_line(name, environment.get(name, ""), messages) for name, messages in error.messages_dict.items()
        ]
        raise SettingsError(problems) from error
    key = values["secret_key"]
    networks = values["internal_trusted_networks"]
    if networks is None:
        networks = [ALL_OF_IPV4, ALL_OF_IPV6] if values["debug_mode"] else LOOPBACK
    return Settings(
        **values
        | {
            "secret_key": key or secrets.token_urlsafe(),
            "secret_key_is_random": not key,
            "internal_trusted_networks": list(networks),
            "audio_roots": [Path(root) for root in values["audio_roots"]],
        }
    )


def environment_with_dotenv(environment: Mapping[str, str], dotenv_path: Path) -> dict[str, str]:
    """Return `environment` over what the file at `dotenv_path` says, if there is one."""
    from_file = {name: value for name, value in dotenv_values(dotenv_path).items() if value is not None}
    return from_file | dict(environment)


def _problem_line(name: str, value: str, messages: list[str]) -> str:
    shown = name if name in SECRET_VARIABLES else f"{name}={value!r}"
    return f"{shown} {'; '.join(messages)}."
