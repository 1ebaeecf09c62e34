"""Puts the browser client and the console into wheels and source archives, and writes what package indexes show."""

import re
import subprocess
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from hatchling.metadata.plugin.interface import MetadataHookInterface

STATIC = "src/asf/console/static"
EDITABLE = "editable"
ARCHIVE_METADATA = "PKG-INFO"
"""A file that source archives have at their top, and clones have not."""

IMAGE = re.compile(r"!\[[^\]]*\]\((?!https?:)[^)]*\)\n*")
LINK = re.compile(r"\[([^\]]+)\]\((?!https?:)([^)#]+)(?:#[^)]*)?\)")
FENCED = re.compile(r"(^```.*?^```$)", re.MULTILINE | re.DOTALL)
SOURCE_ARCHIVE = (
    "The files that this text names, such as `docs/why.md`, are in the source archive of the package. In its\n"
    "directory `make run` works, too. With Python alone, install the wheel and type `asf serve`.\n"
)
"""Package indexes show the description without the files beside it."""


def description_of(readme: str) -> str:
    """Return the README as a package index can show it: with the paths of files in place of links and pictures."""
    title, rest = readme.split("\n", 1)
    blocks = FENCED.split(rest)
    blocks[::2] = [LINK.sub(_path_in_text, IMAGE.sub("", text)) for text in blocks[::2]]
    return f"{title}\n\n{SOURCE_ARCHIVE}{''.join(blocks)}"


def _path_in_text(link: re.Match[str]) -> str:
    text, path = link.groups()
    return f"`{path}`" if text == path else f"{text}: `{path}`"


class DescriptionHook(MetadataHookInterface):
    """Writes the description of the packages."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Add it to the metadata."""
        readme = (Path(self.root) / "README.md").read_text(encoding="utf-8")
        metadata["readme"] = {"content-type": "text/markdown", "text": description_of(readme)}


class ConsoleBuildHook(BuildHookInterface[Any]):
    """Builds the console where there is npm, and else takes what was built before.

    A source archive contains the built console, so that a wheel can be built from it without Node.js.
    """

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Do so before a wheel or an archive is built. Raises RuntimeError."""
        if version == EDITABLE:  # `make client` does it, and the server runs without.
            return
        root = Path(self.root)
        built = root / STATIC / ".built"
        if not (built.is_file() and (root / ARCHIVE_METADATA).is_file()):
            subprocess.run([root / "tools" / "build_client.sh"], check=True)
        if not built.is_file():
            raise RuntimeError("The console is not built: install Node.js with npm, then run make client.")
        build_data["artifacts"].append(f"{STATIC}/**")
