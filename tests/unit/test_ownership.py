"""Each piece of state in the streaming room has one owner: no object assigns the attributes of another."""

import ast
from collections.abc import Iterator
from pathlib import Path

import asf.domain.streaming

ROOM = Path(asf.domain.streaming.__file__).parent
HOOKS = {"source.on_arrival"}
"""Attributes that the docstring of a port leaves to the other side to set."""


def assigned_elsewhere(source: str) -> Iterator[str]:
    """Return the attributes that are assigned to, other than those of `self`."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            owner = node.value
            if not (isinstance(owner, ast.Name) and owner.id == "self"):
                yield ast.unparse(node)


def test_only_the_owner_changes_its_state() -> None:
    """By its methods, which others call."""
    found = {(path.name, name) for path in ROOM.glob("*.py") for name in assigned_elsewhere(path.read_text())}
    assert {(file, name) for file, name in found if name not in HOOKS} == set()


def test_an_assignment_from_outside_is_found() -> None:
    """In whatever form."""
    source = "session.offset = 1\nsession.sent += 1\na, session.slot = 1, 2\nself.mine = 3\n"
    assert list(assigned_elsewhere(source)) == ["session.offset", "session.sent", "session.slot"]
