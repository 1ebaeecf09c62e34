"""What the tests of the OpenAPI and the AsyncAPI document ask of each field."""

from collections.abc import Iterator
from typing import Any

import jsonschema_rs

JsonObject = dict[str, Any]


def resolved(document: JsonObject, node: Any) -> Any:
    """Return what a node refers to, or the node itself."""
    while isinstance(node, dict) and "$ref" in node:
        target: Any = document
        for key in node["$ref"].removeprefix("#/").split("/"):
            target = target[key]
        node = target
    return node


def properties(document: JsonObject) -> Iterator[tuple[str, JsonObject]]:
    """Return each property of each schema in a document, with its path."""

    def found(path: str, node: Any) -> Iterator[tuple[str, JsonObject]]:
        if isinstance(node, dict):
            if isinstance(node.get("properties"), dict):
                for name, schema in node["properties"].items():
                    yield f"{path}/{name}", schema
            for key, inner in node.items():
                if key not in {"examples", "example"}:
                    yield from found(f"{path}/{key}", inner)
        elif isinstance(node, list):
            for index, inner in enumerate(node):
                yield from found(f"{path}/{index}", inner)

    yield from found("", document)


def problems_of(document: JsonObject, schema: JsonObject) -> list[str]:
    """Return what the description of one property or parameter lacks, or what is wrong with its examples."""
    problems = []
    if not schema.get("description", "").strip().endswith("."):
        problems.append("it has no description")
    if not schema.get("examples") and not _has_inner_schema(schema):
        problems.append("it has no example")
    validator = jsonschema_rs.validator_for({**document, "allOf": [schema]})
    problems += [
        f"{example!r} is invalid" for example in schema.get("examples", []) if not validator.is_valid(example)
    ]
    return problems


def _has_inner_schema(schema: JsonObject) -> bool:
    """Return whether a property consists of another schema, or a list of them, which has its own examples."""
    inner = [*schema.get("allOf", []), *schema.get("anyOf", []), schema, schema.get("items", {})]
    return any("$ref" in one for one in inner)
