"""A file system in another process (FUSE) that one server sees, and that a test delays, hangs or breaks.

As a program it mounts the directory `source` read-only at `mount_point`, serves it from a child process, and runs the
command behind it in its own place:

    python -m tests.support.fuse_disk SOURCE MOUNT_POINT CONTROL COMMAND...

In the directory CONTROL the file `hang` keeps every call waiting for as long as it exists; `delay` contains how many
seconds each call takes, `error` the errno that each call gives. Inode numbers are others at each look-up.
"""

import ctypes
import os
import shutil
import signal
import stat
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from tests.browser.prerequisites import missing

LOOKUP, FORGET, GETATTR, OPEN, READ, STATFS, RELEASE, FLUSH, INIT = 1, 2, 3, 14, 15, 17, 18, 25, 26
OPENDIR, READDIR, RELEASEDIR, INTERRUPT, DESTROY, BATCH_FORGET = 27, 28, 29, 36, 38, 42
NO_REPLY = {FORGET, INTERRUPT, BATCH_FORGET}
ROOT_NODE = 1
ENOSYS = 38
DIRECT_IO = 1
BUFFER_BYTES = 1024 * 1024
PR_SET_PDEATHSIG = 1
MS_NOSUID, MS_NODEV, MS_RDONLY = 2, 4, 1

_WAYS = (["unshare", "--mount"], ["unshare", "--user", "--map-root-user", "--mount"])


class FuseDisk:
    """A directory that a server sees through FUSE, in `directory`. `wrapper` is the command in front of the server's.

    Skips the test where this machine lets nobody mount one.
    """

    def __init__(self, directory: Path) -> None:
        self.source = directory / "source"
        self.mount_point = directory / "remote"
        self._control = directory / "control"
        for path in (self.source, self.mount_point, self._control):
            path.mkdir(parents=True)
        module = [sys.executable, "-m", "tests.support.fuse_disk"]
        places = [str(self.source), str(self.mount_point), str(self._control)]
        self.wrapper = [*_way_to_mount(), *module, *places]

    def hang(self) -> None:
        """Keep every call waiting until `recover`."""
        (self._control / "hang").touch()

    def delay(self, seconds: float) -> None:
        """Let each call take so long, until `recover`."""
        self._set("delay", str(seconds))

    def fail(self, error: int) -> None:
        """Let each call fail, until `recover`."""
        self._set("error", str(error))

    def recover(self) -> None:
        """Serve as if nothing had been."""
        for path in self._control.iterdir():
            path.unlink()

    def _set(self, name: str, value: str) -> None:
        new = self._control.parent / f"{name}.new"
        new.write_text(value)
        new.rename(self._control / name)


@cache
def _way_to_mount() -> list[str]:
    if shutil.which("unshare") is None:
        missing("unshare", "apt-get install util-linux")
    for way in _WAYS:
        attempt = [*way, sys.executable, "-m", "tests.support.fuse_disk", "/", "/mnt", "/", "true"]
        if subprocess.run(attempt, capture_output=True, check=False).returncode == 0:
            return way
    pytest.skip("neither root nor a user namespace may mount a FUSE file system here")


class Served:
    """The answers to the kernel's requests: a directory without directories in it."""

    def __init__(self, source: Path, control: Path) -> None:
        self._source = source
        self._control = control
        self._names: dict[int, str] = {ROOT_NODE: ""}
        self._last = ROOT_NODE

    def wait(self) -> None:
        """Take as long as the test wants, and raise what it wants."""
        while (self._control / "hang").exists():
            time.sleep(0.005)
        if seconds := self._setting("delay"):
            time.sleep(float(seconds))
        if error := self._setting("error"):
            raise OSError(int(error), "as told")

    def _setting(self, name: str) -> str:
        try:
            return (self._control / name).read_text()
        except FileNotFoundError:
            return ""

    def lookup(self, _node: int, body: bytes) -> bytes:
        name = body.rstrip(b"\0").decode()
        status = (self._source / name).stat()
        self._last += 1
        self._names[self._last] = name
        return struct.pack("<QQQQII", self._last, 0, 0, 0, 0, 0) + self._attributes(self._last, status)

    def getattr(self, node: int, _body: bytes) -> bytes:
        status = (self._source / self._names[node]).stat()
        return struct.pack("<QII", 0, 0, 0) + self._attributes(node, status)

    def open(self, node: int, _body: bytes) -> bytes:
        descriptor = os.open(self._source / self._names[node], os.O_RDONLY)
        return struct.pack("<QII", descriptor, DIRECT_IO, 0)

    def read(self, _node: int, body: bytes) -> bytes:
        descriptor, offset, size = struct.unpack_from("<QQI", body)
        return os.pread(descriptor, size, offset)

    def release(self, _node: int, body: bytes) -> bytes:
        os.close(struct.unpack_from("<Q", body)[0])
        return b""

    def nothing(self, _node: int, _body: bytes) -> bytes:
        return b""

    @staticmethod
    def open_directory(_node: int, _body: bytes) -> bytes:
        return struct.pack("<QII", 0, 0, 0)

    @staticmethod
    def init(_node: int, _body: bytes) -> bytes:
        return struct.pack("<IIIIHHIIHHII6I", 7, 31, 0, 0, 16, 12, 65536, 1, 0, 0, 0, 0, *[0] * 6)

    @staticmethod
    def _attributes(node: int, status: os.stat_result) -> bytes:
        mtime, nanoseconds = divmod(status.st_mtime_ns, 1_000_000_000)
        mode = stat.S_IFDIR | 0o755 if node == ROOT_NODE else status.st_mode
        times = (mtime, mtime, mtime, nanoseconds, nanoseconds, nanoseconds)
        return struct.pack("<6Q10I", node, status.st_size, 8, *times, mode, 1, 0, 0, 0, 4096, 0)


def serve(device: int, served: Served) -> None:
    """Answer the kernel's requests until the file system is unmounted."""
    methods: dict[int, Callable[[int, bytes], bytes]] = {
        LOOKUP: served.lookup,
        GETATTR: served.getattr,
        OPEN: served.open,
        READ: served.read,
        RELEASE: served.release,
        FLUSH: served.nothing,
        INIT: served.init,
        OPENDIR: served.open_directory,
        READDIR: served.nothing,
        RELEASEDIR: served.nothing,
    }
    while True:
        try:
            request = os.read(device, BUFFER_BYTES)
        except InterruptedError:
            continue
        except OSError:
            return
        _length, operation, unique, node = struct.unpack_from("<IIQQ", request)
        if operation == DESTROY:
            return
        if operation in NO_REPLY:
            continue
        answer, error = b"", 0
        try:
            if operation not in {INIT, RELEASE, RELEASEDIR, FLUSH}:
                served.wait()
            method = methods.get(operation)
            if method is None:
                error = ENOSYS
            else:
                answer = method(node, request[40:])
        except OSError as failure:
            error = failure.errno or ENOSYS
        try:
            os.write(device, struct.pack("<IiQ", 16 + len(answer), -error, unique) + answer)
        except OSError:  # The call was interrupted.
            continue


def main() -> None:
    """Mount, serve in a child process, and run the command."""
    source, mount_point, control, *command = sys.argv[1:]
    device = os.open("/dev/fuse", os.O_RDWR)
    options = f"fd={device},rootmode=40755,user_id=0,group_id=0"
    libc = ctypes.CDLL(None, use_errno=True)
    flags = MS_NOSUID | MS_NODEV | MS_RDONLY
    if libc.mount(b"asf-test", mount_point.encode(), b"fuse.test", flags, options.encode()) != 0:
        sys.exit(os.strerror(ctypes.get_errno()))
    reading, writing = os.pipe()
    if os.fork() == 0:
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        os.write(writing, b"1")
        serve(device, Served(Path(source), Path(control)))
        os._exit(0)
    os.read(reading, 1)  # From now on the child ends with this process.
    os.close(device)
    os.execvp(command[0], command)  # noqa: S606 - it is the test's own


if __name__ == "__main__":
    main()
