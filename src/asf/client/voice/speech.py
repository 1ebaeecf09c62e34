"""What voices return, and the port that they implement."""

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Protocol

BYTES_PER_SAMPLE = 2
"""Voices return 16-bit samples of one channel, little-endian."""


class VoiceFailed(Exception):
    """A voice or an encoder cannot be run, or has failed. The message says why, for humans."""


@dataclass(frozen=True, slots=True)
class Word:
    """A word of a sentence, spoken from `start` to `end` in seconds from the beginning of the sentence."""

    start: float
    end: float
    text: str


@dataclass(frozen=True, slots=True)
class SpokenSentence:
    """A sentence with its audio: `samples` of `rate` samples a second (see `BYTES_PER_SAMPLE`)."""

    text: str
    samples: bytes
    rate: int
    words: tuple[Word, ...]

    @property
    def seconds(self) -> float:
        """How long it is, in seconds."""
        return len(self.samples) / BYTES_PER_SAMPLE / self.rate


class Voice(Protocol):
    """Speaks text."""

    @property
    def name(self) -> str:
        """What speaks, for humans."""
        ...

    def speak(self, sentences: Sequence[str]) -> Generator[SpokenSentence, None, None]:
        """Yield each sentence as soon as it is spoken, all with the same `rate`.

        `sentences` are as `sentences_of` returns them. Raises `VoiceFailed`. Closing the iterator ends the program
        that speaks.
        """
        ...
