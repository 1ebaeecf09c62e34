"""The making of the demo podcast: its pieces, and the clip that it is made of."""

import random
import tomllib
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from asf.client.demo import (
    CLIP_BYTES_PER_SECOND,
    FIRST_PIECE_SECONDS,
    LONGEST_PIECE_SECONDS,
    SHORTEST_PIECE_SECONDS,
    demo_clip,
    demo_cues,
    uneven_pieces,
)

ROOT = Path(__file__).parents[2]


@given(st.integers(0, 10**6), st.floats(1, 10**5), st.integers())
def test_pieces_are_uneven_and_whole(length: int, bytes_per_second: float, seed: int) -> None:
    """Together they are the clip; the first one is what a player begins with."""
    pieces = list(uneven_pieces(length, bytes_per_second, random.Random(seed)))
    assert sum(pieces) == length
    assert all(piece >= 1 for piece in pieces)
    if len(pieces) > 1:
        assert pieces[0] == round(FIRST_PIECE_SECONDS * bytes_per_second)
    for piece in pieces[1:-1]:
        assert SHORTEST_PIECE_SECONDS * bytes_per_second - 1 <= piece <= LONGEST_PIECE_SECONDS * bytes_per_second + 1
    if len(pieces) > 10 and bytes_per_second > 1000:
        assert len(set(pieces[1:-1])) > 1


def test_the_words_of_the_clip_have_their_times() -> None:
    """In order, within the clip, each within its sentence, and all sentences within chapters."""
    cues = demo_cues()
    assert [cue["start"] for cue in cues] == sorted(cue["start"] for cue in cues)
    seconds = demo_clip().stat().st_size / CLIP_BYTES_PER_SECOND
    assert all(0 <= cue["start"] < cue["end"] < seconds for cue in cues)
    for outer, inner in (("sentence", "word"), ("chapter", "sentence")):
        inside = {
            one["text"]: [
                cue["text"] for cue in cues if cue["kind"] == inner and one["start"] <= cue["start"] < one["end"]
            ]
            for one in cues
            if one["kind"] == outer
        }
        assert all(inside.values())
        assert sum(map(len, inside.values())) == sum(cue["kind"] == inner for cue in cues)
        if inner == "word":
            assert all(" ".join(words) == text for text, words in inside.items())


def test_the_clip_is_the_repository_s_and_goes_into_the_wheel() -> None:
    """Beside the module where it is installed, in `demo/` where it is not."""
    assert demo_clip() == ROOT / "demo" / "welcome.mp3"
    assert demo_clip().stat().st_size > 0
    targets = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]
    assert targets["wheel"]["force-include"] == {"demo/welcome.mp3": "asf/client/welcome.mp3"}
