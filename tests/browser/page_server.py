"""Pages of this machine for the browser tests, served from processes of their own."""

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """Serve a folder; yield the URL."""
    command = [sys.executable, "-u", "-m", "http.server", "--bind", "127.0.0.1", "--directory", str(folder), "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            assert process.stdout is not None
            announcement = re.search(r"port (\d+)", process.stdout.readline())
            assert announcement is not None
            yield f"http://127.0.0.1:{announcement[1]}"
        finally:
            process.terminate()
