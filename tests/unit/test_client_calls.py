"""How the Python clients read responses."""

import pytest

from asf.client.calls import Reply
from asf.client.errors import ServerUnreachable


@pytest.mark.parametrize(
    ("headers", "content", "is_temporary"),
    [
        pytest.param({}, b"", True, id="cut before the length"),
        pytest.param({"Content-Length": ""}, b"", True, id="cut in the length"),
        pytest.param({"Content-Length": "0"}, b"", False, id="empty"),
        pytest.param({}, b"<html>", False, id="of another server"),
    ],
)
def test_a_response_that_was_cut_short_is_worth_another_attempt(
    headers: dict[str, str], content: bytes, is_temporary: bool
) -> None:
    """One that is complete and not of ASF is not."""
    with pytest.raises(ServerUnreachable) as caught:
        Reply("http://127.0.0.1", 200, headers, content).json()
    assert caught.value.temporary is is_temporary
