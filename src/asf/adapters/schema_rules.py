"""The domain's rules as validators of marshmallow."""

from collections.abc import Callable

from marshmallow import ValidationError


def obeys(problem_of: Callable[[str], str | None]) -> Callable[[str], None]:
    """Return a validator for a rule of the domain, which returns what is wrong with a value, or None."""

    def validate(value: str) -> None:
        if problem := problem_of(value):
            raise ValidationError(problem)

    return validate
