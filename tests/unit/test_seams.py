"""The undocumented parts of libraries that ASF uses exist, and the tests that guard them too (docs/decisions.md)."""

import importlib
import inspect
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from socketio.packet import EVENT, Packet

from asf.adapters.realtime_api.socketio_packets import binary_event_packet, compact_json, event_packet

ROOT = Path(__file__).parents[2]
ROW = re.compile(r"^\| (?P<seams>`[^|]*`) \| [^|]* \| [^|]* \| (?P<tests>`[^|]*`) \|$", re.MULTILINE)


def rows() -> list[re.Match[str]]:
    """Return the rows of the table."""
    _, _, section = (ROOT / "docs/decisions.md").read_text().partition("\n## Seams")
    return list(ROW.finditer(section.partition("\n## ")[0]))


def names_in(cell: str) -> list[str]:
    """Return what stands in backticks."""
    return re.findall(r"`([^`]+)`", cell)


SEAMS = [seam for row in rows() for seam in names_in(row["seams"])]


def resolve(path: str) -> Any:
    """Return the module, or the attribute of one, with a dotted path."""
    parts = path.split(".")
    for length in range(len(parts), 0, -1):
        try:
            found = importlib.import_module(".".join(parts[:length]))
        except ImportError:
            continue
        for part in parts[length:]:
            found = getattr(found, part)
        return found
    raise ModuleNotFoundError(path)


def sources_of(kind: type) -> Iterator[str]:
    """Yield the source text of a class and of those that it inherits from."""
    for one in kind.__mro__[:-1]:
        yield inspect.getsource(one)


@pytest.mark.parametrize("seam", SEAMS)
def test_the_seam_exists(seam: str) -> None:
    """As an attribute, or as one that the class gives its instances; with the parameters that are named."""
    path, _, parameters = seam.rstrip(")").partition("(")
    owner_path, _, name = path.rpartition(".")
    owner = resolve(owner_path)
    if not hasattr(owner, name):
        assert any(re.search(rf"\bself\.{name}\b", text) for text in sources_of(owner))
    elif parameters:
        assert set(parameters.split(", ")) <= set(inspect.signature(getattr(owner, name)).parameters)


def test_every_seam_is_guarded_by_tests_that_exist() -> None:
    """All libraries with seams are in the table."""
    libraries = {seam.partition(".")[0] for seam in SEAMS}
    assert libraries >= {
        "apispec",
        "engineio",
        "eventlet",
        "flask_socketio",
        "redis",
        "socketio",
        "werkzeug",
        "wsproto",
    }
    for row in rows():
        for test in names_in(row["tests"]):
            assert (ROOT / test).is_file(), test


@pytest.mark.parametrize("payload", [None, 5, "ä", [1, 2], {"a": {"b": None}}])
def test_events_are_encoded_as_by_the_library(payload: Any) -> None:
    """Its own encoding is what clients of the library expect."""
    expected = Packet(EVENT, ["name", payload], namespace="/n").encode()
    assert event_packet("/n", "name", compact_json(payload)) == expected
    assert json.loads(expected.removeprefix("2/n,")) == ["name", payload]


def test_binary_events_are_encoded_as_by_the_library() -> None:
    """One attachment, as the only argument."""
    expected, attachment = Packet(EVENT, ["name", b"data"], namespace="/n").encode()
    assert binary_event_packet("/n", "name") == expected
    assert attachment == b"data"
