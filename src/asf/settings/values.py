"""The settings as the program uses them."""

from dataclasses import dataclass
from pathlib import Path

from asf.adapters.connection_quota import REJECTION_HEADROOM
from asf.adapters.sqlite_catalog import IN_MEMORY
from asf.settings.networks import Networks, include_strangers
from asf.settings.parsing import ANY_ORIGIN
from asf.settings.secret_strength import MIN_CHARACTERS, can_be_guessed

LOOPBACK_OF_WILDCARD = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - compared, not bound
"""The loopback address for each value of ASF_HOST that means all addresses."""

SPARE_CONNECTIONS = 1_000
"""Connections beyond those of listeners: of backends, of subscribers to UI updates, of listeners that reconnect."""

UPLOADS, SHARED_UPLOADS = "uploads", ".asf-uploads"
"""Names of the default directories of uploaded audio: beside the database, and in the first audio root."""

SPARE_FILES = 200
"""Open files besides connections: audio, the databases, libraries."""

FILES_OF_UPLOAD = 2
"""Open files of one upload: the one that is written, and the same for listeners. Its connection is a spare one."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Every setting by its name without `ASF_`. `asf.settings.table` has meanings, ranges and defaults."""

    secret_key: str
    cors_allowed_origins: list[str]
    chunk_size: int
    stream_sleep_interval: float
    host: str
    port: int
    workers: int
    """Processes that serve."""
    debug_mode: bool
    log_level: str
    serve_client: bool
    serve_operator_page: bool
    ui_updates_namespace: str
    audio_roots: list[Path]
    require_tokens: bool
    internal_api_token: str
    """Empty for none."""
    internal_trusted_networks: Networks
    allowed_hosts: list[str]
    max_message_bytes: int
    database: str
    redis_url: str
    """Empty for none."""
    s3_buckets: list[str]
    s3_endpoint_url: str
    """Empty for Amazon's."""
    object_cache_bytes: int
    gs_buckets: list[str]
    az_containers: list[str]
    join_wait_seconds: float
    stall_seconds: float
    stall_give_up_seconds: float
    slow_listener_seconds: float
    ahead_seconds: float
    """0 for no limit."""
    http_pause_seconds: float
    keepalive_seconds: float
    ui_history_size: int
    ui_history_seconds: float
    max_listeners: int
    max_connections_per_ip: int
    """0 for no limit."""
    max_streams: int
    max_cues: int
    webhook_url: str
    """Empty for no webhooks."""
    webhook_secret: list[bytes]
    """One or two; none without webhooks."""
    webhook_retry_seconds: float
    drain_seconds: float
    upload_directory: Path | None
    """None for the default."""
    upload_to: str
    upload_max_bytes: int
    upload_total_bytes: int
    upload_keep_seconds: float
    """0 for ever."""
    secret_key_is_random: bool
    redis_is_private: bool = False
    """Whether the Redis belongs to this server alone, which has several workers."""

    @property
    def max_connections(self) -> int:
        """Maximum number of concurrent connections."""
        return self.max_listeners + SPARE_CONNECTIONS

    @property
    def is_cluster(self) -> bool:
        """Whether several servers, or several workers of one, may share the catalog."""
        return bool(self.redis_url)

    @property
    def upload_path(self) -> Path | None:
        """The directory of uploaded audio; None for a temporary one, as the catalog is."""
        if self.upload_directory is not None:
            return self.upload_directory
        if self.is_cluster and not self.redis_is_private:
            return self.audio_roots[0] / SHARED_UPLOADS
        return None if self.database == IN_MEMORY else Path(self.database).parent / UPLOADS

    @property
    def has_object_stores(self) -> bool:
        """Whether objects can be announced."""
        return bool(self.s3_buckets or self.gs_buckets or self.az_containers)

    def allows_origin(self, origin: str) -> bool:
        """Return whether pages of a web origin may connect."""
        return self.cors_allowed_origins == [ANY_ORIGIN] or origin in self.cors_allowed_origins

    @property
    def open_files(self) -> int:
        """Maximum number of open files, including connections that are about to be rejected."""
        return self.max_connections + REJECTION_HEADROOM + SPARE_FILES + FILES_OF_UPLOAD * SPARE_CONNECTIONS

    @property
    def secret_key_can_be_guessed(self) -> bool:
        """Whether the secret key is short or a pattern, so that strangers may find it out and sign tokens."""
        return len(self.secret_key) < MIN_CHARACTERS or can_be_guessed(self.secret_key)

    @property
    def internal_api_is_open(self) -> bool:
        """Whether strangers' addresses may call the internal API."""
        return include_strangers(self.internal_trusted_networks)


def url_of(host: str, port: int) -> str:
    """Return the URL at which a server that listens on `host` and `port` can be reached on this machine."""
    reachable = LOOPBACK_OF_WILDCARD.get(host, host)
    return f"http://[{reachable}]:{port}" if ":" in reachable else f"http://{reachable}:{port}"
