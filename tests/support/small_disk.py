"""A file system of a few hundred kilobytes, seen by one process and those that look into it."""

import errno
import os
import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest

from tests.browser.prerequisites import missing

SMALL_DISK_BYTES = 512 * 1024

_MOUNT = 'mount -t tmpfs -o size="$1" tmpfs "$2" && shift 2 && exec "$@"'
_WAYS = (["unshare", "--mount"], ["unshare", "--user", "--map-root-user", "--mount"])


@cache
def _way_to_mount() -> list[str] | None:
    """Return the command that makes a mount namespace in which this machine lets us mount; None where it does not."""
    for way in _WAYS:
        attempt = [*way, "sh", "-c", _MOUNT, "sh", "4096", "/tmp", "true"]  # noqa: S108 - in a namespace of its own
        if subprocess.run(attempt, capture_output=True, check=False).returncode == 0:
            return way
    return None


def small_disk_at(directory: Path) -> list[str]:
    """Return the command in front of another that lets it see a small disk at `directory`. Skips where it may not."""
    for program, package in (("unshare", "util-linux"), ("mount", "mount")):
        if shutil.which(program) is None:
            missing(program, f"apt-get install {package}")
    way = _way_to_mount()
    if way is None:
        pytest.skip("neither root nor a user namespace may mount a tmpfs here")
    directory.mkdir(parents=True, exist_ok=True)
    return [*way, "sh", "-c", _MOUNT, "sh", str(SMALL_DISK_BYTES), str(directory)]


class FullDisk:
    """Fills, while it is entered, the disk that the process `pid` sees at `directory`, and makes space on leaving."""

    def __init__(self, pid: int, directory: Path) -> None:
        self._filler = Path(f"/proc/{pid}/root{directory}/filler")

    def __enter__(self) -> None:
        with self._filler.open("wb", buffering=0) as filler:
            for piece in (64 * 1024, 1024, 1):
                try:
                    while True:
                        filler.write(bytes(piece))
                except OSError as error:
                    if error.errno != errno.ENOSPC:
                        raise
            os.fsync(filler.fileno())

    def __exit__(self, *_exception: object) -> None:
        self._filler.unlink()
