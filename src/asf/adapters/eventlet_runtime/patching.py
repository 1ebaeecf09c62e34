"""Makes the standard library cooperative."""

import warnings


def patch_standard_library() -> None:
    """Replace the standard library's blocking calls by cooperative ones, for the whole process.

    To be called once, first of all. eventlet warns at import that it takes bug fixes only; that is known, and the
    reason why nothing outside this package imports it.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"\s*Eventlet is deprecated")
        import eventlet  # noqa: PLC0415 - importing it is the side effect that is wanted here
    eventlet.monkey_patch()
