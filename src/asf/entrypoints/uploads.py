"""Storage of uploaded audio: in files, or in queues of the Redis that several servers share."""

import secrets
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from asf.adapters.audio_files import FileAudioSources
from asf.adapters.runtime import Runtime
from asf.adapters.upload_spool import FileUploadSpool, UploadSources
from asf.domain.streams.stream import Locator, UploadLocator
from asf.domain.uploads.ports import UploadSpool
from asf.settings import UPLOAD_TO_FILE, Settings

SHARED_OWNER = "cluster"
"""Part of the names of files of all servers on one Redis."""


@dataclass(frozen=True, slots=True)
class UploadStorage:
    """Where uploaded audio is stored, and where it is read from: `sources` reads files, whatever `spool` is."""

    spool: UploadSpool
    sources: UploadSources
    temporary: Path | None = None
    """A directory that is deleted when the server ends."""

    def close(self) -> None:
        """Delete what is temporary. Safe to repeat."""
        if self.temporary is not None:
            shutil.rmtree(self.temporary, ignore_errors=True)


def directory_of(settings: Settings) -> Path:
    """Return the directory of uploads. It need not exist."""
    return settings.upload_path or Path(tempfile.gettempdir()) / f"asf-uploads-{secrets.token_hex(8)}"


def create_upload_storage(
    settings: Settings, directory: Path, runtime: Runtime, queues: UploadSpool | None
) -> UploadStorage:
    """Return the storage that the settings name: files in `directory` (as of `directory_of`), or `queues`."""
    # A database has one server at a time, and servers may have databases in one directory.
    owner = SHARED_OWNER if settings.redis_url and not settings.redis_is_private else Path(settings.database).name
    files = FileUploadSpool(directory, owner, settings.upload_total_bytes, runtime)
    readers = FileAudioSources([directory], runtime)
    sources = UploadSources(files, readers, readers.is_local)
    spool = files if settings.upload_to == UPLOAD_TO_FILE or queues is None else queues
    return UploadStorage(spool, sources, directory if settings.upload_path is None else None)


def local_check(files: FileAudioSources, uploads: UploadSources) -> Callable[[Locator], bool]:
    """Return a function that returns whether opening audio waits for no other machine or process."""
    return lambda locator: (uploads if isinstance(locator, UploadLocator) else files).is_local(locator)
