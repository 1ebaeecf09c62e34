"""Errors of uploads."""

from asf.domain.errors.base import AsfError


class UploadError(AsfError):
    """Audio that a backend uploads cannot be taken. `offset`: how many bytes of it there are, None if unknown."""

    def __init__(self, details: str | None = None, offset: int | None = None) -> None:
        super().__init__(details)
        self.offset = offset


class UploadNotFound(UploadError):
    """The audio of this stream was not uploaded, or is no longer kept."""

    error_code = "ASF_UPLOAD_NOT_FOUND"
    message = "This stream has no uploaded audio."


class UploadOffsetMismatch(UploadError):
    """The upload does not continue at the byte that the request names, but at `offset`."""

    error_code = "ASF_UPLOAD_OFFSET_MISMATCH"
    message = "The upload does not continue at this offset."


class UploadComplete(UploadError):
    """The upload is complete, and takes no more audio."""

    error_code = "ASF_UPLOAD_COMPLETE"
    message = "The upload is complete."


class UploadEmpty(UploadError):
    """The upload ended without a single byte, as that of a program that failed does. The stream has failed."""

    error_code = "ASF_UPLOAD_EMPTY"
    message = "The upload is empty."


class UploadTakenOver(UploadError):
    """A newer request uploads the audio of this stream."""

    error_code = "ASF_UPLOAD_TAKEN_OVER"
    message = "Another request has taken over this upload."


class UploadTooLarge(UploadError):
    """The audio is larger than `ASF_UPLOAD_MAX_BYTES`."""

    error_code = "ASF_UPLOAD_TOO_LARGE"
    message = "The uploaded audio is too large."


class StorageFull(UploadError):
    """There is no space for more audio: the disk or Redis is full, or the uploads have `ASF_UPLOAD_TOTAL_BYTES`."""

    error_code = "ASF_STORAGE_FULL"
    message = "There is no space for more uploaded audio."
    retryable = True


class UploadUnavailable(UploadError):
    """Uploaded audio cannot be written or read now."""

    error_code = "ASF_UPLOAD_UNAVAILABLE"
    message = "Uploads are not possible now."
    retryable = True
