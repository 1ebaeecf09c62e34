"""Byte ranges (RFC 9110, section 14)."""

import re
from dataclasses import dataclass

_ONE_RANGE = re.compile(r"bytes=[ \t]*(?:([0-9]{1,1000})-([0-9]{0,1000})|-([0-9]{1,1000}))[ \t]*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ByteRange:
    """One range as it was requested: from byte `first` to byte `last`, or to the end if that is None.

    If `first` is None: the last `last` bytes.
    """

    first: int | None
    last: int | None

    @property
    def is_everything(self) -> bool:
        """Whether it asks for all bytes, however many there are."""
        return self.first == 0 and self.last is None

    def within(self, size: int) -> range | None:
        """Return the offsets of its bytes in `size` bytes; None if there are none (it cannot be satisfied)."""
        if self.first is None:
            found = range(max(0, size - (self.last or 0)), size)
        else:
            found = range(self.first, size if self.last is None else min(self.last + 1, size))
        return found or None


def parse_range(header: str) -> ByteRange | None:
    """Return the range that a `Range` header asks for, or None if the header is to be ignored.

    That is the case for other units, malformed headers (section 14.2), and several ranges, which the complete audio
    answers as well. One that ends before it begins is a range without bytes, and cannot be satisfied.
    """
    match = _ONE_RANGE.fullmatch(header.strip())
    if match is None:
        return None
    first, last, suffix = match.groups()
    if suffix is not None:
        return ByteRange(None, int(suffix))
    return ByteRange(int(first), int(last) if last else None)
