"""Earlier releases of ASF from the history of the project, each installed in an environment of its own."""

import io
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from tests.browser.prerequisites import missing
from tests.support.bounds import BUILD_SECONDS

ROOT = Path(__file__).parents[2]
RELEASES = {"0.1.0": "58dfecbb6e0a6d6fa44926838bded94614009ce8"}
"""The last revisions of releases."""


def install_release(version: str, folder: Path) -> None:
    """Install a release in `folder`: its interpreter is `venv/bin/python` there.

    Skips the test where the history does not go back so far, or where its libraries cannot be downloaded.
    """
    _unpack(RELEASES[version], folder / "source")
    _run([sys.executable, "-m", "venv", str(folder / "venv")])
    pip = [str(folder / "venv" / "bin" / "python"), "-m", "pip", "install", "-q", "--no-compile"]
    _run([*pip, "--disable-pip-version-check", "-r", str(folder / "source" / "requirements-image.txt")])
    # Editable: it would build the console otherwise.
    _run([*pip, "--disable-pip-version-check", "--no-deps", "-e", str(folder / "source")])


def _unpack(revision: str, folder: Path) -> None:
    archive = subprocess.run(
        [
            "git",
            "archive",
            revision,
            "src",
            "pyproject.toml",
            "hatch_build.py",
            "README.md",
            "demo",
            "requirements-image.txt",
        ],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    if archive.returncode:
        pytest.skip("the history of the project is missing: clone it with git, and without --depth")
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as tar:
        tar.extractall(folder, filter="data")


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=BUILD_SECONDS, check=False)
    if done.returncode:
        missing("a registry of Python packages", f"an earlier release cannot be installed: {done.stderr[-500:]}")
