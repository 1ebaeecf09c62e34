"""Text that is to be spoken, as sentences."""

import re

MAX_TEXT_CHARACTERS = 5000
"""Longest text that the demo speaks: about six minutes."""

MAX_SENTENCE_CHARACTERS = 300
"""Longer sentences are divided at a space: each is heard when all of it is spoken."""

SENTENCE_END = re.compile(r"(?<=[.!?\u2026])[\"'\u201d\u2019\u00bb)\]]*\s+|(?<=[\u3002\uff01\uff1f])|\n+")
"""After a full stop, with the quotation marks and brackets that it closes, and between lines."""


def checked_sentences(text: str) -> list[str]:
    """Return `sentences_of` a text. Raises ValueError, with the reason, if it is too long or has no word."""
    if len(text) > MAX_TEXT_CHARACTERS:
        raise ValueError(f"The text must have at most {MAX_TEXT_CHARACTERS} characters.")
    sentences = sentences_of(text)
    if not sentences:
        raise ValueError("The text must have a word in it.")
    return sentences


def sentences_of(text: str) -> list[str]:
    """Return the sentences of `text` by its punctuation and lines, without what cannot be spoken.

    Words are separated by one space; control characters and lone surrogates become spaces. Sentences of more than
    `MAX_SENTENCE_CHARACTERS` are divided. Empty if nothing in it can be spoken.
    """
    sentences = []
    for part in _divided(text):
        printable = "".join(one if one.isprintable() else " " for one in part)
        words = printable.split()
        if any(one.isalnum() for one in printable):
            sentences.extend(_short(words))
    return sentences


def _divided(text: str) -> list[str]:
    """Return the parts of `text` that end with a sentence, with their punctuation."""
    ends = [match.end() for match in SENTENCE_END.finditer(text)]
    return [text[start:end] for start, end in zip([0, *ends], [*ends, len(text)], strict=True)]


def _short(words: list[str]) -> list[str]:
    """Return the sentence of these words, divided where it is too long."""
    sentences = [""]
    for word in words:
        for start in range(0, len(word), MAX_SENTENCE_CHARACTERS):
            piece = word[start : start + MAX_SENTENCE_CHARACTERS]
            longer = f"{sentences[-1]} {piece}".strip()
            if len(longer) <= MAX_SENTENCE_CHARACTERS:
                sentences[-1] = longer
            else:
                sentences.append(piece)
    return sentences
