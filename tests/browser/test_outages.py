"""What is heard while the server is killed again and again, in three browser engines."""

import time
from itertools import pairwise
from pathlib import Path

import pytest

from tests.browser.audio import ToneClips
from tests.browser.hearing import HearingPage
from tests.support.ports import free_ports
from tests.support.processes import ServerProcess

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("built_client")]

SECONDS = 660
PERIOD = 60
"""Length of the clip, and after how many seconds its tones begin again."""

OUTAGE_SECONDS = 3.0

PERIOD_SECONDS = 24.0
"""From one kill to the next: 25 of them take ten minutes."""

IN_STORE = "playback.progress.aheadSeconds > 25"
"""The browser has so much ahead before each kill: 30 s less a step of the credit."""

GAP_SECONDS = 0.5
"""A longer silence is one of the outages. A busy machine makes shorter ones at its sound device."""


@pytest.mark.parametrize("outages", [1, pytest.param(25, marks=pytest.mark.soak)])
def test_the_server_is_killed_while_it_plays(
    page: HearingPage, outages: int, tmp_path: Path, clips: ToneClips
) -> None:
    """For three seconds, with half a minute in store: no gap is heard."""
    clip = clips.read("mp3", SECONDS, PERIOD)
    [port] = free_ports(1)
    settings = {"ASF_PORT": str(port)}
    server = ServerProcess(tmp_path, settings)
    try:
        server.announce("clip", clip, "clip.mp3")
        page.play(server)
        page.hear(0)
        for outage in range(outages):
            begun = time.monotonic()
            page.wait_for(IN_STORE)
            server.kill()
            time.sleep(OUTAGE_SECONDS)
            server = ServerProcess(tmp_path, settings)
            if outage < outages - 1:
                time.sleep(max(0.0, PERIOD_SECONDS - (time.monotonic() - begun)))
        page.wait_for(IN_STORE)
        assert [gap for gap in page.evaluate("seen.silences") if gap > GAP_SECONDS] == []
        page.check_errors()
        heard = page.evaluate("seen.heard")
        assert all(later == (earlier + 1) % PERIOD for earlier, later in pairwise(heard))
    finally:
        server.kill()
