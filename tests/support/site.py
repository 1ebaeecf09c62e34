"""The documents as a site, built once for all tests of a run."""

import importlib.util
import subprocess
import sys
from pathlib import Path

from tests.browser.prerequisites import missing
from tests.support.bounds import BUILD_SECONDS

ROOT = Path(__file__).parents[2]
BUILD = ROOT / "tools" / "build_site.sh"
MERMAID = ROOT / "tools" / "site" / "node_modules" / "@mermaid-js" / "tiny" / "dist" / "mermaid.tiny.js"
"""What draws the diagrams, if npm has installed it."""


def build_site(site: Path, source: Path = ROOT) -> "subprocess.CompletedProcess[str]":
    """Build the documents below `source` in `site`, as `make site` does. Skips where its generator is missing."""
    if importlib.util.find_spec("furo") is None or importlib.util.find_spec("myst_parser") is None:
        missing("the generator of the site", "pip install 'audio-stream-feeder[site]', or make setup")
    command = [str(part) for part in (BUILD, sys.executable, site, source)]
    return subprocess.run(command, capture_output=True, text=True, timeout=BUILD_SECONDS, check=False)


def build_whole_site(folder: Path) -> None:
    """Build the site in `folder`/site, without a warning."""
    built = build_site(folder / "site")
    assert (built.returncode, built.stderr) == (0, ""), built.stderr
