"""Cross-origin access (CORS)."""

import re
from collections.abc import Sequence

from flask import Blueprint
from flask_cors import CORS

MAX_AGE_SECONDS = 3600
"""How long browsers may cache a preflight response."""


def share(blueprint: Blueprint, origins: Sequence[str], headers: Sequence[str] = ()) -> None:
    """Allow pages of `origins` (`["*"]` for all) to read the blueprint's responses, including `headers`."""
    CORS(
        blueprint,
        # Flask-Cors takes a string with characters such as [ for a pattern.
        origins="*" if list(origins) == ["*"] else [re.compile(rf"{re.escape(origin)}\Z") for origin in origins],
        methods=["GET", "HEAD"],
        expose_headers=list(headers),
        max_age=MAX_AGE_SECONDS,
    )
