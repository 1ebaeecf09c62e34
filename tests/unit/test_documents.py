"""What the documents show of the code is what the code says."""

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest
from dotenv import dotenv_values

from asf.settings import read_settings

ROOT = Path(__file__).parents[2]


def tool(name: str) -> ModuleType:
    """Return a program of the folder tools/ as a module."""
    specification = importlib.util.spec_from_file_location(name, ROOT / "tools" / f"{name}.py")
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("program", "function", "document"),
    [
        ("draw_session", "draw", "docs/session.md"),
        ("write_reference", "reference", "docs/reference.md"),
        ("write_reference", "example", ".env.example"),
    ],
)
def test_what_is_written_from_the_code_is_up_to_date(program: str, function: str, document: str) -> None:
    """`make docs` would change nothing."""
    assert (ROOT / document).read_text() == getattr(tool(program), function)()


def test_the_example_of_settings_can_be_used_as_it_is() -> None:
    """All values are right, and the defaults."""
    values = {name: value or "" for name, value in dotenv_values(ROOT / ".env.example").items()}
    example, defaults = read_settings(values), read_settings({})
    assert {**vars_of(example), "secret_key": ""} == {**vars_of(defaults), "secret_key": ""}


def vars_of(settings: object) -> dict[str, object]:
    """Return the fields of the settings."""
    return {name: getattr(settings, name) for name in settings.__dataclass_fields__}  # type: ignore[attr-defined]


def test_the_tests_that_security_names_are_there() -> None:
    """Each in the file that is named before it, in full or by its last part."""
    files = {str(path.relative_to(ROOT)): path.read_text() for path in (ROOT / "tests").rglob("*.py")}
    named = re.findall(r"`((?:tests/|test_)[\w/]*(?:\.py)?)`", (ROOT / "SECURITY.md").read_text())
    assert len(named) > 50
    text = ""
    for name in named:
        if name.endswith(".py"):
            text = "".join(text for file, text in files.items() if f"/{file}".endswith(f"/{name}"))
            assert text, name
        else:
            assert f"def {name}(" in text, name
