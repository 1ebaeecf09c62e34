"""Which pages of other origins may read what."""

import re
from collections.abc import Sequence

from flask import Blueprint
from flask_cors import CORS

MAX_AGE_SECONDS = 3600
"""How long a browser may remember what it was told."""


def share(blueprint: Blueprint, origins: Sequence[str], headers: Sequence[str] = ()) -> None:
    """Let pages of `origins`, which may be `["*"]`, read what the blueprint's routes answer, and these headers."""
    CORS(
        blueprint,
        # A plain text with characters such as [ would be taken for a pattern.
        origins="*" if list(origins) == ["*"] else [re.compile(rf"{re.escape(origin)}\Z") for origin in origins],
        methods=["GET", "HEAD"],
        expose_headers=list(headers),
        max_age=MAX_AGE_SECONDS,
    )
