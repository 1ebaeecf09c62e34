"""What backends can publish: uploads, streams and cues."""

from asf.settings import parsing
from asf.settings.table.setting import Setting

UPLOAD_TO_FILE, UPLOAD_TO_QUEUE = "file", "queue"
"""Values of ASF_UPLOAD_TO."""

SETTINGS = (
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
)
