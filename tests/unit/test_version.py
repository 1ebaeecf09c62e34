"""The name, the version and the license of the project are the same wherever they are said."""

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from asf import __version__

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
NPM_FOLDER = ROOT / "clients" / "js"


def npm(name: str) -> dict[str, Any]:
    """Return a JSON file of the browser client."""
    parsed: dict[str, Any] = json.loads((NPM_FOLDER / name).read_text())
    return parsed


def test_the_browser_client_has_the_version_of_the_server() -> None:
    """In its description, in its lock file, and where an example depends on it."""
    lock = npm("package-lock.json")
    example = json.loads((ROOT / "examples" / "react" / "package-lock.json").read_text())
    versions = [npm("package.json")["version"], lock["version"], lock["packages"][""]["version"]]
    assert {*versions, example["packages"]["../../clients/js"]["version"]} == {__version__}


def test_the_changelog_begins_with_this_version() -> None:
    """Its lines are of this version until it is released."""
    headings = re.findall(r"^## (\S+) - (.*)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert headings[0][0] == __version__
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\d", date) for _, date in headings[1:])


def test_the_license_is_named_wherever_it_is_looked_for() -> None:
    """In the packages of Python and npm, each with its text, and in the image."""
    assert PROJECT["license"] == npm("package.json")["license"] == "Apache-2.0"
    assert npm("package-lock.json")["packages"][""]["license"] == "Apache-2.0"
    assert 'licenses="Apache-2.0"' in (ROOT / "deploy" / "Dockerfile").read_text()
    for name in ("LICENSE", "NOTICE"):
        assert name in PROJECT["license-files"]
        assert (NPM_FOLDER / name).read_text() == (ROOT / name).read_text()


def test_the_notice_names_all_that_the_bundles_contain() -> None:
    """With the license that each has: what the browser client depends on, and what the reference page does."""
    notice = dict(re.findall(r"^  (\S+) +(\S+) +https:", (ROOT / "NOTICE").read_text(), re.MULTILINE))
    locks = [npm("package-lock.json"), json.loads((ROOT / "clients" / "reference" / "package-lock.json").read_text())]
    packages = {
        path.removeprefix("node_modules/"): one for lock in locks for path, one in lock["packages"].items() if path
    }
    assert {name: packages[name]["license"] for name in notice} == notice
    for lock in locks:
        assert set(lock["packages"][""]["dependencies"]) <= set(notice)


@pytest.mark.parametrize("pattern", ["src/**/*.py", "docs/*.md", "*.md", "examples/**/*.md", "examples/**/*.py"])
def test_no_text_installs_somebody_else_s_package(pattern: str) -> None:
    """`asf` on PyPI is another project."""
    named = 0
    for path in ROOT.glob(pattern):
        if "node_modules" not in path.parts:
            for requirement in re.findall(r"pip install [^`\n]*?'?\b([a-z-]+)\[[a-z,]+\]", path.read_text()):
                assert requirement == PROJECT["name"], path
                named += 1
    assert named or not pattern.startswith("src")
