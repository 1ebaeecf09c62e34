"""The lock of the internal API, in this process: what opens it, and what does not."""

from collections.abc import Mapping
from ipaddress import IPv4Address, IPv6Address, ip_network

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st

from asf.adapters.http_api import InternalGuard
from asf.domain.errors import Unauthorized

TOKEN = "correct-horse-battery-staple-0123456789"  # noqa: S105
NETWORKS = [ip_network("10.1.0.0/16"), ip_network("fd00::/8")]
APP = Flask("test")


def passes(guard: InternalGuard, peer: str | None = None, headers: Mapping[str, str] | None = None) -> bool:
    """Return whether a request passes."""
    environ = {} if peer is None else {"REMOTE_ADDR": peer}
    with APP.test_request_context("/asf/internal/streams", headers=headers or {}, environ_overrides=environ):
        try:
            guard()
        except Unauthorized:
            return False
    return True


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
def test_the_peer_opens_it(peer: str, *, trusted: bool) -> None:
    """As the TCP connection has it, in either family."""
    assert passes(InternalGuard(TOKEN, NETWORKS), peer) is trusted


@pytest.mark.parametrize(
    ("header", "opens"),
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
def test_the_token_opens_it(header: str, *, opens: bool) -> None:
    """As a bearer token, whole, and without anything else."""
    assert passes(InternalGuard(TOKEN, NETWORKS), "192.0.2.1", {"Authorization": header}) is opens


@pytest.mark.parametrize("header", ["Bearer", "Bearer ", ""])
def test_no_token_is_not_an_empty_token(header: str) -> None:
    """Where none is set, no header opens anything."""
    assert not passes(InternalGuard("", NETWORKS), "192.0.2.1", {"Authorization": header})


@given(
    st.dictionaries(
        st.sampled_from(
            ["X-Forwarded-For", "Forwarded", "X-Real-IP", "X-Client-IP", "Remote-Addr", "True-Client-IP"]
        ),
        st.sampled_from(["10.1.2.3", "127.0.0.1", "::1", "for=10.1.2.3", "10.1.2.3, 192.0.2.1"]),
    )
)
def test_what_proxies_say_opens_nothing(headers: dict[str, str]) -> None:
    """Anyone can write it."""
    assert not passes(InternalGuard(TOKEN, NETWORKS), "192.0.2.1", headers)


@given(st.ip_addresses())
def test_every_address_is_in_a_network_or_is_refused(address: IPv4Address | IPv6Address) -> None:
    """Whatever the family."""
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    expected = any((mapped or address) in network for network in NETWORKS)
    assert passes(InternalGuard("", NETWORKS), str(address)) is expected


def test_tokens_are_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the comparison that is made for secrets, whatever is presented, right or wrong."""
    compared = []

    def compare(presented: bytes, token: bytes) -> bool:
        compared.append(presented)
        return presented == token

    monkeypatch.setattr("asf.adapters.http_api.internal_guard.hmac.compare_digest", compare)
    for presented in (TOKEN, TOKEN[:-1], "x"):
        assert passes(InternalGuard(TOKEN, []), "10.1.2.3", {"Authorization": f"Bearer {presented}"}) is (
            presented == TOKEN
        )
    assert compared == [TOKEN.encode(), TOKEN[:-1].encode(), b"x"]
