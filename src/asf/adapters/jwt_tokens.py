"""Tokens as JSON Web Tokens (RFC 7519), signed with HMAC-SHA256 (`HS256`) only."""

import json
from typing import Any

import jwt

from asf.domain.access.grant import ALL, Grant
from asf.domain.errors import Unauthorized

ALGORITHM = "HS256"

MAX_NUMERIC_DATE = 2**53 - 1
"""Latest time of a claim: the largest integer that every JSON reader keeps exact (RFC 8259, section 6)."""

NOT_AUTHENTIC = f"Invalid token: not an {ALGORITHM} JWT signed with this server's ASF_SECRET_KEY."


class SignedContent(jwt.PyJWS):
    """Verifies signatures, whatever the key id (`kid`): there is only one key.

    PyJWT rejects one that is not a string, and has no option for that.
    """

    def _validate_kid(self, kid: Any) -> None:
        """Accept the key id."""


class JwtTokens:
    """Creates and verifies tokens with one secret key: implements the `TokenVerifier` port.

    The claims `sub` and `exp` are required; `nbf` is optional. `streams` and `clients` are lists of ids, or `*` for
    all, which may also be an item. A missing one grants nothing. A token with an audience (`aud`) is for another
    service. All other claims are ignored, whatever their type, and so are headers other than `alg`, `crit` and `b64`.
    """

    def __init__(self, secret_key: str) -> None:
        self._key = secret_key
        self._signed_content = SignedContent([ALGORITHM])

    def mint(self, grant: Grant) -> str:
        """Return a token for `grant`."""
        claims = {
            "sub": grant.subject,
            "exp": grant.expires_at,
            "streams": sorted(grant.streams),
            "clients": sorted(grant.clients),
        }
        return jwt.encode(claims, self._key, ALGORITHM)

    def verify(self, token: object, timestamp: float) -> Grant:
        """Return what `token` grants at `timestamp`. Raises `Unauthorized`, whose details never contain the token."""
        claims = self._authentic_claims(token)
        expires_at = _numeric_date(claims, "exp")
        if expires_at is None:
            raise Unauthorized("The token has no exp claim.")
        if expires_at <= timestamp:
            raise Unauthorized("The token has expired.")
        not_before = _numeric_date(claims, "nbf")
        if not_before is not None and not_before > timestamp:
            raise Unauthorized("The token is not valid yet.")
        subject = claims.get("sub")
        if not isinstance(subject, str) or not subject:
            raise Unauthorized("The token's sub is missing, or is not a string.")
        return Grant(subject, expires_at, _ids(claims, "streams"), _ids(claims, "clients"))

    def _authentic_claims(self, token: object) -> dict[str, Any]:
        """Return the claims of a token that is signed with the key and has no audience (`aud`).

        The claims are not checked by PyJWT: `verify` uses the domain's clock, and checks their types as well.
        """
        if not isinstance(token, str) or not token.isascii():
            raise Unauthorized(NOT_AUTHENTIC)
        try:
            claims = json.loads(self._signed_content.decode(token, self._key, [ALGORITHM]))
        except (jwt.InvalidTokenError, ValueError, RecursionError) as error:
            raise Unauthorized(NOT_AUTHENTIC) from error
        if not isinstance(claims, dict):
            raise Unauthorized(NOT_AUTHENTIC)
        if claims.get("aud"):
            raise Unauthorized("The token is for another audience (aud).")
        return claims


def _numeric_date(claims: dict[str, Any], name: str) -> float | None:
    """Return a NumericDate claim, in seconds since the Unix epoch; None if it is missing."""
    if name not in claims:
        return None
    value = claims[name]
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not abs(value) <= MAX_NUMERIC_DATE:  # Also excludes NaN.
        raise Unauthorized(f"The token's {name} is not a NumericDate.")
    return float(value)


def _ids(claims: dict[str, Any], name: str) -> frozenset[str]:
    """Return a claim that lists ids; none if it is missing."""
    value = claims.get(name, [])
    if value == ALL:
        return frozenset({ALL})
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise Unauthorized(f"The token's {name} is not a list of ids.")
    return frozenset(value)
