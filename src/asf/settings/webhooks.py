"""Parsers of the settings of webhooks."""

import re
from base64 import b64decode
from urllib.parse import urlsplit

from asf.settings.parsing import InvalidValue

SECRET_PREFIX = "whsec_"  # noqa: S105 - how secrets begin
MIN_KEY_BYTES, MAX_KEY_BYTES = 24, 64
"""Limits of Standard Webhooks 1.0.0."""

MAX_SECRETS = 2

GENERATE_SECRET = (
    "python3 -c 'import base64, secrets; "  # noqa: S105
    """print("whsec_" + base64.b64encode(secrets.token_bytes(32)).decode())'"""
)
"""Command that prints a good secret."""

SECRET_RULE = (
    f"must be {SECRET_PREFIX} and the base64 text of {MIN_KEY_BYTES} to {MAX_KEY_BYTES} random bytes, or two such "
    "secrets separated by a space"
)

URL_RULE = "must be a URL such as https://backend.example.com/asf-events, without user name, password or fragment"


def webhook_url(text: str) -> str:
    """Return the URL of a receiver of webhooks, or empty text."""
    if not text:
        return text
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        raise InvalidValue(URL_RULE) from error
    is_complete = parts.scheme in {"http", "https"} and bool(parts.hostname) and port != 0
    if not is_complete or "@" in parts.netloc or parts.fragment or not re.fullmatch(r"[!-~]+", text):
        raise InvalidValue(URL_RULE)
    return text


def webhook_secrets(text: str) -> list[bytes]:
    """Return the keys of one or two secrets in the form of Standard Webhooks; none for empty text."""
    secrets = text.split()
    if len(secrets) > MAX_SECRETS:
        raise InvalidValue(SECRET_RULE)
    return list(map(_key_of, secrets))


def _key_of(secret: str) -> bytes:
    encoded = secret.removeprefix(SECRET_PREFIX)
    try:
        key = b64decode(encoded, validate=True)
    except ValueError as error:
        raise InvalidValue(SECRET_RULE) from error
    if encoded == secret or not MIN_KEY_BYTES <= len(key) <= MAX_KEY_BYTES:
        raise InvalidValue(SECRET_RULE)
    return key
