"""The text of the project uses the standard terms of its field.

Each pattern is a paraphrase that must not come back, with the term that is used instead. Docstrings, comments,
messages, help texts and documents are searched alike.
"""

import re
from bisect import bisect
from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

DOCUMENTS = (
    "README.md",
    "SECURITY.md",
    "CHANGELOG.md",
    "docs",
    "deploy",
    "demo",
    "tools",
    ".ci",
    "Makefile",
)
CODE = ("src", "clients", "benchmarks", ".env.example", "docs/reference.md")
"""Files and folders whose text is code or is generated from it."""

SCOPES = DOCUMENTS + CODE
"""Files and folders that are searched."""

FOREIGN_FOLDERS = {"node_modules", "dist", "static", "__pycache__"}
SUFFIXES = {".cfg", ".conf", ".css", ".html", ".js", ".lua", ".md", ".mjs", ".py", ".service", ".sh", ".ts", ".yaml"}
NAMES = {"Makefile", "Dockerfile", ".env.example", "run"}

TERMS = {
    r"(?:is|are) allowed to be": "must be",
    r"(?:may|can) be left out": "is optional",
    r"anew": "again, regenerated, recreated",
    r"whoever|who comes": "a client, a listener, anyone who",
    r"goes on|go on (?:at|elsewhere|from|there|with)": "continues, resumes",
    r"ha(?:s|ve) (?:its|their) turns?": "may yield, runs",
    r"at an end": "finished",
    r"what (?:it|they) (?:has |have )?opened": "the sessions it authorized",
    r"no place|places? for (?:another|a new)": "limit reached",
    r"keeps? (?:its|their) places?|takes? (?:a|no|all) places?": "count against the limit",
    r"how much is (?:too much|let in)": "limits",
    r"standing room": "headroom for rejections",
    r"told so|(?:is|are|was|were|be|been|being) told": "is notified, receives",
    r"doors?": "transport, interface, entry point",
    r"(?:a|an|its|more|no|the|their|whose) patience": "timeout, limit",
    r"(?:all|hears?|no|of|tells?|the) news|news (?:are|from|goes?|is|of|over|that)": "pub/sub, message",
    r"(?<!there )(?:is|are) no (?:JSON|HTTP|address|list|number|object|place|range|text|time|token)": "is not a",
    r"whether it lives|process lives|lives on": "is running",
    r"what (?:has |have )?(?:became|become|becomes) of": "state, outcome",
    r"where (?:it|they) ha(?:s|ve) come to": "current offset",
    r"takes? nothing|took nothing": "is blocked, reads nothing",
    r"starve[sd]?": "park",
    r"hears? on": "keeps playing, continues",
    r"says? so no more": "stopped reporting",
}
"""Patterns, and what to write instead. They match whole words in any case, across line breaks, in prose and in code.
None may match a name of the public interface, such as the option `--patience`."""

FIXED_TEXTS = ("at which you stopped listening, and goes on from there.",)
"""Texts that are not searched: strings that clients compare, and words that are spoken in the demo clip."""

PATTERNS = [(re.compile(rf"(?<!\w)(?:{pattern})(?!\w)", re.IGNORECASE), term) for pattern, term in TERMS.items()]
LEADER = re.compile(r"^[\s#/*>]*")
"""What begins a line of a comment or of a quotation."""


def files_of(scope: str) -> Iterator[Path]:
    """Yield the text files of a file or folder, without what is generated from the code or comes from elsewhere."""
    start = ROOT / scope
    generated = {ROOT / name for name in CODE if scope not in CODE}
    for path in [start] if start.is_file() else sorted(start.rglob("*")):
        text = path.suffix in SUFFIXES or path.name in NAMES
        foreign = FOREIGN_FOLDERS & set(path.relative_to(ROOT).parts)
        if path.is_file() and text and not foreign and path not in generated:
            yield path


def hits_in(text: str) -> Iterator[tuple[int, str, str]]:
    """Yield line, phrase and term for each hit."""
    for fixed in FIXED_TEXTS:
        text = text.replace(fixed, "")
    lines = [LEADER.sub("", line) for line in text.split("\n")]
    starts = list(accumulate((len(line) + 1 for line in lines), initial=0))
    flowing = " ".join(lines)
    for pattern, term in PATTERNS:
        for found in pattern.finditer(flowing):
            yield bisect(starts, found.start()), found[0], term


@pytest.mark.parametrize("scope", SCOPES)
def test_the_text_uses_the_standard_terms(scope: str) -> None:
    """Every hit is listed: file, line, phrase, and what to write instead."""
    hits = [
        f"{path.relative_to(ROOT)}:{line}: {phrase!r}: write {term}"
        for path in files_of(scope)
        for line, phrase, term in sorted(hits_in(path.read_text()))
    ]
    assert not hits, "\n".join(["", *hits])


def test_phrases_are_found_across_lines_and_in_any_case() -> None:
    """With the line that they begin in. Parts of words are not phrases."""
    text = "# A value that is allowed\n    # to be 5.\n\nWhoever sees that there is no text on indoor plants\n"
    assert [(line, phrase) for line, phrase, _ in sorted(hits_in(text))] == [(1, "is allowed to be"), (4, "Whoever")]


def test_fixed_texts_are_not_searched() -> None:
    """Only they."""
    assert FIXED_TEXTS
    for fixed in FIXED_TEXTS:
        assert [phrase for _, phrase, _ in hits_in(f"{fixed} Whoever")] == ["Whoever"]
