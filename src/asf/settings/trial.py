"""Trial mode: what `asf serve --trial` does where nothing is configured, as in a container without settings."""

import secrets
from collections.abc import Mapping

from asf.settings.environment import COMMAND_LINE_VARIABLES, PREFIX, without_service_links

PLACES = frozenset(
    {"ASF_AUDIO_ROOTS", "ASF_DATABASE", "ASF_DEBUG_MODE", "ASF_HOST", "ASF_LOG_LEVEL", "ASF_PORT", "ASF_WORKERS"}
)
"""Variables that say where and how the server runs, not for whom. The image sets some of them."""


def is_configured(environment: Mapping[str, str]) -> bool:
    """Return whether any setting besides those of `PLACES` has a value."""
    ignored = PLACES | COMMAND_LINE_VARIABLES
    given = without_service_links(environment)
    return any(name.upper().startswith(PREFIX) and value and name not in ignored for name, value in given.items())


def trial_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of a trial: debug mode, for the console, and a random token for the internal API.

    A container's port may be open to a whole network, so no address is trusted.
    """
    return {
        **environment,
        "ASF_DEBUG_MODE": "True",
        "ASF_INTERNAL_TRUSTED_NETWORKS": "none",
        "ASF_INTERNAL_API_TOKEN": secrets.token_urlsafe(32),
    }
