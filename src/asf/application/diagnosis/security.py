"""Checks the settings against what production needs."""

from collections.abc import Iterator

from asf.application.diagnosis.finding import Finding, Severity
from asf.settings import ANY_ORIGIN, Settings


def examine_posture(settings: Settings) -> Iterator[Finding]:
    """Yield which settings are unsafe, or unusual, in production."""
    if settings.debug_mode:
        text = "ASF_DEBUG_MODE is True, which is for development only"
        remedy = "In production, set ASF_DEBUG_MODE=False and an ASF_SECRET_KEY of 32 or more characters."
        yield Finding("settings", Severity.ADVICE, text, remedy)
    if settings.internal_api_is_open:
        text = "The internal API is open to anyone who can reach this port."
        remedy = "Set ASF_INTERNAL_API_TOKEN, and set ASF_INTERNAL_TRUSTED_NETWORKS to your backends' networks."
        yield Finding("internal API", Severity.ADVICE, text, remedy)
    elif wide := [network for network in settings.internal_trusted_networks if not network.is_loopback]:
        text = f"Clients in {', '.join(map(str, wide))} can use the internal API without a token."
        remedy = (
            "Unless only your backends are there, set ASF_INTERNAL_API_TOKEN and ASF_INTERNAL_TRUSTED_NETWORKS=none."
        )
        yield Finding("internal API", Severity.ADVICE, text, remedy)
    if not settings.require_tokens:
        text = "Anyone who can reach this port and knows an id can listen to that stream or watch that client."
        yield Finding(
            "listeners", Severity.ADVICE, text, "Set ASF_REQUIRE_TOKENS=True, and create tokens with asf token."
        )
    if not settings.debug_mode and settings.cors_allowed_origins == [ANY_ORIGIN]:
        text = "Pages of any web origin can connect (ASF_CORS_ALLOWED_ORIGINS=*)."
        remedy = "Set ASF_CORS_ALLOWED_ORIGINS to the origins of your front ends, such as https://app.example.com"
        yield Finding("origins", Severity.ADVICE, text, remedy)
    if not settings.ui_updates_namespace:
        text = "UI updates are off (ASF_UI_UPDATES_NAMESPACE is empty)"
        yield Finding("settings", Severity.ADVICE, text, "Unset the variable to turn them on.")
