"""Where the catalog, the UI updates and the audio are."""

from asf.settings import parsing
from asf.settings.table.setting import Setting

SETTINGS = (
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
)
