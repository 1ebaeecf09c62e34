"""The tree of errors: codes are unique, and every error is mapped in every table."""

from collections.abc import Iterator

from asf.adapters.http_api.errors import HTTP_STATUSES
from asf.adapters.realtime_api.payloads import PayloadError
from asf.domain.errors import AsfError


def raised(error_class: type[AsfError] = AsfError) -> Iterator[type[AsfError]]:
    """Return the classes that are raised: those with their own code, and leaves."""
    below = error_class.__subclasses__()
    if not below or ("error_code" in vars(error_class) and error_class is not AsfError):
        yield error_class
    for one in below:
        yield from raised(one)


def test_codes_are_unique_and_well_formed() -> None:
    """Clients can tell all errors apart."""
    codes = [one.error_code for one in raised() if "error_code" in vars(one)]
    assert len(codes) == len(set(codes)) > 15
    assert all(code.startswith("ASF_") and code == code.upper() for code in codes)


def test_every_http_error_has_a_status() -> None:
    """Payload errors are sent as events only."""
    assert {one for one in raised() if not issubclass(one, PayloadError)} == set(HTTP_STATUSES)


def test_the_text_of_an_error_includes_its_details() -> None:
    """For logs."""
    for error_class in raised():
        assert str(error_class("What exactly.")) == f"{error_class.message} What exactly."
        assert str(error_class()) == error_class.message
