"""Recognizes secrets that can be guessed: placeholders of documents, repetitions, and sequences."""

import re
from itertools import pairwise

MIN_CHARACTERS = 32
"""Of a secret."""

MIN_OTHER_CHARACTERS = 16
"""Of a secret, without `COMMON_WORDS`."""

MIN_DISTINCT_CHARACTERS = 7
"""A random number of 32 digits has fewer in one of 60,000 cases, and other random secrets practically never."""

MAX_SEQUENTIAL_SHARE = 0.75
"""Share of characters that equal their predecessor, or follow it in the alphabet."""

GENERATE_SECRET = "python3 -c 'import secrets; print(secrets.token_urlsafe(32))'"  # noqa: S105
"""Command that prints a good secret."""

COMMON_WORDS = re.compile(
    "change(me|this|it)|replace(me|this)|placeholder|example|qwertyuiop|asdfghjkl|letmein|insecure|pass(word|phrase)"
    "|(that)?nobodycanguess|ormorecharacters|foryourbackends|another|your|super|top|very|long|random|secret|token|key"
    "|production|development|server|internal|backend|django|flask|default|string|asf|api|the|and|for|with|this|that"
)


def can_be_guessed(secret: str) -> bool:
    """Return whether a secret of sufficient length is a placeholder, repeats itself, or is a sequence."""
    rest = COMMON_WORDS.sub("", re.sub(r"[\W_]+", "", secret.lower()))
    return len(rest) < MIN_OTHER_CHARACTERS or _has_pattern(rest) or _has_pattern(secret)


def _has_pattern(text: str) -> bool:
    is_repetition = any(text[period:] == text[:-period] for period in range(1, len(text) // 2 + 1))
    steps = [ord(second) - ord(first) for first, second in pairwise(text)]
    sequential = sum(-1 <= step <= 1 for step in steps) / len(steps)
    return len(set(text)) < MIN_DISTINCT_CHARACTERS or is_repetition or sequential > MAX_SEQUENTIAL_SHARE
