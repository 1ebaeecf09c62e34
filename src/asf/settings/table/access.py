"""Who may listen, subscribe and use the internal API, and the size of messages."""

from asf.settings import parsing
from asf.settings.parsing import DEFAULT_NETWORKS, NO_NETWORK
from asf.settings.table.setting import Setting

SETTINGS = (
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
)
