"""Puts the browser client and the console's libraries into wheels and source archives. None is built without them."""

import subprocess
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

STATIC = "src/asf/console/static"
EDITABLE = "editable"
ARCHIVE_METADATA = "PKG-INFO"
"""A file that source archives have at their top, and clones have not."""


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
