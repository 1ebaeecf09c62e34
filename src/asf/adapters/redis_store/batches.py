"""Splits long lists, so that no single command keeps Redis busy for long."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

Item = TypeVar("Item")


def batches(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Yield the items in order, in lists of `size` at most."""
    rest = iter(items)
    while batch := list(islice(rest, size)):
        yield batch
