"""The pinned requirements name every library that the project declares: what is not pinned is not installed."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def _name(requirement: str) -> str:
    found = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert found, requirement
    return re.sub(r"[-_.]+", "-", found.group()).lower()


def _pinned(file: str) -> set[str]:
    return {_name(line) for line in (ROOT / file).read_text().splitlines() if "==" in line}


@pytest.mark.parametrize(
    ("file", "extras"),
    [pytest.param("requirements.txt", (), id="service"), pytest.param("requirements-dev.txt", ("dev",), id="tests")],
)
def test_every_declared_library_is_pinned(file: str, extras: tuple[str, ...]) -> None:
    """A library that only the developer's own machine has would be missing on a fresh one."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    declared = [*project["dependencies"]]
    for extra in extras:
        declared += project["optional-dependencies"][extra]

    missing = {_name(line) for line in declared} - _pinned(file)

    assert not missing, f"not in {file}: {sorted(missing)} (make requirements pins them)"
