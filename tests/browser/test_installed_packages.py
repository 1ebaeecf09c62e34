"""The packages as they are published, with nothing else of this project: they serve, and are heard."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import requests

from asf import __version__
from tests.browser.audio import CLIP
from tests.browser.chromium import Chromium
from tests.browser.conftest import open_page
from tests.browser.page_server import serving
from tests.browser.player import PLAYER, PlayerPages, player, time_is
from tests.browser.prerequisites import missing
from tests.support.bounds import BUILD_SECONDS, COMMAND_SECONDS, PATIENCE_SECONDS
from tests.support.made_once import made_once
from tests.support.processes import ServerProcess

pytestmark = [pytest.mark.browser, pytest.mark.long]

ROOT = Path(__file__).parents[2]

PIP_OPTIONS = {"PIP_NO_COMPILE": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_QUIET": "1"}
"""What pip need not do here."""

PAGE = """
import { connect } from "asf-client";
import "asf-client/player";

const client = connect(new URL(location).searchParams.get("server"));
document.querySelector("button").onclick = () => {
  window.playback = client.play("demo", document.querySelector("audio"));
};
"""
"""What a developer writes who bundles the client of the npm package."""


def run(*command: str, cwd: Path, environment: Mapping[str, str] | None = None) -> str:
    """Run a command that must succeed. Returns what it has printed."""
    done = subprocess.run(
        command,
        cwd=cwd,
        env=os.environ if environment is None else environment,
        capture_output=True,
        text=True,
        timeout=BUILD_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def make_packages(folder: Path) -> None:
    """Make all packages in `folder`, from a copy of the project in which nothing was built before.

    The wheel is made of the source archive, where npm is not needed, and installed in `asf` there as the quickstart
    says, with what it depends on, in the versions that were tested.
    """
    ignored = shutil.ignore_patterns(
        ".*", "node_modules", "static", "dist", "build", "tests", "docs", "benchmarks", "__pycache__", "var"
    )
    tree = Path(shutil.copytree(ROOT, folder / "tree", ignore=ignored))
    build = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder)]
    run(*build, "--sdist", cwd=tree)
    run("npm", "pack", "--pack-destination", str(folder), cwd=tree / "clients" / "js")
    [archive] = folder.glob("audio_stream_feeder-*.tar.gz")
    shutil.unpack_archive(archive, folder / "unpacked")
    [unpacked] = (folder / "unpacked").iterdir()
    run(*build, "--wheel", cwd=unpacked, environment=os.environ | {"PATH": str(programs_without_npm(folder))})
    pins = re.findall(r"^[^ #]+==[^ ]+", (ROOT / "requirements-image.txt").read_text(), re.MULTILINE)
    (folder / "constraints.txt").write_text("\n".join(pins))
    (folder / "dist").mkdir()
    [wheel] = folder.glob("*.whl")
    shutil.copy(wheel, folder / "dist")
    environment = PIP_OPTIONS | {
        "PIP_CONSTRAINT": str(folder / "constraints.txt"),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    run("bash", "-euc", installation(), cwd=folder, environment=os.environ | environment)


def installation() -> str:
    """Return how the quickstart of operators installs the wheel: into the environment `asf`."""
    quickstart = (ROOT / "docs" / "quickstart-operator.md").read_text()
    return quickstart.partition("```console\n")[2].partition("```")[0]


def programs_without_npm(folder: Path) -> Path:
    """Return a folder with what the script needs that builds the client, except for npm."""
    programs = folder / "programs"
    programs.mkdir()
    for name in ("sh", "dirname"):
        program = shutil.which(name)
        assert program is not None
        (programs / name).symlink_to(program)
    return programs


def pip_in(packages: Path) -> list[str]:
    """Return the command that installs packages there, in the versions that were tested."""
    pip = str(packages / "asf" / "bin" / "pip")
    options = ["-q", "--no-compile", "--disable-pip-version-check", "-c", str(packages / "constraints.txt")]
    return [pip, "install", *options]


@pytest.fixture
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with all packages, and an environment in which the wheel is installed."""
    if shutil.which("npm") is None:
        missing("npm", "install Node.js with npm")
    return made_once(tmp_path_factory, "packages", make_packages)


@pytest.fixture
def installed(packages: Path) -> Path:
    """Return the folder of the programs of that environment."""
    return packages / "asf" / "bin"


@pytest.fixture
def server(installed: Path, tmp_path: Path) -> Iterator[ServerProcess]:
    """Return `asf serve` of that environment, in an empty folder, on a PATH that has nothing else."""
    home = tmp_path / "home"
    settings = ["ASF_HOST=127.0.0.1", "ASF_PORT=0", "ASF_DRAIN_SECONDS=0", f"ASF_AUDIO_ROOTS={home / 'audio'}"]
    alone = ["env", "-i", f"PATH={installed}", *settings]
    server = ServerProcess(home, wrapper=alone, python=str(installed / "python"))
    yield server
    assert server.stop() == 0, "".join(server.log)
    assert not any("Traceback (" in line for line in server.log), "".join(server.log)


def test_the_wheel_serves_the_console_and_the_player(
    server: ServerProcess, installed: Path, chromium: Chromium, tmp_path: Path
) -> None:
    """With all their files. The console makes a demo podcast, of the clip in the wheel, and plays it."""
    assert run(str(installed / "asf"), "--version", cwd=tmp_path) == f"asf, version {__version__}\n"
    assert server.log[0].rstrip().endswith(f"ASF {__version__} on Python {sys.version.split()[0]}")
    health = requests.get(f"{server.url}/asf/health", timeout=PATIENCE_SECONDS)
    assert health.json() == {"status": "ok", "version": __version__}
    for path in ("/", "/console/reference.html", "/asf/openapi.json", "/asf/client/asf-client.js"):
        assert requests.get(f"{server.url}{path}", timeout=PATIENCE_SECONDS).status_code == 200, path

    async def scenario() -> None:
        async with open_page(chromium, server.url) as page:
            await page.click("#demo")
            await time_is(page, "> 1")
            stream_id = await page.evaluate(f"{PLAYER}.stream")
        async with PlayerPages(chromium, tmp_path).open(server, player(stream=stream_id)) as page:
            await page.click("#play")
            await time_is(page, "> 1")

    chromium.run(scenario())


def test_what_an_error_says_to_install_can_be_installed(packages: Path, installed: Path, tmp_path: Path) -> None:
    """The extra is that of the installed distribution, whatever a registry has under that name."""
    program = "from asf.settings import read_settings; read_settings({'ASF_REDIS_URL': 'redis://127.0.0.1:1/0'})"
    read = [str(installed / "python"), "-c", program]
    told = subprocess.run(read, cwd=tmp_path, capture_output=True, text=True, timeout=COMMAND_SECONDS, check=False)
    [hint] = re.findall(r"run pip install ('audio-stream-feeder\[redis\]')", told.stderr)
    run("sh", "-c", f"{shlex.join(pip_in(packages))} {hint}", cwd=tmp_path)
    run(*read, cwd=tmp_path)


def test_the_npm_package_is_bundled_and_plays(
    server: ServerProcess, packages: Path, chromium: Chromium, tmp_path: Path
) -> None:
    """Installed into an empty folder, imported by Node.js, and bundled by a page, with what it depends on."""
    server.announce("demo", CLIP.read_bytes())
    [archive] = packages.glob("asf-client-*.tgz")
    assert archive.name == f"asf-client-{__version__}.tgz"
    project = tmp_path / "project"
    project.mkdir()
    (project / "package.json").write_text('{"private": true, "type": "module"}')
    (project / "page.js").write_text(PAGE)
    (project / "index.html").write_text(
        '<!doctype html><title>Podcast</title><button>Play</button><audio></audio><script src="bundle.js"></script>'
    )
    options = ["--no-audit", "--no-fund", "--prefer-offline"]
    run("npm", "install", *options, str(archive), cwd=project)
    program = 'const { connect } = await import("asf-client"); console.log(typeof connect);'
    assert run("node", "--input-type=module", "-e", program, cwd=project) == "function\n"
    for name in ("LICENSE", "NOTICE", "README.md", "dist/browser/licenses.txt"):
        assert (project / "node_modules" / "asf-client" / name).is_file()
    esbuild = packages / "tree" / "clients" / "js" / "node_modules" / "esbuild" / "bin" / "esbuild"
    run(str(esbuild), "page.js", "--bundle", "--format=iife", "--outfile=bundle.js", cwd=project)

    async def scenario(url: str) -> None:
        async with open_page(chromium, f"{url}/index.html?server={server.url}") as page:
            await page.click("button")
            await page.wait_for_function("document.querySelector('audio').currentTime > 1")
            assert await page.evaluate("typeof customElements.get('asf-player')") == "function"

    with serving(project) as url:
        chromium.run(scenario(url))
