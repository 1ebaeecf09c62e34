"""Preconditions and ranges of the audio by its URL: any request, against a small model of RFC 9110."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.test import TestResponse

from asf.adapters.http_api.playback import body
from asf.adapters.http_api.playback.ranges import parse_range
from asf.domain.streams.stream import StreamState
from tests.support.playback import PlaybackApi

SIZES = [0, 1, 5, 100, 70_000]
"""The last one has ranges that are too long to be answered without a session."""

DATE = "Sat, 01 Jan 2000 00:00:00 GMT"


@dataclass(frozen=True)
class Model:
    """The audio as a client may know it: all its bytes so far, and the tags that the server has sent for it.

    `tag` is the current one. `prefix_tag` is that of the audio while it was generated: what a client has under it is
    the beginning of the audio.
    """

    data: bytes
    is_complete: bool
    tag: str
    prefix_tag: str

    def answer(self, method: str, headers: Mapping[str, str]) -> tuple[int, str | None, bytes]:
        """Return status, `Content-Range` and body, by the steps of section 13.2.2."""
        if "If-Match" in headers and not self._matches_strongly(headers["If-Match"]):
            return 412, None, b""
        if "If-None-Match" in headers and self._matches_weakly(headers["If-None-Match"]):
            return 304, None, b""
        if method == "HEAD":  # Ranges are defined for GET (section 14.2).
            return 200, None, b""
        may_be_part = headers.get("If-Range", self.tag) in {self.prefix_tag, *([self.tag] * self.is_complete)}
        if "If-Range" not in headers:
            may_be_part = True
        wanted = self._wanted(headers.get("Range", "")) if may_be_part else None
        if wanted is None:
            return 200, None, self.data
        total = len(self.data) if self.is_complete else "*"
        if not wanted:
            return 416, f"bytes */{len(self.data)}", b""
        assert all(right - left == 1 for left, right in pairwise(wanted))
        found = bytes(self.data[offset] for offset in wanted)
        return 206, f"bytes {wanted[0]}-{wanted[-1]}/{total}", found

    def _wanted(self, header: str) -> list[int] | None:
        """Return the offsets that are asked for; None for all of them."""
        everything = range(len(self.data))
        if found := re.fullmatch(r"bytes=-(\d+)", header):
            return list(everything[max(0, len(self.data) - int(found[1])) :])
        if not (found := re.fullmatch(r"bytes=(\d+)-(\d*)", header)):
            return None
        first, last = int(found[1]), int(found[2]) if found[2] else None
        if first == 0 and last is None and not self.is_complete:
            return None
        return [offset for offset in everything if offset >= first and (last is None or offset <= last)]

    def _matches_strongly(self, header: str) -> bool:
        return header == "*" or ("W/" not in self.tag and self.tag in re.findall(r'(?:W/)?"[^"]*"', header))

    def _matches_weakly(self, header: str) -> bool:
        return header == "*" or self.tag.removeprefix("W/") in re.findall(r'"[^"]*"', header)


class Stream:
    """A stream that was generated, as far as it is by now, and perhaps was regenerated since."""

    def __init__(self, size: int, *, is_complete: bool, is_regenerated: bool) -> None:
        self.api = PlaybackApi()
        former = ['"other"', 'W/"other"']
        if is_regenerated:
            self._generate(b"former" * 20, is_complete=True)
            former += [tag.removeprefix("W/") for tag in self.tags] + self.tags
        self.data = bytes(offset % 251 for offset in range(size))
        self._generate(self.data, is_complete=is_complete)
        self.model = Model(self.data, is_complete, self.tags[-1], self.tags[0])
        opposites = [tag.removeprefix("W/") if tag.startswith("W/") else f"W/{tag}" for tag in self.tags]
        self.known_tags = [*self.tags, *opposites, *former]

    def _generate(self, data: bytes, *, is_complete: bool) -> None:
        """Announce audio and let it grow, and keep the tags that are sent for it."""
        self.api.audio["s"] = b""
        self.api.server.announce("s", state=StreamState.GENERATING)
        self.tags = [self.api.request("HEAD").headers["ETag"]]
        self.api.audio["s"] = data
        if is_complete:
            self.api.server.announce("s")
            self.tags.append(self.api.request("HEAD").headers["ETag"])

    def request(self, method: str, headers: Mapping[str, str]) -> tuple[int, str | None, bytes, TestResponse]:
        response = self.api.request(method, **headers)
        data = response.data if response.status_code in {200, 206} else b""
        response.close()
        return response.status_code, response.headers.get("Content-Range"), data, response


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A body that has no more audio for now ends at once: the test's connection counts as closed."""
    monkeypatch.setattr(body, "POLL_SECONDS", 0.0)


@st.composite
def ranges(draw: st.DrawFn) -> str:
    """Return a `Range` header: valid, invalid, for one range or several, in bytes or in other units."""
    number = st.integers(0, 120) | st.integers(69_900, 70_100) | st.just(10**30)
    first, last = draw(number), draw(number)
    forms = [f"bytes={first}-{last}", f"bytes={first}-", f"bytes=-{last}", "bytes=0-", "bytes=0-1"]
    other = [f"bytes={first}-{last},{first}-", f"items={first}-{last}", "bytes=", "bytes=-", "bytes=a-b", f"{first}"]
    return draw(st.sampled_from(forms * 3 + other))


@given(st.data())
def test_every_request_is_answered_as_the_rfc_says(data: st.DataObject) -> None:
    """Status, range and bytes, for complete, growing and regenerated audio; and nothing stays open."""
    stream = Stream(
        data.draw(st.sampled_from(SIZES)),
        is_complete=data.draw(st.booleans()),
        is_regenerated=data.draw(st.booleans()),
    )
    one_tag = st.sampled_from(stream.known_tags)
    tags = st.just("*") | one_tag | st.lists(one_tag, min_size=1, max_size=3).map(", ".join)
    optional = {"If_Match": tags, "If_None_Match": tags, "If_Range": one_tag | st.just(DATE), "Range": ranges()}
    optional |= {"If_Modified_Since": st.just(DATE), "If_Unmodified_Since": st.just(DATE)}
    headers = data.draw(st.fixed_dictionaries({}, optional=optional))
    method = data.draw(st.sampled_from(["GET", "HEAD"]))
    *found, response = stream.request(method, headers)
    expected = stream.model.answer(method, {name.replace("_", "-"): value for name, value in headers.items()})
    assert tuple(found) == expected
    stream.api.assert_nothing_is_held()
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    status = response.status_code
    is_kept = stream.model.is_complete and status < 400
    assert response.headers["Cache-Control"] == ("no-cache" if is_kept else "no-store")
    if status != 412:
        assert response.headers["ETag"] == stream.model.tag
    if status in {200, 206}:
        length = response.headers.get("Content-Length")
        known = status == 206 or stream.model.is_complete
        if method == "GET":
            assert length == (str(len(expected[2])) if known else None)
        else:
            assert length == (str(len(stream.data)) if known else None)


@given(st.lists(st.integers(0, 69_999), min_size=1, max_size=6, unique=True), st.booleans())
def test_a_download_that_is_resumed_is_exact(cuts: list[int], is_ended_meanwhile: bool) -> None:
    """With the tag of the growing audio in `If-Range`, also after the audio is complete."""
    stream = Stream(70_000, is_complete=False, is_regenerated=False)
    received = b""
    for cut in sorted(cuts):
        headers = {"Range": f"bytes={len(received)}-{cut}", "If_Range": stream.tags[0]}
        status, _, data, _ = stream.request("GET", headers)
        assert status == 206
        received += data
    if is_ended_meanwhile:
        stream.api.server.announce("s")
    if len(received) < len(stream.data):
        status, _, data, _ = stream.request("GET", {"Range": f"bytes={len(received)}-", "If_Range": stream.tags[0]})
        assert status == 206
        received += data
    assert received == stream.data


@pytest.mark.parametrize(
    ("header", "size", "offsets"),
    [
        ("bytes=0-1", 100, range(2)),
        ("BYTES=0-1", 100, range(2)),
        ("bytes= 0-1 ", 100, range(2)),
        ("bytes=-500", 100, range(100)),
        ("bytes=99-", 100, range(99, 100)),
        ("bytes=100-", 100, None),
        ("bytes=-0", 100, None),
        ("bytes=5-2", 100, None),
        ("bytes=0-", 0, None),
        ("bytes=0-" + "9" * 900, 100, range(100)),
    ],
)
def test_ranges(header: str, size: int, offsets: range | None) -> None:
    """Bytes that are not there are left out; without any the range cannot be satisfied."""
    found = parse_range(header)
    assert found is not None
    assert found.within(size) == offsets


@pytest.mark.parametrize(
    "header",
    ["", "bytes", "bytes=", "bytes=-", "items=0-5", "bytes=0-1,3-4", "bytes=\u0663-", "bytes=0 -1"],
)
def test_headers_that_are_ignored(header: str) -> None:
    """Other units, what is invalid, and several ranges."""
    assert parse_range(header) is None
