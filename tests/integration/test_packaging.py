"""What is installed is all that is needed."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.browser.prerequisites import missing
from tests.support.bounds import BUILD_SECONDS

ROOT = Path(__file__).parents[2]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Return a copy of the project, without what was built in it."""
    ignored = shutil.ignore_patterns(
        ".*", "node_modules", "static", "dist", "tests", "docs", "benchmarks", "__pycache__", "var", "shared_audio"
    )
    return Path(shutil.copytree(ROOT, tmp_path / "tree", ignore=ignored))


def build(tree: Path, wheels: Path, path: str) -> subprocess.CompletedProcess[str]:
    """Build a wheel of the tree, with programs found on `path`."""
    options = ["-q", "--no-deps", "--no-build-isolation", "-w", str(wheels)]
    command = [sys.executable, "-m", "pip", "wheel", *options, "."]
    environment = os.environ | {"PATH": path}
    return subprocess.run(
        command, cwd=tree, env=environment, capture_output=True, text=True, timeout=BUILD_SECONDS, check=False
    )


def test_a_wheel_has_all_that_is_needed(tree: Path, tmp_path: Path) -> None:
    """The console and its libraries, the demo clip, the scripts, and the mark that the package is typed."""
    if shutil.which("npm") is None:
        missing("npm", "install Node.js with npm")
    built = build(tree, tmp_path, os.environ["PATH"])
    assert built.returncode == 0, built.stderr
    (wheel,) = tmp_path.glob("audio_stream_feeder-*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {
        "asf/py.typed",
        "asf/client/welcome.mp3",
        "asf/console/index.html",
        "asf/console/static/asf-client/asf-client.js",
        "asf/console/static/asf-client/asf-player.js",
        "asf/console/static/asf-client/index.js",
        "asf/console/static/operator/operator.js",
        "asf/console/static/socket.io.esm.min.js",
        "asf/console/static/swagger-ui/LICENSE",
        "asf/console/static/swagger-ui/swagger-ui-bundle.js",
        "asf/console/static/swagger-ui/swagger-ui.css",
        "asf/operator_page/index.html",
        "asf/operator_page/operator.css",
    } <= names
    for ending in (".py", ".lua"):
        sources = {str(path.relative_to(ROOT / "src")) for path in (ROOT / "src" / "asf").rglob(f"*{ending}")}
        assert sources
        assert {name for name in names if name.endswith(ending)} == sources


IMPORT = """
const [client, player] = await Promise.all([import("asf-client"), import("asf-client/player")]);
console.log(`connect:${typeof client.connect} AsfPlayerElement:${typeof player.AsfPlayerElement}`);
"""

TYPED = """
import { connect, type Playback } from "asf-client";
import { AsfPlayerElement } from "asf-client/player";

const playback: Playback | null = new AsfPlayerElement().playback;
const player = document.querySelector("asf-player");
if (player !== null) player.token = () => "t";
// @ts-expect-error: there is no such state.
const wrong = playback?.state === "asleep";
export default [connect("/"), wrong];
"""


@pytest.mark.parametrize("source", ["packed", "folder"])
def test_the_browser_client_can_be_installed(tree: Path, tmp_path: Path, source: str) -> None:
    """As `npm pack` makes it, and from its folder in a fresh clone: with code and types, for Node.js too."""
    if shutil.which("npm") is None:
        missing("npm", "install Node.js with npm")
    package = tree / "clients" / "js"
    project = tmp_path / "project"
    project.mkdir()

    def run(*command: str, cwd: Path = project) -> str:
        done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=BUILD_SECONDS, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    if source == "packed":
        run("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", cwd=package)
        run("npm", "pack", "--pack-destination", str(tmp_path), cwd=package)
        [installed] = map(str, tmp_path.glob("asf-client-*.tgz"))
    else:
        installed = str(package)
    (project / "package.json").write_text('{"private": true, "type": "module"}')
    run("npm", "install", "--no-audit", "--no-fund", "--prefer-offline", installed)
    names = run("node", "--input-type=module", "-e", IMPORT).split()
    assert names == ["connect:function", "AsfPlayerElement:function"]
    for name in ("asf-client.js", "asf-player.js"):
        assert (project / "node_modules" / "asf-client" / "dist" / "browser" / name).is_file()

    (project / "page.ts").write_text(TYPED)
    options = ["--noEmit", "--strict", "--module", "NodeNext", "--target", "ES2022", "--lib", "ES2022,DOM"]
    run("node", str(package / "node_modules" / "typescript" / "bin" / "tsc"), *options, "page.ts")


def test_a_wheel_without_the_console_is_not_built(tree: Path, tmp_path: Path) -> None:
    """Where npm is missing, the build says what to do."""
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("sh", "dirname"):
        program = shutil.which(name)
        assert program is not None
        (tools / name).symlink_to(program)
    built = build(tree, tmp_path, str(tools))
    assert built.returncode != 0
    assert "install Node.js with npm" in built.stdout + built.stderr
    assert not list(tmp_path.glob("*.whl"))
