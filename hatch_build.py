"""Puts the browser client and the console's libraries into wheels. A wheel without them is not built."""

import subprocess
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

BUILT = "src/asf/console/static/.built"
EDITABLE = "editable"


class ConsoleBuildHook(BuildHookInterface[Any]):
    """Builds the console where there is npm, and else takes what was built before."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Do so before a wheel is built. Raises RuntimeError."""
        if version == EDITABLE:  # `make client` does it, and the server runs without.
            return
        root = Path(self.root)
        subprocess.run([root / "tools" / "build_client.sh"], check=True)
        if not (root / BUILT).is_file():
            raise RuntimeError("The console is not built: install Node.js with npm, then run make client.")
        build_data["artifacts"].append("src/asf/console/static/**")
