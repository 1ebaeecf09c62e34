"""Access control of the internal API, in this process."""

import ast
import inspect
from collections.abc import Mapping
from ipaddress import IPv4Address, IPv6Address, ip_network

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st

from asf.adapters.http_api import InternalGuard, internal_guard
from asf.adapters.http_api.request_host import cannot_be_rebound, host_name
from asf.adapters.origins import is_own
from asf.domain.errors import Unauthorized

TOKEN = "correct-horse-battery-staple-0123456789"  # noqa: S105
NETWORKS = [ip_network("10.1.0.0/16"), ip_network("fd00::/8")]
APP = Flask("test")


def refusal_of(
    guard: InternalGuard, peer: str | None = None, headers: Mapping[str, str] | None = None, host: str | None = None
) -> str | None:
    """Return the details of the error for a request; None if it is accepted."""
    environ = {} if peer is None else {"REMOTE_ADDR": peer}
    if host is not None:
        environ["HTTP_HOST"] = host
    with APP.test_request_context("/asf/internal/streams", headers=headers or {}, environ_overrides=environ):
        try:
            guard()
        except Unauthorized as error:
            assert not guard.permits()
            return error.details
        assert guard.permits()
    return None


def passes(
    guard: InternalGuard, peer: str | None = None, headers: Mapping[str, str] | None = None, host: str | None = None
) -> bool:
    """Return whether a request is accepted."""
    return refusal_of(guard, peer, headers, host) is None


@pytest.mark.parametrize(
    ("peer", "trusted"),
    [
        ("10.1.2.3", True),
        ("::ffff:10.1.2.3", True),
        ("fd12::1", True),
        ("fd12::1%eth0", True),
        ("10.2.0.1", False),
        ("::ffff:10.2.0.1", False),
        ("fe80::1", False),
        ("::10.1.2.3", False),
        ("", False),
        ("unix", False),
        ("10.1.2.3, 10.1.2.4", False),
        ("010.1.2.3", False),
    ],
)
def test_a_trusted_peer_has_access(peer: str, *, trusted: bool) -> None:
    """By the address of the TCP connection, in either family."""
    assert passes(InternalGuard(TOKEN, NETWORKS), peer) is trusted


@pytest.mark.parametrize(
    ("header", "accepted"),
    [
        (f"Bearer {TOKEN}", True),
        (f"bearer  {TOKEN}", True),
        (TOKEN, False),
        (f"Basic {TOKEN}", False),
        (f"Bearer {TOKEN}x", False),
        (f"Bearer {TOKEN[:-1]}", False),
        (f"Bearer {TOKEN} {TOKEN}", False),
        ("Bearer", False),
        ("Bearer ", False),
        ("Bearer \xfc", False),
        ("", False),
    ],
)
def test_the_token_is_accepted(header: str, *, accepted: bool) -> None:
    """As a bearer token, complete, and without anything else."""
    assert passes(InternalGuard(TOKEN, NETWORKS), "192.0.2.1", {"Authorization": header}) is accepted


@pytest.mark.parametrize("header", ["Bearer", "Bearer ", ""])
def test_no_token_is_not_an_empty_token(header: str) -> None:
    """Without a token, no header is accepted."""
    assert not passes(InternalGuard("", NETWORKS), "192.0.2.1", {"Authorization": header})


@given(
    st.dictionaries(
        st.sampled_from(
            ["X-Forwarded-For", "Forwarded", "X-Real-IP", "X-Client-IP", "Remote-Addr", "True-Client-IP"]
        ),
        st.sampled_from(["10.1.2.3", "127.0.0.1", "::1", "for=10.1.2.3", "10.1.2.3, 192.0.2.1"]),
    )
)
def test_headers_of_proxies_grant_no_access(headers: dict[str, str]) -> None:
    """Any client can send them."""
    assert not passes(InternalGuard(TOKEN, NETWORKS), "192.0.2.1", headers)


@given(st.ip_addresses())
def test_addresses_outside_the_networks_are_rejected(address: IPv4Address | IPv6Address) -> None:
    """In both families."""
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    expected = any((mapped or address) in network for network in NETWORKS)
    assert passes(InternalGuard("", NETWORKS), str(address)) is expected


HEADER_TEXTS = st.text(st.characters(min_codepoint=0x21, max_codepoint=0xFF, exclude_characters="\x7f"), max_size=80)
PREFIXES = st.integers(0, len(TOKEN) - 1).map(lambda length: TOKEN[:length])


@given(HEADER_TEXTS.filter(lambda text: text != TOKEN) | PREFIXES, HEADER_TEXTS)
def test_wrong_tokens_are_rejected(presented: str, more: str) -> None:
    """Of any length, with any characters that a header can carry, and without another exception."""
    guard = InternalGuard(TOKEN, NETWORKS)
    for token in (presented, TOKEN + presented + more, presented + more + TOKEN[1:]):
        expected = token == TOKEN
        assert passes(guard, "192.0.2.1", {"Authorization": f"Bearer {token}"}) is expected


LOOPBACK = [ip_network("127.0.0.0/8"), ip_network("::1")]
FORWARDING = [
    *(f"X-Forwarded-{what}" for what in ("For", "Host", "Proto", "Port")),
    "x-forwarded-proto",
    *("Forwarded", "X-Real-IP", "Via"),
]


@pytest.mark.parametrize("header", FORWARDING)
@pytest.mark.parametrize("peer", ["127.0.0.1", "127.1.2.3", "::1", "::ffff:127.0.0.1"])
def test_a_proxy_on_the_same_machine_is_not_trusted(header: str, peer: str) -> None:
    """It forwards requests of strangers. With the token, or without the header, it is accepted."""
    guard = InternalGuard(TOKEN, [*LOOPBACK, *NETWORKS])
    assert header.lower() in (refusal_of(guard, peer, {header: ""}) or "").lower()
    assert passes(guard, peer, {header: "1.1.1.1", "Authorization": f"Bearer {TOKEN}"})
    assert passes(guard, peer)
    assert passes(guard, "10.1.2.3", {header: "192.0.2.1"}), "a network that the operator has named"


@pytest.mark.parametrize(
    ("host", "accepted"),
    [
        ("localhost", True),
        ("localhost:5006", True),
        ("LOCALHOST:", True),
        ("127.0.0.1:5006", True),
        ("192.0.2.1", True),
        ("[::1]:5006", True),
        ("[fd00::1]", True),
        ("asf.internal", True),
        ("ASF.Internal:5006", True),
        ("evil.example", False),
        ("evil.example:5006", False),
        ("localhost.evil.example", False),
        ("127.0.0.1.evil.example", False),
        ("asf.internal.evil.example", False),
        ("asf", False),
        ("asf.internal@evil.example", False),
        ("localhost@evil.example", False),
        ("localhost, evil.example", False),
        ("localhost:80:80", False),
        ("[evil.example]", False),
        ("::1", False),
        ("0x7f.1", False),
        ("2130706433", False),
        ("", False),
        ("localhost ", False),
        ("\xfc", False),
    ],
)
def test_names_that_others_can_let_lead_here_are_not_accepted(host: str, *, accepted: bool) -> None:
    """Without the token: a page of the site with that name sends the request (DNS rebinding)."""
    guard = InternalGuard(TOKEN, LOOPBACK, ["asf.internal"])
    assert passes(guard, "127.0.0.1", host=host) is accepted
    assert passes(guard, "127.0.0.1", {"Authorization": f"Bearer {TOKEN}"}, host)


@pytest.mark.parametrize(
    ("origin", "host", "accepted"),
    [
        ("http://localhost:5006", "localhost:5006", True),
        ("http://LOCALHOST:5006", "localhost:5006", True),
        ("http://127.0.0.1", "127.0.0.1", True),
        ("http://127.0.0.1", "127.0.0.1:80", True),
        ("https://asf.internal", "asf.internal", True),
        ("https://asf.internal", "asf.internal:443", True),
        ("http://[::1]:5006", "[::1]:5006", True),
        ("http://localhost:3000", "localhost:5006", False),
        ("http://localhost", "localhost:5006", False),
        ("http://127.0.0.1:5006", "localhost:5006", False),
        ("https://evil.example", "localhost:5006", False),
        ("http://localhost:5006.evil.example", "localhost:5006", False),
        ("null", "localhost:5006", False),
        ("", "localhost:5006", False),
        ("file://", "localhost:5006", False),
        ("chrome-extension://localhost:5006", "localhost:5006", False),
        ("http://", "localhost:5006", False),
    ],
)
def test_pages_of_other_origins_are_not_accepted(origin: str, host: str, *, accepted: bool) -> None:
    """Without the token: the browser of a trusted peer also shows pages of others."""
    guard = InternalGuard(TOKEN, LOOPBACK, ["asf.internal"])
    assert passes(guard, "127.0.0.1", {"Origin": origin}, host) is accepted
    assert passes(guard, "127.0.0.1", {"Origin": origin, "Authorization": f"Bearer {TOKEN}"}, host)


@given(st.text(max_size=30), st.text(max_size=30))
def test_any_host_and_origin_is_accepted_or_rejected(host: str, origin: str) -> None:
    """Without another exception; an origin only if it ends with the host, but for a default port."""
    name = host_name(host)
    assert isinstance(cannot_be_rebound(name), bool)
    if is_own(origin, {"HTTP_HOST": host}):
        assert origin.lower().partition("://")[2].startswith(name)


def test_tokens_are_compared_in_constant_time() -> None:
    """A check of the source only, because timing is not measurable here: nothing else uses the token."""
    guard = ast.parse(inspect.getsource(internal_guard))
    comparisons = [node for node in ast.walk(guard) if isinstance(node, ast.Call | ast.Compare)]
    uses = [ast.unparse(node) for node in comparisons if "self._token" in ast.unparse(node)]
    assert uses == ["bool(self._token)", "hmac.compare_digest(presented.encode(), self._token)"]
