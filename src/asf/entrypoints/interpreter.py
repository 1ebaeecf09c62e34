"""Programs of ASF in processes of their own."""

import sys
from pathlib import Path

import asf


def command_of(module: str) -> list[str]:
    """Return the command that runs a module in this interpreter."""
    # Nothing is imported from the working directory, unless that is where ASF is.
    safe = [] if Path(asf.__file__).parents[1] == Path.cwd() else ["-P"]
    return [sys.executable, *safe, "-m", module]
