"""Finds and opens files below the audio roots, and nowhere else."""

import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from pathlib import Path

from asf.adapters.audio_files.beneath import check_name, is_beneath, open_beneath, status_of_regular
from asf.adapters.audio_files.calls import file_calls
from asf.adapters.audio_files.content import unreadable
from asf.adapters.audio_files.direct import FileAudioSource
from asf.adapters.audio_files.looks import FilePlace
from asf.adapters.audio_files.mounts import Mounts, NoSlowMounts, walk
from asf.adapters.audio_files.openings import OPEN_SECONDS, Openings
from asf.adapters.audio_files.threaded import ThreadedFileSource
from asf.adapters.blocking_calls import BlockingCalls
from asf.adapters.locator_syntax import path_of
from asf.adapters.media_types import named_type
from asf.adapters.runtime import Runtime
from asf.domain.errors import AudioUnavailable, InvalidFilepath
from asf.domain.streams.stream import FileLocator, Locator

PROBE_SECONDS = 1.0
"""How long readiness waits for a root."""


class FileAudioSources:
    """Files below `roots`: implements the `AudioSources` port.

    Confinement is checked twice. `locate` resolves symbolic links and rejects paths outside the roots. `open`
    resolves again, as the file may not have existed before, and then walks down from the root without following
    links, so that a link that is swapped in meanwhile cannot lead outside.

    With a `runtime`, file systems that may wait for another machine or process are called in its worker threads, a
    bounded number for each of them, while other tasks run. Local ones are called directly, except to read what is not
    in the page cache. No file below `reserved` can be located.
    """

    def __init__(
        self,
        roots: Iterable[Path],
        runtime: Runtime | None = None,
        mounts: Mounts | None = None,
        reserved: Path | None = None,
    ) -> None:
        self._roots = {str(root): os.path.join(os.getcwd(), root) for root in roots}  # noqa: PTH109, PTH118
        self._runtime = runtime
        self._mounts = NoSlowMounts() if runtime is None else mounts or Mounts()
        self._workers: dict[str, BlockingCalls] = {}
        self._openings = Openings()
        self._resolved: dict[str, str] = {}
        self._reserved = None if reserved is None else os.path.join(os.getcwd(), reserved)  # noqa: PTH109, PTH118
        for root in self._roots.values():
            self._resolve_root(root, None)

    def unreachable(self) -> dict[str, str]:
        """Return the roots that are not readable directories, and why. May yield."""
        problems = {name: self._probe(root) for name, root in self._roots.items()}
        found = {name: problem() for name, problem in problems.items()}
        return {name: problem for name, problem in found.items() if problem is not None}

    def locate(self, filepath: str) -> Locator:
        """Return the absolute, link-free path. A relative one is resolved from the working directory.

        Accepts a path or a `file://` URL. May yield. Raises `InvalidFilepath`, and `AudioUnavailable` when a file
        system does not respond.
        """
        path = path_of(filepath)
        check_name(path)
        path = os.path.join(os.getcwd(), path)  # noqa: PTH109, PTH118
        resolved, mount = walk(path, self._mounts.slow)
        if mount is None:
            root = self._root_of(resolved, None)
        else:
            work = partial(self._resolve_in_thread, path, mount)
            resolved, root = self._worker(mount).run(work, OPEN_SECONDS)
        if root is None:
            raise InvalidFilepath(f"'{resolved}' is not below one of the audio roots (ASF_AUDIO_ROOTS).")
        if self._is_reserved(resolved):
            raise InvalidFilepath(f"'{resolved}' is in the directory of uploaded audio.")
        return FileLocator(resolved)

    def is_local(self, locator: Locator) -> bool:
        """Return whether opening the audio at `locator`, of any kind, waits for no other machine or process."""
        return locator.is_local and self._mounts.slow_mount_of(locator.text) is None

    def content_type_of(self, locator: Locator) -> str | None:
        """Return the media type by the file's name, or None."""
        return named_type(locator.text)

    def open(self, locator: Locator, *, growing: bool = False) -> FileAudioSource | ThreadedFileSource:
        """Open the file; may yield unless it is `growing`. Raises `AudioUnavailable`."""
        path = locator.text
        descriptor = self._mounts.slow_mount_of(path) or self._open_directly(path)
        if isinstance(descriptor, str):
            return self._open_in_threads(path, descriptor, growing=growing)
        try:
            status = status_of_regular(descriptor)
            worker = None if self._runtime is None else self._worker(f"device {status.st_dev}")
            return FileAudioSource(
                descriptor,
                status,
                path,
                named_type(path),
                growing=growing,
                worker=worker,
                is_slow=self._mounts.slow_mount_of,
            )
        except BaseException as error:
            os.close(descriptor)
            if isinstance(error, OSError):
                raise unreadable(error) from error
            raise

    def _open_directly(self, path: str) -> int | str:
        """Open a path; return a mount point instead if a link leads there, where calls may wait."""
        try:
            descriptor = self._open_as_located(path)
            if descriptor is not None:
                return descriptor
            resolved, mount = walk(path, self._mounts.slow)
            return mount or _open_below(self._root_of(resolved, None), resolved)
        except OSError as error:
            raise AudioUnavailable(f"{os.strerror(error.errno or 0)}.") from error

    def _open_in_threads(self, path: str, mount: str, *, growing: bool) -> ThreadedFileSource:
        place = FilePlace(path, partial(self._open_in_thread, path, mount), self._mounts.keeps_inodes(mount))
        worker = self._worker(mount)
        if growing:
            return ThreadedFileSource(place, worker, None, None)
        return self._openings.open(place, worker)

    def _open_in_thread(self, path: str, mount: str) -> int:
        try:
            descriptor = self._open_as_located(path)
            if descriptor is not None:
                return descriptor
            resolved, root = self._resolve_in_thread(path, mount)
            return _open_below(root, resolved)
        except OSError as error:
            raise AudioUnavailable(f"{os.strerror(error.errno or 0)}.") from error

    def _open_as_located(self, path: str) -> int | None:
        """Open a located path, which has no links; return None if it is no longer like that."""
        for root in self._resolved.values():
            if path.startswith(root + os.sep):
                with suppress(OSError):
                    return open_beneath(root, path)
        return None

    def _resolve_in_thread(self, path: str, mount: str) -> tuple[str, str | None]:
        resolved = os.path.realpath(path)
        return resolved, self._root_of(resolved, mount)

    def _root_of(self, resolved: str, mount: str | None) -> str | None:
        for root in self._roots.values():
            resolved_root = self._resolve_root(root, mount)
            if is_beneath(resolved, resolved_root):
                return resolved_root
        return None

    def _is_reserved(self, resolved: str) -> bool:
        if self._reserved is None:
            return False
        directory, mount = walk(self._reserved, self._mounts.slow)
        # Of one that may keep a call waiting, links are not resolved.
        return is_beneath(resolved, directory if mount is None else os.path.normpath(self._reserved))

    def _resolve_root(self, root: str, mount: str | None) -> str:
        """Return what a root resolves to; of one that another mount than `mount` may keep waiting, as last known."""
        resolved, its_mount = walk(root, self._mounts.slow)
        if its_mount is not None:
            if its_mount != mount:
                return self._resolved.setdefault(root, os.path.normpath(root))
            resolved = os.path.realpath(root)
        self._resolved[root] = resolved
        return resolved

    def _probe(self, root: str) -> Callable[[], str | None]:
        """Start to look at a root, and return the function that returns why it cannot be read, or None."""
        _, mount = walk(root, self._mounts.slow)
        if mount is None:
            return partial(_problem_of, root)
        wait = self._worker(mount).start(partial(_problem_of, root), PROBE_SECONDS)

        def problem() -> str | None:
            try:
                return wait()
            except AudioUnavailable as error:
                return error.details

        return problem

    def _worker(self, mount: str) -> BlockingCalls:
        """Return the worker of a mounted file system, or of a local device."""
        worker = self._workers.get(mount)
        if worker is None:
            assert self._runtime is not None  # noqa: S101 - or there would be no such mount
            worker = self._workers[mount] = file_calls(self._runtime)
        return worker


def _open_below(root: str | None, resolved: str) -> int:
    if root is None:
        raise AudioUnavailable("The path leads outside the audio roots.")
    return open_beneath(root, resolved)


def _problem_of(root: str) -> str | None:
    """Return why a root is not a readable directory; None if it is."""
    try:
        with os.scandir(root):
            return None
    except OSError as error:
        return f"{os.strerror(error.errno or 0)}."
