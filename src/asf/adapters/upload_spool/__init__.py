"""Uploaded audio in files of one directory: `files` writes, in the worker thread of `calls`; `sources` reads."""

from asf.adapters.upload_spool.files import FileUploadSpool
from asf.adapters.upload_spool.sources import UploadSources

__all__ = ["FileUploadSpool", "UploadSources"]
