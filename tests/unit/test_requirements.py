"""The pinned requirements name every library that the project declares: what is not pinned is not installed."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = set(PROJECT["optional-dependencies"])


def _name(requirement: str) -> str:
    found = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert found, requirement
    return re.sub(r"[-_.]+", "-", found.group()).lower()


def _pinned(file: str) -> set[str]:
    return {_name(line) for line in (ROOT / file).read_text().splitlines() if "==" in line}


@pytest.mark.parametrize(
    ("file", "extras"),
    [
        pytest.param("requirements.txt", set(), id="service"),
        pytest.param("requirements-image.txt", EXTRAS - {"asyncio", "bench", "dev", "site"}, id="image"),
        pytest.param("requirements-dev.txt", {"dev", "site"}, id="tests"),
    ],
)
def test_every_declared_library_is_pinned(file: str, extras: set[str]) -> None:
    """A library that only the developer's own machine has would be missing on a fresh one."""
    declared = [*PROJECT["dependencies"]]
    for extra in extras:
        declared += PROJECT["optional-dependencies"][extra]

    missing = {_name(line) for line in declared} - _pinned(file)

    assert not missing, f"not in {file}: {sorted(missing)} (make requirements pins them)"


FILES = ["requirements.txt", "requirements-image.txt", "requirements-dev.txt"]


@pytest.mark.parametrize("file", FILES)
def test_every_pinned_library_has_hashes(file: str) -> None:
    """With which pip refuses all other files (`--require-hashes`). None names a registry."""
    text = (ROOT / file).read_text()
    entries = re.split(r"\n(?=[a-zA-Z0-9])", text)
    assert len(entries) == len(_pinned(file))
    for entry in entries:
        assert re.match(r"[\w.-]+==[\w.+!-]+ \\\n    --hash=sha256:[0-9a-f]{64}", entry), entry
    assert "://" not in text
    assert not re.search(r"^\s*-", text.replace("    --hash=", ""), re.MULTILINE), "an option"


def test_what_is_installed_from_these_files_is_checked() -> None:
    """By make, in the image and in the documents."""
    texts = [ROOT / "Makefile", ROOT / "deploy" / "Dockerfile", ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
    installed = [
        line
        for path in texts
        for line in path.read_text().splitlines()
        if re.search(r"install .*(-r|--requirement) /?requirements", line)
    ]
    assert len(installed) >= 6
    assert [line for line in installed if "--require-hashes" not in line] == []


def test_the_image_has_what_was_tested() -> None:
    """The same versions, wherever they are named."""
    pins = [set((ROOT / file).read_text().splitlines()) for file in ("requirements.txt", "requirements-image.txt")]
    tested = set((ROOT / "requirements-dev.txt").read_text().splitlines())
    for lines in pins:
        assert {line for line in lines if "==" in line} <= tested
