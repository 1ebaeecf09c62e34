"""How audio and UI updates are delivered: timeouts, history, and the number of clients."""

from asf.settings import parsing
from asf.settings.table.setting import Setting

DEBUG_DRAIN_SECONDS = 1.0
"""ASF_DRAIN_SECONDS in debug mode, unless it is set: after Ctrl-C a developer waits for the server to stop."""

SETTINGS = (
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
)
