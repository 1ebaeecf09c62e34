"""Streams that the audio element fetches by their URL: the state is the stream's, not the element's.

That is MP4 that is not fragmented, and everything where the browser has no Media Source.
"""

import time
from itertools import pairwise

import pytest

from asf.adapters.jwt_tokens import JwtTokens
from asf.domain.access.grant import Grant
from tests.browser.audio import ToneClips
from tests.browser.growing import growing
from tests.browser.hearing import HearingPage
from tests.support.cutting_proxy import CuttingProxy
from tests.support.fixtures import StartServer
from tests.support.secret_values import SECRET_KEY

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("built_client")]

SECONDS = 30

CUT_SECONDS = 20
"""Length of the clip whose connection is cut."""

ROUTES = [("m4a", {}), ("mp3", {"device": "old"}), ("ogg", {"device": "old"})]
"""Formats, and devices (devices.js), that play by the URL."""

PAUSE_SECONDS = 40.0
TOKEN_SECONDS = 3.0

Route = tuple[str, dict[str, str]]


@pytest.fixture(params=ROUTES, ids=[f"{suffix}-{query.get('device', 'any')}" for suffix, query in ROUTES])
def route(request: pytest.FixtureRequest) -> Route:
    """Return a format, and the page's query that lets it play by its URL."""
    suffix, query = request.param
    return suffix, query


def in_order(heard: list[int]) -> bool:
    """Whether nothing was heard twice, and hardly anything left out."""
    return all(1 <= later - earlier <= 2 for earlier, later in pairwise(heard))


@pytest.mark.soak
def test_complete_audio_plays_to_its_end(
    page: HearingPage, route: Route, start_server: StartServer, clips: ToneClips
) -> None:
    """Which is heard, and from there a seek plays on."""
    suffix, query = route
    server = start_server({})
    server.announce("clip", clips.read(suffix, SECONDS), f"clip.{suffix}")
    page.play(server, **query)
    page.hear(1)
    assert page.evaluate("playback.output") == "url"
    page.seek(20.5)
    page.evaluate("playback.seek({ seconds: 25.5 })")
    page.end(SECONDS)
    page.seek(10.5)
    page.wait_for("playback.state === 'playing'")
    page.check_errors()


@pytest.mark.soak
def test_growing_audio_plays_to_its_end(
    page: HearingPage, route: Route, start_server: StartServer, clips: ToneClips
) -> None:
    """From the beginning, without a gap."""
    suffix, query = route
    server = start_server({})
    with growing(server, clips.read(suffix, SECONDS), suffix, SECONDS) as audio:
        page.play(server, **query)
        page.hear(1)
        audio.finish()
        heard = page.end(SECONDS)
    assert in_order(heard)
    assert "stalled" not in page.evaluate("seen.states")


@pytest.mark.soak
def test_a_cut_connection_is_not_the_end(
    page: HearingPage, route: Route, start_server: StartServer, clips: ToneClips
) -> None:
    """What follows is heard, at its place: while the audio grows, and after that."""
    suffix, query = route
    server = start_server({})
    proxy = CuttingProxy(server.port, iter([]))
    with growing(server, clips.read(suffix, CUT_SECONDS), suffix, CUT_SECONDS) as audio:
        page.play(server, **query, through=proxy.url)
        page.hear(2)
        proxy.cut()
        page.hear(12, late=8)
        assert "ended" not in page.evaluate("seen.states")
        audio.finish()
        heard = page.end(CUT_SECONDS)
    proxy.close()
    assert in_order(heard)


@pytest.mark.soak
def test_a_failed_generation_is_an_error(
    page: HearingPage, route: Route, start_server: StartServer, clips: ToneClips
) -> None:
    """When what there is was heard."""
    suffix, query = route
    server = start_server({})
    with growing(server, clips.read(suffix, SECONDS), suffix, SECONDS, ahead_seconds=8) as audio:
        page.play(server, **query)
        page.hear(1)
        audio.fail()
        page.wait_for("playback.state === 'failed'")
        page.wait_for(f"seen.heard.at(-1) >= {int(audio.seconds_written) - 2}")
    assert [code for code, _ in page.evaluate("seen.errors")] == ["ASF_GENERATION_FAILED"]
    assert "ended" not in page.evaluate("seen.states")


@pytest.mark.soak
def test_a_long_pause(page: HearingPage, route: Route, start_server: StartServer, clips: ToneClips) -> None:
    """The rest is heard, from where it was paused."""
    suffix, query = route
    server = start_server({})
    with growing(server, clips.read(suffix, SECONDS), suffix, SECONDS) as audio:
        page.play(server, **query)
        page.hear(3)
        page.evaluate("playback.pause()")
        time.sleep(PAUSE_SECONDS)
        assert page.evaluate("playback.state") == "paused"
        audio.finish()
        page.evaluate("playback.resume()")
        heard = page.end(SECONDS)
    assert in_order(heard)


@pytest.mark.soak
def test_tokens_that_expire(page: HearingPage, route: Route, start_server: StartServer, clips: ToneClips) -> None:
    """After seconds: each request has a fresh one."""
    suffix, query = route
    server = start_server({"ASF_REQUIRE_TOKENS": "True", "ASF_SECRET_KEY": SECRET_KEY})
    now = time.time()
    expiries = [now + seconds for seconds in range(200)]
    tokens = [
        [expiry, JwtTokens(SECRET_KEY).mint(Grant("a", expiry, frozenset({"clip"}), frozenset()))]
        for expiry in expiries
    ]
    with growing(server, clips.read(suffix, SECONDS), suffix, SECONDS) as audio:
        page.open(server, **query)
        page.evaluate(f"window.tokens = {tokens}, 0")
        fresh = f"tokens.find(([expiry]) => expiry > Date.now() / 1000 + {TOKEN_SECONDS - 1})[1]"
        page.evaluate(f"Object.defineProperty(window, 'token', {{ get: () => {fresh} }}), 0")
        page.engine.click("#play")
        page.hear(12, late=8)
        audio.finish()
        heard = page.end(SECONDS)
    assert in_order(heard)


@pytest.mark.soak
def test_seeking_in_growing_audio(
    page: HearingPage, route: Route, start_server: StartServer, clips: ToneClips
) -> None:
    """Forward, back, and again when it has become complete."""
    suffix, query = route
    server = start_server({})
    with growing(server, clips.read(suffix, SECONDS), suffix, SECONDS, ahead_seconds=20) as audio:
        page.play(server, **query)
        page.hear(1)
        page.seek(15.5)
        page.seek(5.5)
        audio.finish()
        page.evaluate("playback.seek({ seconds: 27.5 })")
        page.end(SECONDS)


@pytest.mark.soak
def test_the_last_of_many_seeks_wins(
    page: HearingPage, route: Route, start_server: StartServer, clips: ToneClips
) -> None:
    """Also of those before anything was decoded."""
    suffix, query = route
    server = start_server({})
    server.announce("clip", clips.read(suffix, SECONDS), f"clip.{suffix}")
    page.play(server, **query)
    seek = "playback.seek({ seconds: n === 59 ? 20.5 : n / 3 })"
    page.evaluate(f"[...Array(60).keys()].forEach((n) => setTimeout(() => {seek}, n * 50))")
    page.hear(20)
    page.wait_for("playback.state === 'playing'")
    page.check_errors()


@pytest.mark.soak
def test_an_analyser_hears_it(page: HearingPage, route: Route, start_server: StartServer, clips: ToneClips) -> None:
    """Though the page did not ask for CORS."""
    suffix, query = route
    server = start_server({})
    server.announce("clip", clips.read(suffix, SECONDS), f"clip.{suffix}")
    page.open(server, **query)
    page.evaluate("document.getElementById('audio').removeAttribute('crossorigin')")
    page.engine.click("#play")
    page.hear(1)


@pytest.mark.soak
def test_an_element_that_is_removed_pauses(
    page: HearingPage, route: Route, start_server: StartServer, clips: ToneClips
) -> None:
    """And plays again; another playback in it ends the first one."""
    suffix, query = route
    server = start_server({})
    server.announce("clip", clips.read(suffix, SECONDS), f"clip.{suffix}")
    page.play(server, **query)
    page.hear(1)
    page.evaluate("(window.element = document.getElementById('audio')).remove()")
    page.wait_for("playback.state === 'paused'")
    page.evaluate("playback.resume()")
    page.hear(2)
    page.evaluate("window.again = client.play('clip', element), 0")
    page.wait_for("playback.state === 'ended' && again.state === 'playing'")
