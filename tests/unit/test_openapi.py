"""The OpenAPI document says of everything what it is, with an example, and nothing twice."""

import json
import re
from typing import Any

import pytest

from asf.adapters.http_api import openapi_document
from tests.support.documents import problems_of, properties, resolved

DOCUMENT = openapi_document("1.2.3")

OPERATIONS = [
    (f"{method} {path}", operation)
    for paths in (DOCUMENT["paths"], DOCUMENT["webhooks"])
    for path, operations in paths.items()
    for method, operation in operations.items()
]
IDS = [name for name, _ in OPERATIONS]

ERRORS_OF_ALL_ROUTES = {"400", "404", "405", "408", "413", "500"}


def responses(operation: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Return the error responses of an operation, resolved, with their statuses."""
    return [(status, resolved(DOCUMENT, one)) for status, one in operation["responses"].items() if status >= "4"]


def test_every_field_has_a_description_and_a_valid_example() -> None:
    """In requests, responses and webhooks."""
    found = {path: problems_of(DOCUMENT, schema) for path, schema in properties(DOCUMENT)}
    assert len(found) > 100
    assert {path: problems for path, problems in found.items() if problems} == {}


@pytest.mark.parametrize(("name", "operation"), OPERATIONS, ids=IDS)
def test_every_parameter_has_a_description_and_a_valid_example(name: str, operation: dict[str, Any]) -> None:
    """In paths, queries and headers."""
    for parameter in operation.get("parameters", []):
        described = {**parameter["schema"], "description": parameter["description"]}
        assert problems_of(DOCUMENT, described) == [], (name, parameter["name"])


@pytest.mark.parametrize(("name", "operation"), OPERATIONS, ids=IDS)
def test_every_operation_has_an_id_one_tag_and_a_summary(name: str, operation: dict[str, Any]) -> None:
    """The tag is described, and the id is one that generators of clients can use as it is."""
    assert re.fullmatch(r"[a-z]+([A-Z][a-z]+)+", operation["operationId"]), name
    (tag,) = operation["tags"]
    assert tag in {one["name"] for one in DOCUMENT["tags"]}
    assert operation["summary"].endswith(".")


def test_operation_ids_are_unique_and_all_tags_are_used() -> None:
    """Each id names one operation, in all later versions, too."""
    ids = [operation["operationId"] for _, operation in OPERATIONS]
    assert len(ids) == len(set(ids))
    assert {"notifyNewAudio", "sendUiUpdate", "uploadAudio", "getAudio", "onStreamEnded"} <= set(ids)
    tags = {tag["name"]: tag["description"] for tag in DOCUMENT["tags"]}
    assert set(tags) == {tag for _, operation in OPERATIONS for tag in operation["tags"]}
    assert all(tags.values())


def test_each_error_response_stands_once() -> None:
    """What several operations share is under components, and is what they refer to."""
    own = [
        json.dumps(response, sort_keys=True)
        for _, operation in OPERATIONS
        for status, response in operation["responses"].items()
        if status >= "4" and "$ref" not in response
    ]
    shared = [json.dumps(one, sort_keys=True) for one in DOCUMENT["components"]["responses"].values()]
    texts = [text for text in own if "ASF_" in text] + shared
    assert len(texts) == len(set(texts))
    unauthorized = {"$ref": "#/components/responses/Unauthorized"}
    assert all(
        operation["responses"]["401"] == unauthorized
        for name, operation in OPERATIONS
        if name.split()[1].startswith("/asf/internal/")
    )


@pytest.mark.parametrize(("name", "operation"), OPERATIONS[: -len(DOCUMENT["webhooks"])])
def test_errors_have_examples(name: str, operation: dict[str, Any]) -> None:
    """One for each code that the description lists, and each fits the schema of errors."""
    assert set(operation["responses"]) >= ERRORS_OF_ALL_ROUTES, name
    for status, response in responses(operation):
        content = response["content"]["application/json"]
        examples = {code: resolved(DOCUMENT, one) for code, one in content["examples"].items()}
        assert set(re.findall(r"^- `(ASF_\w+)`", response["description"], re.MULTILINE)) == set(examples)
        for code, example in examples.items():
            assert example["value"]["error_code"] == code, (name, status)
            assert (
                problems_of(DOCUMENT, content["schema"] | {"description": ".", "examples": [example["value"]]}) == []
            )


@pytest.mark.parametrize(("name", "operation"), OPERATIONS, ids=IDS)
def test_security_is_that_of_the_route(name: str, operation: dict[str, Any]) -> None:
    """The internal API takes its token, listeners take theirs, and the rest needs none."""
    path = name.split()[1]
    schemes = [scheme for one in operation.get("security", []) for scheme in one]
    if path.startswith("/asf/internal/") or path == "/asf/ready":
        assert schemes == ["internalToken"]
    elif path.startswith("/api/v1/podcasts/"):
        assert schemes == ["token", "tokenInQuery"]
    else:
        assert schemes == []
    assert set(schemes) <= set(DOCUMENT["components"]["securitySchemes"])
