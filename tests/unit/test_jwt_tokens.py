"""JSON Web Tokens: only authentic and current ones grant access."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asf.adapters.jwt_tokens import JwtTokens
from asf.domain.access.grant import ALL, Grant
from asf.domain.errors import Unauthorized
from tests.contracts.token_verifier import NOW, TokenVerifierContract
from tests.support.virtual import ScriptedTokens

KEY = "a-key-of-more-than-32-characters-to-sign-with"
TOKENS = JwtTokens(KEY)
CLAIMS: dict[str, Any] = {"sub": "alice", "exp": NOW + 60, "streams": ["demo"], "clients": ["alice"]}
GRANT = Grant("alice", NOW + 60, frozenset({"demo"}), frozenset({"alice"}))


class TestJwtTokens(TokenVerifierContract):
    """The contract, on JSON Web Tokens."""

    @pytest.fixture
    def verifier(self) -> JwtTokens:
        return TOKENS

    @pytest.fixture
    def mint(self) -> Callable[[Grant], str]:
        return TOKENS.mint


class TestScriptedTokens(TokenVerifierContract):
    """The contract, on the fake of the domain's tests."""

    @pytest.fixture
    def verifier(self) -> ScriptedTokens:
        return ScriptedTokens({})

    @pytest.fixture
    def mint(self, verifier: ScriptedTokens) -> Callable[[Grant], str]:
        def mint(grant: Grant) -> str:
            verifier.grants["a token that nobody can guess"] = grant
            return "a token that nobody can guess"

        return mint


def signed(header: Any, claims: Any, key: str = KEY) -> str:
    """Return a token with a valid signature, whatever its content."""
    texts = [one if isinstance(one, bytes) else json.dumps(one).encode() for one in (header, claims)]
    content = b".".join(_base64(text) for text in texts)
    return b".".join([content, _base64(hmac.new(key.encode(), content, hashlib.sha256).digest())]).decode()


def with_claims(**changed: Any) -> str:
    """Return an authentic token with other claims; None removes one."""
    claims = {name: value for name, value in (CLAIMS | changed).items() if value is not None}
    return signed({"alg": "HS256", "typ": "JWT"}, claims)


def _base64(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def refusal_of(token: object) -> str:
    """Return the details of the error for a token."""
    with pytest.raises(Unauthorized) as refusal:
        TOKENS.verify(token, NOW)
    assert refusal.value.details
    return refusal.value.details


def test_tokens_of_other_libraries_are_accepted() -> None:
    """Any backend that has the key can sign them."""
    assert TOKENS.verify(jwt.encode(CLAIMS, KEY, "HS256"), NOW) == GRANT
    assert TOKENS.verify(with_claims(), NOW) == GRANT
    assert TOKENS.verify(with_claims(nbf=NOW), NOW) == GRANT


OTHER_VALUES: list[Any] = [17, "", True, 1.5, [], {"a": 1}, float("nan")]


def test_other_claims_are_ignored() -> None:
    """Whatever their type: they are for other readers of the token."""
    for name in ("jti", "iss", "iat", "name", "typ", "kid", "crit"):
        for value in OTHER_VALUES:
            assert TOKENS.verify(with_claims(**{name: value}), NOW) == GRANT
    assert TOKENS.verify(with_claims(iat=NOW + 1000), NOW) == GRANT


def test_other_headers_are_ignored() -> None:
    """Whatever their type. There is one key and one algorithm."""
    for name in ("kid", "typ", "cty", "jku", "jwk", "x5c", "x"):
        for value in OTHER_VALUES:
            assert TOKENS.verify(signed({"alg": "HS256", name: value}, CLAIMS), NOW) == GRANT


def test_ids() -> None:
    """All, several, none, and a missing claim."""
    assert TOKENS.verify(with_claims(streams="*", clients=["a", "*"]), NOW).streams == {ALL}
    assert TOKENS.verify(with_claims(streams="*", clients=["a", "*"]), NOW).clients == {"a", ALL}
    assert TOKENS.verify(with_claims(streams=[], clients=None), NOW).streams == frozenset()
    assert TOKENS.verify(with_claims(streams=[], clients=None), NOW).clients == frozenset()


def test_a_short_key_signs_too_and_is_warned_of() -> None:
    """In debug mode it may be short."""
    tokens = JwtTokens("short")
    with pytest.warns(jwt.InsecureKeyLengthWarning):
        assert tokens.verify(tokens.mint(GRANT), NOW) == GRANT


@pytest.mark.parametrize(
    "token",
    [
        jwt.encode(CLAIMS, "another-key-of-more-than-32-characters", "HS256"),
        jwt.encode(CLAIMS, None, "none"),
        jwt.encode(CLAIMS, KEY * 2, "HS512"),
        jwt.encode(CLAIMS, KEY * 2, "HS384"),
        signed({"alg": "none"}, CLAIMS),
        signed({"alg": "None"}, CLAIMS),
        signed({"alg": "hs256"}, CLAIMS),
        signed({"alg": "HS512"}, CLAIMS),
        signed({"alg": "RS256"}, CLAIMS),
        signed({"alg": ["HS256"]}, CLAIMS),
        signed({"alg": None}, CLAIMS),
        signed({}, CLAIMS),
        signed([], CLAIMS),
        signed({"alg": "HS256", "crit": ["exp"]}, CLAIMS),
        signed({"alg": "HS256", "b64": False}, CLAIMS),
        signed({"alg": "HS256"}, []),
        signed({"alg": "HS256"}, "alice"),
        signed({"alg": "HS256"}, b"{"),
        signed({"alg": "HS256"}, b"[" * 100_000),
        signed({"alg": "HS256"}, b'{"exp": ' + b"1" * 5000 + b"}"),
        signed(b"[" * 100_000, CLAIMS),
        with_claims().rpartition(".")[0] + ".",
        with_claims().rpartition(".")[0],
        with_claims() + ".x",
        with_claims() + "\n",
        " " + with_claims(),
        with_claims().encode(),
        "",
        ".",
        "..",
        "a.b.c",
        "ü.ü.ü",
        "\ud800",
        None,
        5,
        {"token": "x"},
    ],
)
def test_a_token_that_is_not_authentic_is_rejected(token: object) -> None:
    """Other keys, other algorithms, none; malformed ones, and other types."""
    assert "not an HS256 JWT" in refusal_of(token)


WRONG_VALUES: list[tuple[str, str, list[Any]]] = [
    ("exp", "exp", [None, str(int(NOW) + 60), True, [], {}, float("nan"), float("inf"), "never"]),
    ("exp", "exp", [2**53, 10**400, 1e300]),
    ("exp", "expired", [NOW, NOW - 1, 0, -1, 1 - 2**53]),
    ("nbf", "nbf", ["0", False, [0], float("nan")]),
    ("nbf", "yet", [NOW + 0.001, NOW + 1000]),
    ("sub", "sub", [None, "", [], {}, 5]),
    ("streams", "streams", ["demo", "", 5, {"a": 1}, [5], [None], ["demo", ["other"]]]),
    ("clients", "clients", ["demo", "", 5, {"a": 1}, [5], [None], ["demo", ["other"]]]),
    ("aud", "aud", ["another service", ["another", "service"]]),
]


@pytest.mark.parametrize(
    ("claims", "word"), [({name: value}, word) for name, word, values in WRONG_VALUES for value in values]
)
def test_wrong_claims_are_rejected_and_named(claims: dict[str, Any], word: str) -> None:
    """Missing, of the wrong type, too early, too late, or for another audience."""
    assert word in refusal_of(with_claims(**claims))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just("*"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)
names = st.sampled_from(["sub", "exp", "nbf", "iat", "aud", "iss", "jti", "streams", "clients", "x"])


@given(
    st.dictionaries(st.sampled_from(["alg", "typ", "kid", "crit", "b64", "jwk", "x"]), json_values),
    st.dictionaries(names, json_values),
    st.booleans(),
)
def test_any_signed_token_is_granted_or_rejected(
    header: dict[str, Any],
    claims: dict[str, Any],
    complete: bool,
) -> None:
    """And a grant has the content of the claims."""
    token = signed({"alg": "HS256"} | header, CLAIMS | claims if complete else claims)
    try:
        grant = TOKENS.verify(token, NOW)
    except Unauthorized as error:
        assert token not in str(error)  # noqa: PT017 - both outcomes are right
    else:
        said = CLAIMS | claims if complete else {"streams": []} | claims
        assert header.get("alg", "HS256") == "HS256"
        assert (grant.subject, grant.expires_at) == (said["sub"], said["exp"])
        assert grant.expires_at > NOW
        assert grant.streams == frozenset(said["streams"])
