"""Checks the settings against what production needs, and secrets on the disk."""

import stat
from collections.abc import Iterator
from pathlib import Path

from asf.adapters.sqlite_catalog import IN_MEMORY
from asf.application.diagnosis.finding import Finding, Severity
from asf.settings import ANY_ORIGIN, GENERATE_SECRET, Settings, has_secrets


def examine_posture(settings: Settings) -> Iterator[Finding]:
    """Yield which settings are unsafe, or unusual, in production."""
    if settings.debug_mode:
        text = "ASF_DEBUG_MODE is True, which is for development only"
        remedy = "In production, set ASF_DEBUG_MODE=False and an ASF_SECRET_KEY of 32 or more characters."
        yield Finding("settings", Severity.ADVICE, text, remedy)
    yield from examine_exposure(settings)
    if not settings.ui_updates_namespace:
        text = "UI updates are off (ASF_UI_UPDATES_NAMESPACE is empty)"
        yield Finding("settings", Severity.ADVICE, text, "Unset the variable to turn them on.")


def examine_exposure(settings: Settings) -> Iterator[Finding]:
    """Yield what is open to others than those who have been given a secret, in debug mode and in production."""
    networks = settings.internal_trusted_networks
    if settings.internal_api_is_open:
        text = "The internal API is open to anyone who can reach this port."
        remedy = "Set ASF_INTERNAL_TRUSTED_NETWORKS to your backends' networks or to the word none"
        if settings.internal_api_token:
            remedy += ": until then the ASF_INTERNAL_API_TOKEN is not required."
        else:
            remedy += ", and set ASF_INTERNAL_API_TOKEN."
        yield Finding("internal API", Severity.ADVICE, text, remedy)
    elif wide := [network for network in networks if not network.is_loopback]:
        text = f"Clients in {', '.join(map(str, wide))} can use the internal API without a token."
        remedy = (
            "Unless only your backends are there, set ASF_INTERNAL_API_TOKEN and ASF_INTERNAL_TRUSTED_NETWORKS=none."
        )
        yield Finding("internal API", Severity.ADVICE, text, remedy)
    elif networks:
        text = (
            "Every program on this machine can use the internal API without a token, "
            "and so can clients of a proxy on it that adds no forwarding header."
        )
        remedy = "Set ASF_INTERNAL_API_TOKEN and ASF_INTERNAL_TRUSTED_NETWORKS=none."
        yield Finding("internal API", Severity.ADVICE, text, remedy)
    if not settings.require_tokens:
        text = "Anyone who can reach this port and knows an id can listen to that stream or watch that client."
        yield Finding(
            "listeners", Severity.ADVICE, text, "Set ASF_REQUIRE_TOKENS=True, and create tokens with asf token."
        )
    elif settings.secret_key_can_be_guessed and not settings.secret_key_is_random:
        text = "ASF_SECRET_KEY can be guessed, and anyone who knows it can create tokens."
        yield Finding("listeners", Severity.ADVICE, text, f"Generate another one: {GENERATE_SECRET}")
    if not settings.debug_mode and settings.cors_allowed_origins == [ANY_ORIGIN]:
        text = "Pages of any web origin can connect (ASF_CORS_ALLOWED_ORIGINS=*)."
        remedy = "Set ASF_CORS_ALLOWED_ORIGINS to the origins of your front ends, such as https://app.example.com"
        yield Finding("origins", Severity.ADVICE, text, remedy)


def examine_files(settings: Settings, dotenv_path: Path) -> Iterator[Finding]:
    """Yield which files with secrets, or the catalog, every user of this machine can read."""
    files = [(dotenv_path, "the secrets")] if has_secrets(dotenv_path) else []
    if not settings.redis_url and settings.database != IN_MEMORY:
        files.append((Path(settings.database), "the catalog of streams"))
    for path, content in files:
        if _is_readable_for_all(path):
            text = f"Every user of this machine can read {content} in {path.absolute()}."
            yield Finding("files", Severity.ADVICE, text, f"chmod o-rwx {path.absolute()}")


def _is_readable_for_all(path: Path) -> bool:
    try:
        return bool(path.stat().st_mode & stat.S_IROTH)
    except OSError:
        return False
