"""The description of the packages, which a package index shows without the files beside it."""

import re
from pathlib import Path

from hatch_build import SOURCE_ARCHIVE, description_of

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


def test_nothing_leads_to_where_there_is_nothing() -> None:
    """No link and no picture is relative; each file that is named in place of a link exists."""
    text = description_of(README)
    assert not re.findall(r"\]\((?!https?:)[^)]*\)", text)
    links = set(re.findall(r"(?<!!)\[[^\]]+\]\((?!https?:)([^)#]+)", README))
    assert {path for path in links if f"`{path}`" not in text} == set()
    assert {path for path in links if not (ROOT / path).is_file()} == set()
    assert text.startswith(f"# Audio Stream Feeder (ASF)\n\n{SOURCE_ARCHIVE}\nASF streams ")


def test_everything_else_is_as_in_the_readme() -> None:
    """Code, tables and links to other sites."""
    blocks = re.findall(r"(?ms)^```.*?^```$", README)
    assert blocks
    assert re.findall(r"(?ms)^```.*?^```$", description_of(README)) == blocks
    readme = "# T\n\nA [page](docs/a.md#b), [docs/a.md](docs/a.md), [site](https://example.com/).\n\n![x](docs/a.png)\n\n```sh\n[a](b)\n```\n"
    assert description_of(readme).partition(SOURCE_ARCHIVE)[2].splitlines()[1:] == [
        "A page: `docs/a.md`, `docs/a.md`, [site](https://example.com/).",
        "",
        "```sh",
        "[a](b)",
        "```",
    ]
