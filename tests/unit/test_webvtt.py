"""WebVTT is valid, whatever the cues are."""

import html
import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asf.adapters.http_api.cues import webvtt
from asf.adapters.http_api.cues.webvtt import LAST_CUE_SECONDS, cue_block, plan_of
from asf.domain.cues.cue import MAX_CUE_SECONDS, parse_cue
from asf.domain.cues.track import StoredCue

TIMES = re.compile(r"(\d{2,}):([0-5]\d):([0-5]\d)\.(\d{3}) --> (\d{2,}):([0-5]\d):([0-5]\d)\.(\d{3})")

texts = st.text(st.sampled_from("a ü\n\r\t\0\x1b\x85\u2028<>&-") | st.characters(codec="utf-8"), max_size=30)
times = st.integers(0, 9) | st.floats(0, MAX_CUE_SECONDS)
identifiers = st.sampled_from(["a", "b", "NOTE x", "NOTE", "STYLE", "REGION", "-->", "a --> b", "NOTEs", "00:01 x"])
cues = st.builds(
    lambda start, length, fields: {"start": start, **({} if length is None else {"end": start + length}), **fields},
    times.map(lambda time: time / 2),
    st.none() | st.just(0) | st.floats(0, 5),
    st.fixed_dictionaries(
        {}, optional={"text": texts, "id": identifiers, "kind": st.sampled_from(["word", "chapter"])}
    ),
)


def document(posted: list[dict[str, Any]]) -> str:
    """Return the WebVTT document of some cues."""
    stored = [StoredCue(seq, parse_cue(fields).json) for seq, fields in enumerate(posted, 1)]
    plan = plan_of(stored, lambda: None)
    assert sorted(plan.seqs) == [cue.seq for cue in stored]
    ends = dict(zip(plan.seqs, plan.ends, strict=True))
    blocks = (cue_block(json.loads(stored[seq - 1].json), ends[seq]) for seq in plan.seqs)
    return webvtt.HEADER + "".join(block for block in blocks if block)


def parsed(text: str) -> list[tuple[str, float, float, str]]:
    """Return identifier, start, end and text of each cue, as the standard's parser has them (section 6.1)."""
    assert "\r" not in text
    assert "\0" not in text
    header, _, rest = text.partition("\n\n")
    assert header.rstrip("\n") == "WEBVTT"
    found = []
    for block in filter(None, rest.split("\n\n")):
        lines = block.rstrip("\n").split("\n")
        assert not re.match(r"(NOTE|STYLE|REGION)(\s|$)", lines[0])
        identifier = "" if "-->" in lines[0] else lines.pop(0)
        matched = TIMES.fullmatch(lines[0])
        assert matched
        hours, minutes, seconds, ms, *end = map(int, matched.groups())
        start_time = hours * 3600 + minutes * 60 + seconds + ms / 1000
        end_time = end[0] * 3600 + end[1] * 60 + end[2] + end[3] / 1000
        payload = lines[1:]
        assert payload
        assert all(line.strip() and "-->" not in line and "<" not in line and ">" not in line for line in payload)
        assert all(
            re.match(r"&(amp|lt|gt);", line[place.start() :]) for line in payload for place in re.finditer("&", line)
        )
        found.append((identifier, start_time, end_time, html.unescape("\n".join(payload))))
    return found


@given(st.lists(cues, max_size=20))
def test_every_document_is_valid(posted: list[dict[str, Any]]) -> None:
    """Each cue with a text is there, in the order of the starts, with an end behind its start."""
    found = parsed(document(posted))
    starts = [start for _, start, _, _ in found]
    assert starts == sorted(starts)
    assert all(end > start for _, start, end, _ in found)
    visible = [one for one in posted if re.sub(r"[\x01-\x08\x0b-\x1f\x7f-\x9f]", "", one.get("text", "")).strip()]
    assert len(found) == len(visible)
    assert sorted(round(one["start"] * 1000) for one in visible) == [round(start * 1000) for start in starts]


def test_markup_is_text() -> None:
    """And nothing in a text ends the cue."""
    text = "<b>5 > 3 && 3 < 5</b> -->\r\n\r\n \n00:00.000 --> 00:01.000\nNUL\0ESC\x1b[1m\ttab"
    (found,) = parsed(document([{"id": "1 ü", "start": 3661.5, "end": 7322.0004, "text": text}]))
    assert found == (
        "1 ü",
        3661.5,
        7322.0,
        "<b>5 > 3 && 3 < 5</b> -->\n00:00.000 --> 00:01.000\nNUL\ufffdESC[1m\ttab",
    )


def test_a_cue_without_an_end_ends_where_the_next_one_of_its_kind_starts() -> None:
    """Whatever the order, and whether or not that has a text. The last one lasts a few seconds."""
    posted = [
        {"start": 40, "kind": "chapter", "text": "second"},
        {"start": 0, "kind": "chapter", "text": "first"},
        {"start": 0, "kind": "chapter", "text": "at the same time"},
        {"start": 1, "kind": "word", "text": "one"},
        {"start": 2, "kind": "word"},
        {"start": 3, "end": 3, "kind": "word", "text": "short"},
        {"start": 50, "text": "no kind"},
    ]
    found = {text: (start, end) for _, start, end, text in parsed(document(posted))}
    assert found == {
        "first": (0, 40),
        "at the same time": (0, 40),
        "one": (1, 2),
        "short": (3, 3.001),
        "second": (40, 40 + LAST_CUE_SECONDS),
        "no kind": (50, 50 + LAST_CUE_SECONDS),
    }


@pytest.mark.parametrize("kind", [None, "word"])
def test_many_cues_are_sorted_in_steps(kind: str | None) -> None:
    """Equal starts stay in the order of their numbers."""
    stored = [
        StoredCue(seq, parse_cue({"start": -seq % 3000, "kind": kind}).json)
        for seq in range(1, 2 * webvtt.SORTED_AT_ONCE)
    ]
    steps: list[None] = []
    plan = plan_of(stored, lambda: steps.append(None))
    assert list(plan.seqs) == [cue.seq for cue in sorted(stored, key=lambda cue: json.loads(cue.json)["start"])]
    assert len(steps) > 2 * len(stored)
    batches = list(plan.batches(100, 1000))
    assert [position for batch in batches for position in batch] == list(range(len(stored)))
    assert all(len(batch) <= 100 for batch in batches)
    assert all(sum(plan.sizes[position] for position in batch) <= 1000 for batch in batches)
    assert [len(batch) for batch in plan.batches(100, 1)] == [1] * len(stored)
    assert plan.size == len(stored) * 24
