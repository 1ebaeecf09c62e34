"""A voice of this machine, heard in Chromium, with its words marked as they are heard."""

import asyncio
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.browser.chromium import Chromium
from tests.browser.conftest import until
from tests.browser.player import AUDIO, PLAYER, PlayerPages, player, state_is
from tests.integration.test_upload_clients import program
from tests.support.bounds import COMMAND_SECONDS
from tests.support.processes import ServerProcess

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("built_client", "_espeak")]

ROOT = Path(__file__).parents[2]
ADDRESS = "http://127.0.0.1:5006"

LIGHT = f"""(() => {{
  window.lit = [];
  const {{ shadowRoot, audio }} = {PLAYER};
  {PLAYER}.addEventListener("asf-cue", ({{ detail: {{ cue, state }} }}) => {{
    if (state !== "enter" || cue.kind !== "word") return;
    const words = [...shadowRoot.querySelectorAll(".word.active")].map(({{ textContent }}) => textContent);
    lit.push([cue.text, words, cue.start, audio.currentTime, cue.end]);
  }});
}})()"""
"""A script that notes what is marked when a word enters."""


@pytest.fixture
def _espeak() -> None:
    for name in ("espeak-ng", "ffmpeg", "curl"):
        program(name, name)


def documented_pipe(server: ServerProcess) -> tuple[str, str]:
    """Return the text that docs/backend.md lets speak, and the commands."""
    blocks = re.findall(r"```sh\n(.*?)```", (ROOT / "docs" / "backend.md").read_text(), re.DOTALL)
    (block,) = [one for one in blocks if "espeak_program" in one]
    text = re.findall(r'^text="(.*)"$', block, re.MULTILINE)[0]
    return text, block.replace(ADDRESS, server.url).replace("python ", f"{sys.executable} ")


def test_a_pipe_is_heard_with_its_words(server: ServerProcess, chromium: Chromium, tmp_path: Path) -> None:
    """A page waits for the stream. Then each word is marked, in order and alone, while it is heard."""
    text, commands = documented_pipe(server)

    async def scenario() -> None:
        element = player(stream="spoken", wait="", cues="")
        async with PlayerPages(chromium, tmp_path).open(server, element) as page:
            await page.click("#play")
            await state_is(page, "waiting")
            await page.evaluate(LIGHT)
            shell = ["bash", "-euo", "pipefail", "-c", commands]
            await asyncio.to_thread(subprocess.run, shell, check=True, timeout=COMMAND_SECONDS)
            await until(page, f"lit.at(-1)?.[0] === {json.dumps(text.split()[-1])}")
            lit = await page.evaluate("lit")
            assert [word for word, *_ in lit] == text.split()
            for word, marked, start, heard, _ in lit:
                assert marked == [word]
                assert heard > start - 0.01, "positions are rounded"
            await state_is(page, "ended")
            assert await page.evaluate(f"{AUDIO}.currentTime") > lit[-1][2]

    chromium.run(scenario())
