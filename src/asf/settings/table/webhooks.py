"""Events of streams that are reported to a URL."""

from asf.settings import parsing
from asf.settings.table.setting import Setting
from asf.settings.webhooks import webhook_secrets, webhook_url

SETTINGS = (
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
