"""What every `TokenVerifier` promises."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asf.domain.access.grant import ALL, Grant
from asf.domain.access.ports import TokenVerifier
from asf.domain.errors import Unauthorized

NOW = 1_700_000_000.0

ids = st.frozensets(st.text(max_size=20) | st.just(ALL), max_size=5)
grants = st.builds(
    Grant,
    subject=st.text(min_size=1, max_size=20),
    expires_at=st.floats(NOW, 2**53 - 1, exclude_min=True),
    streams=ids,
    clients=ids,
)
anything = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.lists(st.text())


class TokenVerifierContract:
    """Inherit, and provide the fixtures `verifier` and `mint`, which returns a token for a grant."""

    @pytest.fixture
    def verifier(self) -> TokenVerifier:
        raise NotImplementedError

    @pytest.fixture
    def mint(self) -> Callable[[Grant], str]:
        raise NotImplementedError

    def test_a_token_grants_what_it_was_made_for(self, verifier: TokenVerifier, mint: Callable[[Grant], str]) -> None:
        @given(grant=grants)
        def grants_it(grant: Grant) -> None:
            assert verifier.verify(mint(grant), NOW) == grant

        grants_it()

    def test_a_token_ends_at_its_time(self, verifier: TokenVerifier, mint: Callable[[Grant], str]) -> None:
        grant = Grant("alice", NOW + 1, streams=frozenset({"demo"}))
        token = mint(grant)
        assert verifier.verify(token, NOW + 0.999) == grant
        for timestamp in (NOW + 1, NOW + 1.001, NOW + 1e6):
            with pytest.raises(Unauthorized):
                verifier.verify(token, timestamp)

    def test_what_is_no_token_is_refused(self, verifier: TokenVerifier) -> None:
        @given(token=anything)
        def refuses(token: Any) -> None:
            with pytest.raises(Unauthorized) as refusal:
                verifier.verify(token, NOW)
            assert refusal.value.error_code == "ASF_UNAUTHORIZED"

        refuses()

    def test_a_changed_token_is_rejected(self, verifier: TokenVerifier, mint: Callable[[Grant], str]) -> None:
        token = mint(Grant("alice", NOW + 1, streams=frozenset({"demo"})))

        @given(place=st.integers(0, len(token) - 1), character=st.characters())
        def refuses(place: int, character: str) -> None:
            changed = token[:place] + character + token[place + 1 :]
            if changed == token:
                return
            with pytest.raises(Unauthorized) as refusal:
                verifier.verify(changed, NOW)
            assert changed not in str(refusal.value)

        refuses()
