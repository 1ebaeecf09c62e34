"""The command line, as somebody types it."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.support.bounds import COMMAND_SECONDS
from tests.support.template import run_command


def asf(
    *arguments: str, url: str | None = None, cwd: Path | None = None, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[bytes]:
    """Run one command to its end."""
    settings = {**(environment or {}), **({"ASF_URL": url} if url else {})}
    if any(name.startswith("PYTHON") for name in settings):  # Python reads these when it starts.
        command = [sys.executable, "-m", "asf", *arguments]
        return subprocess.run(
            command, env=os.environ | settings, cwd=cwd, capture_output=True, timeout=COMMAND_SECONDS, check=False
        )
    return run_command(arguments, cwd or Path.cwd(), os.environ | settings)
