"""The command line, as somebody types it."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path


def asf(
    *arguments: str, url: str | None = None, cwd: Path | None = None, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[bytes]:
    """Run one command to its end."""
    settings = {**(environment or {}), **({"ASF_URL": url} if url else {})}
    command = [sys.executable, "-m", "asf", *arguments]
    return subprocess.run(command, env=os.environ | settings, cwd=cwd, capture_output=True, timeout=60, check=False)
