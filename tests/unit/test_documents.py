"""What the documents show of the code is what the code says."""

import importlib.util
import io
import re
import subprocess
from pathlib import Path
from types import ModuleType

import pytest
from dotenv import dotenv_values

from asf.settings import VARIABLES, SettingsError, environment_warnings, read_settings
from tests.support.secret_values import SECRET_KEY

ROOT = Path(__file__).parents[2]
DOCUMENTS = [
    *sorted(ROOT.glob("*.md")),
    *sorted((ROOT / "docs").glob("*.md")),
    ROOT / "clients" / "js" / "README.md",
    ROOT / "examples" / "README.md",
]


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
    assert set(values) == VARIABLES
    # In debug mode the drain is shorter than its default unless it is set.
    example, defaults = read_settings(values), read_settings({"ASF_DRAIN_SECONDS": values["ASF_DRAIN_SECONDS"]})
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


def anchors_of(document: Path) -> set[str]:
    """Return the anchors that the headings of a document get."""
    headings = re.findall(r"^#+ (.*)$", document.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: str(document.relative_to(ROOT)))
def test_links_lead_somewhere(document: Path) -> None:
    """To a file of the project and, where they name one, to a heading in it."""
    for target in re.findall(r"\]\(([^)\s]+)\)", document.read_text()):
        if re.match(r"\w+:", target):
            continue
        name, _, anchor = target.partition("#")
        file = (document.parent / name).resolve() if name else document
        assert file.exists(), target
        assert not anchor or anchor in anchors_of(file), target


def test_a_wheel_is_installed_in_one_way() -> None:
    """That of the quickstart, which test_installed_packages.py tries."""
    quickstart = (
        (ROOT / "docs" / "quickstart-operator.md").read_text().partition("```console\n")[2].partition("```")[0]
    )
    assert quickstart.splitlines() == re.findall(
        r"^    (.*(?:-m venv asf|audio_stream_feeder).*)$", (ROOT / "docs" / "install.md").read_text(), re.MULTILINE
    )


def test_each_source_of_the_comparison_is_named() -> None:
    """A mark in a table leads to its source, and each source has a mark."""
    text = (ROOT / "docs" / "comparison.md").read_text()
    tables, _, rest = text.partition("## Sources")
    sources = set(re.findall(r"^\[(\w+)\]: https://\S+$", rest, re.MULTILINE))
    assert set(re.findall(r"\[([a-z]\d)\](?!\()", tables)) == sources
    assert set(re.findall(r"\[([a-z]\d)\] ", rest)) == sources


def test_the_tour_names_files_that_exist() -> None:
    """In the table from `src/asf`, or beside the name before; in the text by their last parts."""
    tour = (ROOT / "README.md").read_text().partition("## A tour of the code")[2].partition("\n## ")[0]
    folder = ROOT / "src" / "asf"
    for cell in re.findall(r"^\| (`.*?) \|", tour, re.MULTILINE):
        for name in re.findall(r"`(.+?)`", cell):
            base = ROOT / "src" / "asf" if "/" in name else folder
            found = list(base.glob(name)) if "*" in name else [path for path in [base / name] if path.exists()]
            assert found, name
            folder = (base / name).parent
    for name in re.findall(r"`([\w/]+\.py)`", tour):
        assert list((ROOT / "src" / "asf").rglob(name)), name


def test_each_example_is_in_the_table() -> None:
    """With what it shows, and how to run it."""
    rows = re.findall(
        r"^\| \[([\w-]+)\]\(.+?\) \| (.+?) \| (.+) \|$", (ROOT / "examples/README.md").read_text(), re.MULTILINE
    )
    assert sorted(name for name, _, _ in rows) == sorted(
        path.name for path in (ROOT / "examples").iterdir() if path.is_dir()
    )


def settings_blocks() -> list[tuple[str, str]]:
    """Return the document and the text of each block of settings."""
    found = [
        (str(path.relative_to(ROOT)), block)
        for path in DOCUMENTS
        for block in re.findall(r"^```ini\n(.*?)^```$", path.read_text(), re.MULTILINE | re.DOTALL)
    ]
    assert found
    return found


def as_systemd(text: str) -> dict[str, str]:
    """Return what `EnvironmentFile=` reads (systemd.exec(5)): without quotes and backslashes."""
    read = {}
    for line in map(str.strip, text.splitlines()):
        if line and line[0] not in "#;":
            name, _, value = line.partition("=")
            value = value.strip()
            for quote in ("'", '"'):
                if len(value) > 1 and value[0] == value[-1] == quote:
                    value = value[1:-1]
            read[name.strip()] = value.replace("\\", "")
    return read


def as_docker(text: str) -> dict[str, str]:
    """Return what `docker run --env-file` reads: everything behind the equals sign, as it is."""
    lines = [line.lstrip() for line in text.splitlines()]
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def as_shell(text: str) -> dict[str, str]:
    """Return what a shell reads that sources the lines, as the manual does for `asf doctor`."""
    done = subprocess.run(
        ["env", "-i", "sh", "-ec", f"set -a\n{text}\nunset PWD\nexec env"], capture_output=True, text=True, check=True
    )
    return dict(line.split("=", 1) for line in done.stdout.splitlines() if not line.startswith("_="))


@pytest.mark.parametrize(("document", "block"), settings_blocks())
def test_settings_can_be_pasted_wherever_they_are_read(document: str, block: str) -> None:
    """With the same values: .env, EnvironmentFile=, --env-file, and a shell. They are valid."""
    read = dict(dotenv_values(stream=io.StringIO(block)))
    assert read == as_systemd(block) == as_docker(block) == as_shell(block), document
    read_settings({"ASF_SECRET_KEY": SECRET_KEY} | as_docker(block))
    assert not list(environment_warnings(as_docker(block)))


def test_the_secrets_of_the_manual_are_generated(tmp_path: Path) -> None:
    """By its command, which completes the settings above it; the file is private."""
    text = (ROOT / "docs" / "production.md").read_text()
    (tmp_path / "asf.env").write_text(
        next(block for _, block in settings_blocks() if "ASF_DEBUG_MODE=False" in block)
    )
    command = next(
        block for block in re.findall(r"^```sh\n(.*?)^```$", text, re.MULTILINE | re.DOTALL) if ">> asf.env" in block
    )
    subprocess.run(["sh", "-euc", command], cwd=tmp_path, check=True)
    settings = read_settings(as_docker((tmp_path / "asf.env").read_text()))
    assert settings.internal_api_token
    assert settings.internal_trusted_networks == []
    assert (tmp_path / "asf.env").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("path", [*DOCUMENTS, ROOT / ".env.example"], ids=lambda path: path.name)
def test_no_secret_in_a_document_is_accepted(path: Path) -> None:
    """Where one is a value of a setting, or would do as one."""
    for name, value in re.findall(r"(ASF_SECRET_KEY|ASF_INTERNAL_API_TOKEN)=([^\s`'\"$]{32,})", path.read_text()):
        with pytest.raises(SettingsError):
            read_settings({"ASF_DEBUG_MODE": "False", "ASF_SECRET_KEY": SECRET_KEY} | {name: value})
    assert not re.findall(r"[\"'][\w-]{32,}[\"'], [\"']HS256", path.read_text())


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_settings_are_in_blocks_that_are_checked(path: Path) -> None:
    """None is indented instead: it would be pasted as well."""
    assert not re.findall(r"^(?: {4}|\t)[A-Z][A-Z0-9_]+=.*$", path.read_text(), re.MULTILINE)


@pytest.mark.parametrize("line", ["A=b  # a comment", "A='b'", 'A="b"', "A=b\\c", "A=b "])
def test_the_readers_differ(line: str) -> None:
    """About these, which is why the documents have none."""
    assert as_systemd(line) != as_docker(line) or as_docker(line) != as_shell(line)
