"""The table of the settings: names, defaults, ranges and meanings (docs/contract.md, section 1)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from asf.settings import parsing
from asf.settings.parsing import ANY_ORIGIN, DEFAULT_NETWORKS, NO_NETWORK, InvalidValue
from asf.settings.webhooks import webhook_secrets, webhook_url

DEBUG_DRAIN_SECONDS = 1.0
"""ASF_DRAIN_SECONDS in debug mode, unless it is set: after Ctrl-C a developer waits for the server to stop."""

LOG_LEVELS = ("debug", "info", "warning", "error")
"""Values of ASF_LOG_LEVEL."""

UPLOAD_TO_FILE, UPLOAD_TO_QUEUE = "file", "queue"
"""Values of ASF_UPLOAD_TO."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting. `default` is text, as in the environment; `allowed` is the range of a number.

    `meaning`, and `when_empty`, which says what an empty value means, are for the documents.
    """

    name: str
    parse: Callable[[str], Any]
    default: str
    meaning: str
    allowed: tuple[float, float] | None = None
    when_empty: str = ""
    is_secret: bool = False

    @property
    def variable(self) -> str:
        """Name of the environment variable."""
        return f"ASF_{self.name.upper()}"

    def read(self, text: str) -> Any:
        """Return the value of `text`. Raises `InvalidValue`."""
        if self.allowed is None:
            return self.parse(text)
        low, high = self.allowed
        between = f"between {low} and {high}"
        try:
            value = self.parse(text)
        except InvalidValue as error:
            raise InvalidValue(f"{error.rule} {between}") from error
        if not low <= value <= high:
            raise InvalidValue(f"must be {between}")
        return value


SETTINGS = (
    Setting(
        "secret_key",
        parsing.any_text,
        "",
        "Flask secret and token signing key; random at each start if empty. Production needs 32 or more characters "
        "that cannot be guessed.",
        when_empty="random",
        is_secret=True,
    ),
    Setting(
        "cors_allowed_origins",
        parsing.origins,
        ANY_ORIGIN,
        "Web origins that may connect: * for all, or a comma-separated list; empty: only the server's own pages. "
        "Apps and extensions have origins, too, such as capacitor://localhost; null stands for pages without one.",
    ),
    Setting("chunk_size", parsing.integer, "4096", "Maximum size of one audio_chunk, in bytes.", (1, 1048576)),
    Setting(
        "stream_sleep_interval",
        parsing.number,
        "0.01",
        "Seconds between chunks; 0: as fast as the listener takes them.",
        (0, 60),
    ),
    Setting(
        "host",
        parsing.required("a host name or an address"),
        "0.0.0.0",  # noqa: S104
        "Address to listen on, or a name: then all of its addresses that this machine has.",
    ),
    Setting("port", parsing.integer, "5006", "Port to listen on; 0: any free one.", (0, 65535)),
    Setting(
        "workers",
        parsing.workers,
        "1",
        "Processes that serve, of asf serve: 1 to 64, or auto for the number of cores (docs/production.md, "
        '"Several workers").',
    ),
    Setting("debug_mode", parsing.boolean, "True", "True for development, False for production."),
    Setting(
        "log_level",
        parsing.one_of(*LOG_LEVELS),
        "info",
        "Least severe lines of the log that are written: debug, info, warning or error. debug adds a line for each "
        "HTTP request; warning omits those about sessions.",
    ),
    Setting(
        "serve_client",
        parsing.boolean,
        "True",
        "Whether /asf/client/ serves the browser client and the player, in production too.",
    ),
    Setting(
        "serve_operator_page",
        parsing.boolean,
        "True",
        "Whether /asf/operator serves the page for operators, in production too. The page itself contains nothing "
        "secret: it asks for the token of the internal API.",
    ),
    Setting(
        "ui_updates_namespace",
        parsing.namespace,
        "/ui_updates",
        "Socket.IO namespace of UI updates; empty turns them off.",
    ),
    Setting(
        "audio_roots",
        parsing.paths,
        "./shared_audio",
        "Shared audio directories, separated by colons: at least one. Files outside them are never read.",
    ),
    Setting(
        "require_tokens",
        parsing.boolean,
        "False",
        "Whether listeners and subscribers to UI updates must present a token.",
    ),
    Setting(
        "internal_api_token",
        parsing.api_token,
        "",
        "Bearer token of the internal API, 32 or more characters that cannot be guessed. Without one, only trusted "
        "networks can call it.",
        when_empty="none",
        is_secret=True,
    ),
    Setting(
        "internal_trusted_networks",
        parsing.networks,
        DEFAULT_NETWORKS,
        "Networks whose addresses may call the internal API without the token, as comma-separated CIDRs; "
        f"{NO_NETWORK} or empty: no network; {DEFAULT_NETWORKS}: any in debug mode, else none if there is an "
        "ASF_INTERNAL_API_TOKEN, else loopback. In production each must be /8 or narrower (IPv6: /7). A loopback "
        "peer that sends a forwarding header, such as X-Forwarded-For, needs the token.",
    ),
    Setting(
        "allowed_hosts",
        parsing.host_names,
        "",
        "Comma-separated host names, besides addresses and localhost, that requests to the internal API without the "
        "token may be addressed to (their Host header).",
        when_empty="addresses and localhost only",
    ),
    Setting(
        "max_message_bytes",
        parsing.integer,
        "65536",
        "Largest message accepted from a client, in bytes.",
        (1024, 1048576),
    ),
    Setting(
        "database",
        parsing.required("a file's path or :memory:"),
        "./var/asf.sqlite3",
        "Catalog of streams: a file, created if missing, or :memory: for one that is lost when the server stops. "
        "One server uses it at a time.",
    ),
    Setting(
        "redis_url",
        parsing.redis_url,
        "",
        "Redis that several servers share: redis://, rediss:// (TLS) or unix://, or redis+sentinel:// or "
        'rediss+sentinel:// with Sentinels that name it (docs/production.md, "Redis"). It holds the catalog, '
        "instead of ASF_DATABASE, and the UI updates. Needs the extra redis.",
        when_empty="none",
        is_secret=True,
    ),
    Setting(
        "s3_buckets",
        parsing.buckets,
        "",
        "Comma-separated S3 buckets whose objects may be announced as s3://bucket/key. Credentials: "
        "AWS_ACCESS_KEY_ID and related variables. Needs the extra objects.",
        when_empty="none",
    ),
    Setting(
        "s3_endpoint_url",
        parsing.endpoint_url,
        "",
        "URL of an S3-compatible store other than Amazon's.",
        when_empty="Amazon's",
        is_secret=True,
    ),
    Setting(
        "object_cache_bytes",
        parsing.integer,
        "67108864",
        "Cache size for object-store audio, in bytes. Allow 512 KiB per concurrent playback position.",
        (16 * 1024 * 1024, 2**40),
    ),
    Setting(
        "gs_buckets",
        parsing.buckets,
        "",
        "Comma-separated Google Cloud Storage buckets whose objects may be announced as gs://bucket/key. "
        "Credentials: GOOGLE_SERVICE_ACCOUNT and related variables. Needs the extra objects.",
        when_empty="none",
    ),
    Setting(
        "az_containers",
        parsing.buckets,
        "",
        "Comma-separated Azure Blob Storage containers whose objects may be announced as az://container/key. Account "
        "and credentials: AZURE_STORAGE_ACCOUNT_NAME and related variables. Needs the extra objects.",
        when_empty="none",
    ),
    Setting(
        "join_wait_seconds",
        parsing.number,
        "120",
        "How long a listener can wait for a stream that is not announced yet, in seconds.",
        (0.1, 86400),
    ),
    Setting(
        "stall_seconds",
        parsing.number,
        "10",
        "Seconds without growth after which a stream that is being generated counts as stalled.",
        (0.1, 86400),
    ),
    Setting(
        "stall_give_up_seconds",
        parsing.number,
        "120",
        "Seconds without growth after which listeners at the live edge receive ASF_STREAM_STALLED and the stream has "
        "failed.",
        (0.1, 86400),
    ),
    Setting(
        "slow_listener_seconds",
        parsing.number,
        "30",
        "Seconds without reading a byte after which a slow listener is dropped. One that reads 60 kB in this time is "
        "not slow. Players by URL have ASF_HTTP_PAUSE_SECONDS instead.",
        (0.1, 3600),
    ),
    Setting(
        "ahead_seconds",
        parsing.number,
        "120",
        "How far ahead of real time, in seconds, a listener without a window is sent audio whose rate is known, over "
        "Socket.IO and plain WebSockets. Never more than 4 MiB. 0: no limit at all.",
        (0, 86400),
    ),
    Setting(
        "http_pause_seconds",
        parsing.number,
        "900",
        "How long a player that plays a stream by its URL may pause, in seconds, before its connection is closed. A "
        "proxy in front must allow that, too.",
        (0.1, 86400),
    ),
    Setting(
        "keepalive_seconds",
        parsing.number,
        "75",
        "Seconds after which an idle HTTP connection is closed. Must be longer than the idle timeout of the load "
        "balancer in front.",
        (1, 3600),
    ),
    Setting(
        "ui_history_size", parsing.integer, "500", "Maximum number of UI updates kept for each client.", (0, 100000)
    ),
    Setting("ui_history_seconds", parsing.number, "300", "How long UI updates are kept, in seconds.", (0, 86400)),
    Setting(
        "drain_seconds",
        parsing.number,
        "20",
        "Seconds after SIGTERM in which listeners can finish or reconnect to another server. The others are then "
        f"disconnected, and can resume at their offset. In debug mode {DEBUG_DRAIN_SECONDS:g} unless it is set.",
        (0, 3600),
    ),
    Setting("max_listeners", parsing.integer, "10000", "Maximum number of concurrent listeners.", (1, 1000000)),
    Setting(
        "max_connections_per_ip",
        parsing.integer,
        "0",
        "Maximum number of concurrent connections from one address (IPv6: from one /64 network); 0: no limit. Behind "
        "a proxy leave it 0: all connections come from the proxy's address.",
        (0, 1000000),
    ),
    Setting(
        "upload_to",
        parsing.one_of(UPLOAD_TO_FILE, UPLOAD_TO_QUEUE),
        UPLOAD_TO_FILE,
        "Where uploaded audio goes: file, into ASF_UPLOAD_DIRECTORY; queue, into Redis, for several servers without "
        "a shared directory.",
    ),
    Setting(
        "upload_directory",
        parsing.optional_path,
        "",
        "Directory of uploaded audio, created if missing. Of one server or one cluster alone, whose servers must all "
        "reach it.",
        when_empty="uploads beside the database; with ASF_REDIS_URL, .asf-uploads in the first audio root; with the "
        "database :memory:, a temporary one",
    ),
    Setting(
        "upload_max_bytes",
        parsing.integer,
        "2147483648",
        "Largest audio that can be uploaded, in bytes.",
        (1, 2**53 - 1),
    ),
    Setting(
        "upload_total_bytes",
        parsing.integer,
        "21474836480",
        "Size of all uploaded audio together, in bytes. What exceeds it is rejected with ASF_STORAGE_FULL.",
        (1, 2**53 - 1),
    ),
    Setting(
        "upload_keep_seconds",
        parsing.number,
        "604800",
        "How long uploaded audio is kept after its last byte, in seconds; then it is deleted with its stream. 0: for "
        "ever.",
        (0, 10**9),
    ),
    Setting("max_streams", parsing.integer, "1000000", "Maximum number of streams in the catalog.", (1, 100000000)),
    Setting("max_cues", parsing.integer, "50000", "Maximum number of cues of one stream.", (1, 1000000)),
    Setting(
        "webhook_url",
        webhook_url,
        "",
        "URL to which events of streams are reported: the first listener, the last one that has left, the end "
        '(docs/contract.md, section 2, "Webhooks"). Needs an ASF_WEBHOOK_SECRET.',
        when_empty="no webhooks",
        is_secret=True,
    ),
    Setting(
        "webhook_secret",
        webhook_secrets,
        "",
        "Secret that signs webhooks: whsec_ and the base64 text of 24 to 64 random bytes. While it is being "
        "replaced: the new one and the old one, separated by a space.",
        when_empty="none",
        is_secret=True,
    ),
    Setting(
        "webhook_retry_seconds",
        parsing.number,
        "3600",
        "How long the delivery of an event is attempted again, in seconds; 0: one attempt.",
        (0, 86400),
    ),
)

VARIABLES = frozenset(setting.variable for setting in SETTINGS)
