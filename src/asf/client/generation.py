"""Streams whose audio is being generated, from their announcement to their end, over blocking HTTP."""

import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from asf.client import calls, upload_calls
from asf.client.conversations import end_current_epoch, report_failure, report_upload_failure, resume_upload
from asf.client.demand import DemandPoll
from asf.client.errors import RequestRejected
from asf.client.growing import GrowingAudio, out_of_the_way
from asf.client.internal_api import InternalApi
from asf.client.responses import Uploaded
from asf.client.uploading import UploadedAudio


@dataclass(frozen=True, slots=True)
class Generation:
    """One stream that is to be generated, with what is announced of it."""

    api: InternalApi
    stream_id: str
    content_type: str | None
    metadata: Mapping[str, Any] | None

    @contextmanager
    def in_file(self, path: Path) -> Iterator[GrowingAudio]:
        """Yield the new file at `path`, which the server reads as it grows."""
        with out_of_the_way(path):
            self.api.run(end_current_epoch(self.stream_id))
            announcement = calls.notify_new_audio(
                self.stream_id, path, "generating", self.content_type, self.metadata
            )
            try:
                announced = self.api.do(announcement)
            except RequestRejected:
                raise
            except BaseException as error:  # The announcement may have arrived.
                self._report_failure(path, error)
                raise
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with (
                self.api.another() as api,
                GrowingAudio(
                    io.FileIO(path, "x"),
                    self.stream_id,
                    announced.epoch,
                    DemandPoll(api, self.stream_id, announced.epoch, path),
                ) as audio,
            ):
                yield audio
        except BaseException as error:
            self._report_failure(path, error)
            raise
        self.api.do(calls.notify_new_audio(self.stream_id, path, "complete", total_bytes=audio.total_bytes))

    @contextmanager
    def uploaded(self, patience: float, *, resume: bool) -> Iterator[UploadedAudio]:
        """Yield audio that is uploaded; with `resume`, that of an upload that was left open."""
        if resume:
            started = self.api.run(resume_upload(self.stream_id))
        else:
            started = self.api.do(upload_calls.start_upload(self.stream_id, self.content_type, self.metadata))
        audio: UploadedAudio | None = None
        try:
            if self.metadata is not None and (resume or upload_calls.is_too_long(self.metadata)):
                self.api.do(calls.notify_new_audio(self.stream_id, None, "generating", metadata=self.metadata))
            with self.api.another() as api:
                demand = DemandPoll(api, self.stream_id, started.epoch)
                audio = UploadedAudio(self.api, started, patience, demand)
                yield audio
            audio.finish()
        except BaseException as error:
            self._end_upload(started, audio, error)
            raise

    def _end_upload(self, started: Uploaded, audio: UploadedAudio | None, error: BaseException) -> None:
        """Announce that `error` has ended the upload, once listeners can have what was written before."""
        try:
            if audio is None or not audio.is_left_open:
                if audio is not None:
                    audio.deliver()
                self.api.run(report_upload_failure(started, error))
        finally:
            if audio is not None:
                audio.stop()

    def _report_failure(self, path: Path, error: BaseException) -> None:
        self.api.run(report_failure(self.stream_id, path, error))
