"""Makes the standard library cooperative."""

import warnings


def patch_standard_library() -> None:
    """Replace the standard library's blocking calls by cooperative ones, for the whole process.

    Call it once, before anything else is imported. eventlet warns at import that it only receives bug fixes; that is
    known, and the reason why nothing outside this package imports it.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"\s*Eventlet is deprecated")
        import eventlet  # noqa: PLC0415 - the import warns, and must come first
    eventlet.monkey_patch()
