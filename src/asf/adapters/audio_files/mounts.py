"""Which file systems may keep a call waiting, and which keep their inode numbers."""

import os
import re
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

LOCAL_TYPES = frozenset(
    """
    bcachefs btrfs erofs exfat ext2 ext3 ext4 f2fs hfs hfsplus iso9660 jfs msdos nilfs2 ntfs3 overlay ramfs reiserfs
    rootfs squashfs tmpfs udf ufs vfat xfs zfs
    binfmt_misc bpf cgroup cgroup2 configfs debugfs devpts devtmpfs fusectl hugetlbfs mqueue nsfs proc pstore
    securityfs selinuxfs sysfs tracefs
    """.split()  # noqa: SIM905 - more readable than a literal
)
"""File systems of this machine's own memory and disks, by the names in /proc/self/mountinfo: their calls return at
once. Every other file system may depend on another machine or process, and may keep a call waiting indefinitely."""

NETWORK_TYPES_WITH_INODES = frozenset({"ceph", "gfs2", "gpfs", "lustre", "nfs", "nfs4", "ocfs2"})
"""Network file systems whose inode numbers are those of the server. Of all others that are not local the numbers may
change at every look-up."""

REFRESH_SECONDS = 2.0
"""For how long the list of mounts is used before it is read again."""

MOUNTINFO = Path("/proc/self/mountinfo")

UNKNOWN = MappingProxyType({"/": "unknown"})
"""The mounts of a system that does not list them: any call may wait."""


class Mounts:
    """The mounted file systems, as the kernel lists them. Reading the list touches none of them.

    `read` returns the type of the file system at each mount point, or `UNKNOWN`. What was read before holds on where
    the list cannot be read again, as when no file descriptors are left. Raises nothing.
    """

    def __init__(
        self,
        read: "Callable[[], Mapping[str, str]] | None" = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._read = read or read_mounts
        self._now = now
        self._types: Mapping[str, str] = {}
        self._slow: frozenset[str] = frozenset()
        self._read_at: float | None = None

    @property
    def slow(self) -> frozenset[str]:
        """The mount points of the file systems that may keep a call waiting."""
        now = self._now()
        if self._read_at is None or now - self._read_at >= REFRESH_SECONDS:
            self._read_at = now
            types = self._read()
            if types is UNKNOWN and self._types:
                return self._slow
            self._types = types
            self._slow = frozenset(point for point, kind in self._types.items() if kind not in LOCAL_TYPES)
        return self._slow

    def slow_mount_of(self, path: str) -> str | None:
        """Return the mount point of the file system that has `path`, or None if it is local.

        `path` is absolute, without links.
        """
        slow = self.slow
        if not slow:
            return None
        while path not in self._types:
            if path == "/":
                return None
            path = os.path.dirname(path)  # noqa: PTH120 - text only
        return path if path in slow else None

    def keeps_inodes(self, mount_point: str) -> bool:
        """Return whether a file keeps its inode number as long as it exists."""
        kind = self._types.get(mount_point, "unknown")
        return kind in LOCAL_TYPES or kind in NETWORK_TYPES_WITH_INODES


class NoSlowMounts(Mounts):
    """All calls may be made at once, wherever they lead: for programs that have no tasks that would wait."""

    def __init__(self) -> None:
        super().__init__(dict)


def read_mounts() -> Mapping[str, str]:
    """Return the type of the file system at each mount point of this process."""
    try:
        text = MOUNTINFO.read_bytes().decode(errors="surrogateescape")
    except OSError:
        return UNKNOWN
    return parsed(text)


def parsed(mountinfo: str) -> dict[str, str]:
    """Return the types by mount point. Of several at one mount point, the last one hides the others."""
    types = {}
    for line in mountinfo.splitlines():
        fields, _, more = line.partition(" - ")
        types[_unescaped(fields.split(" ")[4])] = more.split(" ")[0]
    return types


def _unescaped(text: str) -> str:
    return re.sub(r"\\(\d{3})", lambda match: chr(int(match[1], 8)), text)


def may_wait(path: Path) -> bool:
    """Return whether calls about `path` may wait for another machine or process. Raises nothing."""
    return walk(os.path.join(os.getcwd(), path), Mounts().slow)[1] is not None  # noqa: PTH109, PTH118


def walk(path: str, slow: frozenset[str]) -> tuple[str, str | None]:
    """Resolve all links in an absolute `path`, as far as no call may wait.

    Returns the resolved path and None, or what is resolved so far and the mount point that it leads into.
    """
    if not slow:
        return os.path.realpath(path), None
    left = path.split("/")[::-1]
    current = "/"
    links = 0
    if current in slow:
        return current, current
    while left:
        part = left.pop()
        if part in {"", "."}:
            continue
        if part == "..":
            current = os.path.dirname(current)  # noqa: PTH120 - text only
            continue
        here = current.rstrip("/") + "/" + part
        if here in slow:
            return here, here
        try:
            target = os.readlink(here)  # noqa: PTH115 - many
        except OSError:
            current = here
            continue
        links += 1
        if links > MAX_LINKS:
            return os.path.realpath(path), None
        left.extend(target.split("/")[::-1])
        if target.startswith("/"):
            current = "/"
    return current, None


MAX_LINKS = 40
"""As many links as the kernel follows; a path with more of them leads in circles."""
