"""The server itself: its address, its mode, and what it serves."""

from asf.settings import parsing
from asf.settings.parsing import ANY_ORIGIN
from asf.settings.table.setting import Setting

LOG_LEVELS = ("debug", "info", "warning", "error")
"""Values of ASF_LOG_LEVEL."""

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
)
