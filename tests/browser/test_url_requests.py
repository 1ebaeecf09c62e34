"""Requests of audio that plays by its URL, in three browser engines: on silent paths, and with short tokens."""

import time
from itertools import pairwise

import pytest

from asf.adapters.jwt_tokens import JwtTokens
from asf.domain.access.grant import Grant
from tests.browser.audio import ToneClips
from tests.browser.growing import growing
from tests.browser.hearing import HearingPage
from tests.support.black_hole import BlackHole
from tests.support.fixtures import StartServer
from tests.support.secret_values import SECRET_KEY

pytestmark = [pytest.mark.browser, pytest.mark.soak, pytest.mark.usefixtures("built_client")]

SECONDS = 40

LONG_SECONDS = 1800
PERIOD = 60
"""Length of a clip that no engine fetches at once, and after how many seconds its tones begin again."""

TOKEN_SECONDS = 10.0
"""How long a token holds. A busy engine takes seconds for its first requests."""


@pytest.mark.parametrize(("suffix", "device"), [("m4a", ""), ("mp3", "old"), ("ogg", "old")])
def test_a_silent_path(
    page: HearingPage, suffix: str, device: str, start_server: StartServer, clips: ToneClips
) -> None:
    """Of growing audio is noticed, and what follows is heard at its place, each second once."""
    server = start_server({"TEST_PING_SECONDS": "600"}, observed=True)
    proxy = BlackHole(server.port)
    with growing(server, clips.read(suffix, SECONDS), suffix, SECONDS) as audio:
        page.play(server, through=proxy.url, **({"device": device} if device else {}))
        page.hear(2)
        assert page.evaluate("playback.output") == "url"
        proxy.silence()
        page.hear(14, late=12)
        audio.finish()
        heard = page.end(SECONDS)
    assert all(1 <= later - earlier <= 2 for earlier, later in pairwise(heard)), heard


def test_the_token_of_an_earlier_request_has_expired(
    page: HearingPage, start_server: StartServer, clips: ToneClips
) -> None:
    """A seek into what was not fetched is made with a fresh one."""
    server = start_server({"ASF_REQUIRE_TOKENS": "True", "ASF_SECRET_KEY": SECRET_KEY})
    server.announce("clip", clips.read("m4a", LONG_SECONDS, PERIOD), "clip.m4a")
    now = time.time()
    tokens = [
        [expiry, JwtTokens(SECRET_KEY).mint(Grant("a", expiry, frozenset({"clip"}), frozenset()))]
        for expiry in (now + seconds for seconds in range(300))
    ]
    page.open(server)
    page.evaluate(f"window.tokens = {tokens}, 0")
    fresh = f"tokens.find(([expiry]) => expiry > Date.now() / 1000 + {TOKEN_SECONDS - 1})[1]"
    page.evaluate(f"Object.defineProperty(window, 'token', {{ get: () => {fresh} }}), 0")
    page.engine.click("#play")
    page.hear(1)
    assert page.evaluate("playback.output") == "url"
    page.hear(int(TOKEN_SECONDS) + 2)
    place = LONG_SECONDS - 2 * PERIOD + 20
    page.mark(f"playback.seek({{ seconds: {place}.5 }})")
    page.hear(20, late=4)
    assert page.evaluate("playback.progress.currentTime") == pytest.approx(place, abs=8)
    page.check_errors()
