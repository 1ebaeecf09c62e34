"""Encodes samples while they are spoken: as MP3 with ffmpeg or lame, else as WAV."""

import os
import shutil
import struct
import subprocess
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from asf.client.voice.pipes import READ_BYTES, write_all
from asf.client.voice.speech import BYTES_PER_SAMPLE, VoiceFailed

MP3_KILOBITS = 64
"""Bit rate of MP3 in kbit/s."""

UNKNOWN_SIZE = 0xFFFFFFFF
"""Size of what is still growing, in the header of a WAV file."""


@dataclass(frozen=True, slots=True)
class Encoding:
    """A way to encode: `program` is the name of the encoder, None for WAV."""

    program: str | None
    content_type: str

    def command(self, rate: int) -> list[str]:
        """Return the command that encodes samples of that rate from its standard input to its standard output."""
        if self.program is None:
            raise ValueError("WAV needs no program.")
        if self.program == "ffmpeg":
            source = ["-f", "s16le", "-ar", str(rate), "-ac", "1", "-i", "-"]
            result = ["-f", "mp3", "-b:a", f"{MP3_KILOBITS}k", "-write_xing", "0", "-id3v2_version", "0"]
            return ["ffmpeg", "-hide_banner", "-loglevel", "error", *source, *result, "-flush_packets", "1", "-"]
        samples = ["-r", "--signed", "--little-endian", "--bitwidth", "16", "-s", str(rate / 1000), "-m", "m"]
        return ["lame", "--quiet", *samples, "--cbr", "-b", str(MP3_KILOBITS), "-t", "-", "-"]


WAV = Encoding(None, "audio/wav")


def find_encoding() -> Encoding:
    """Return the best encoding that this machine has."""
    for program in ("ffmpeg", "lame"):
        if shutil.which(program) is not None:
            return Encoding(program, "audio/mpeg")
    return WAV


def wav_header(rate: int) -> bytes:
    """Return the header of a WAV file of one channel that is still growing."""
    form = struct.pack("<HHIIHH", 1, 1, rate, rate * BYTES_PER_SAMPLE, BYTES_PER_SAMPLE, 8 * BYTES_PER_SAMPLE)
    return b"RIFF%bWAVEfmt %b%bdata%b" % (
        UNKNOWN_SIZE.to_bytes(4, "little"),
        len(form).to_bytes(4, "little"),
        form,
        UNKNOWN_SIZE.to_bytes(4, "little"),
    )


class SoundEncoder:
    """Encodes the samples that `write` gets, and calls `emit` with audio, in a thread where a program encodes.

    As a context manager it is finished at the end of the block, or given up after an exception.
    """

    def __init__(self, encoding: Encoding, rate: int, emit: Callable[[bytes], object]) -> None:
        self._emit = emit
        self._process: subprocess.Popen[bytes] | None = None
        self._failure: BaseException | None = None
        if encoding.program is None:
            emit(wav_header(rate))
            return
        try:
            self._process = subprocess.Popen(  # noqa: S603 - the encoder
                encoding.command(rate),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                bufsize=0,
            )
        except OSError as error:
            raise VoiceFailed(f"{encoding.program} cannot be run: {error}") from error
        self._thread = threading.Thread(target=self._emit_all, args=(self._process,), daemon=True)
        self._thread.start()

    def write(self, samples: bytes) -> None:
        """Encode samples. Raises what `emit` has raised, or `VoiceFailed` if the program has ended."""
        if self._process is None:
            self._emit(samples)
            return
        try:
            write_all(self._process.stdin, samples)
        except BrokenPipeError as error:
            self._thread.join()
            raise (self._failure or VoiceFailed("The encoder has ended early.")) from error

    def finish(self) -> None:
        """Emit the rest. Raises as `write`."""
        if self._process is None:
            return
        _close_input(self._process)
        self._thread.join()
        code = self._process.wait()
        if self._failure is not None:
            raise self._failure
        if code != 0:
            raise VoiceFailed("The encoder has failed.")

    def __enter__(self) -> Self:
        """Return the encoder."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Finish, or end the program after an exception."""
        try:
            if error is None:
                self.finish()
        finally:
            self._give_up()

    def _give_up(self) -> None:
        """End the program, if it still runs."""
        if self._process is None:
            return
        self._process.kill()
        _close_input(self._process)
        self._thread.join()
        self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()

    def _emit_all(self, process: "subprocess.Popen[bytes]") -> None:
        if process.stdout is None:
            raise AssertionError("It is a pipe.")
        try:
            while audio := os.read(process.stdout.fileno(), READ_BYTES):
                self._emit(audio)
        except BaseException as error:  # noqa: BLE001 - raised in the thread that writes
            self._failure = error
            process.kill()  # `write` must not wait for it.


def _close_input(process: "subprocess.Popen[bytes]") -> None:
    """Let the program know that there is no more."""
    if process.stdin is not None:
        with suppress(OSError):  # It has ended.
            process.stdin.close()
