"""The description of the HTTP side is true: no request whatever gets an answer that it does not know."""

import re
from contextlib import closing
from http import HTTPStatus
from typing import Any

import requests
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.specs.openapi.checks import allow_header_conformance, positive_data_acceptance

from asf import __version__
from asf.adapters.http_api import openapi_document
from asf.entrypoints.container import Container
from asf.settings import read_settings
from tests.support.bounds import PATIENCE_SECONDS
from tests.support.processes import ServerProcess
from tests.support.secret_values import SECRET_KEY

DOCUMENT = openapi_document(__version__)
PRODUCTION = {"ASF_DATABASE": ":memory:", "ASF_DEBUG_MODE": "False", "ASF_SECRET_KEY": SECRET_KEY}
schema = schemathesis.openapi.from_dict(DOCUMENT)


@schemathesis.serializer("audio/*")
def audio_body(_context: Any, value: Any) -> bytes:
    """Send generated audio as it is."""
    return bytes(getattr(value, "data", value))


@schemathesis.serializer("application/x-ndjson")
def lines_body(_context: Any, value: Any) -> bytes:
    """Send generated lines as they are."""
    return bytes(getattr(value, "data", value))


@schema.parametrize()
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
def test_every_response_is_described(case: Any, server: ServerProcess) -> None:
    """Status, media type and body of every response match the document, for valid and invalid requests."""
    # A JSON schema cannot say all that the rules for identifiers and paths do: what fits it may still get a 400.
    excluded: list[Any] = [positive_data_acceptance]
    if case.path.endswith(("/audio", "/cues")):  # The same URL is also that of a stream whose id ends so.
        excluded.append(allow_header_conformance)
    response = case.call(base_url=server.url)
    # Values that are too long may make a URL that no application sees.
    if response.status_code != HTTPStatus.REQUEST_URI_TOO_LONG:
        case.validate_response(response, excluded_checks=excluded)


def test_every_route_is_described() -> None:
    """And nothing else."""
    container = Container(settings=read_settings(PRODUCTION))
    with closing(container.storage()):
        app = container.app()
    routes = {
        (re.sub(r"<\w+:(\w+)>", r"{\1}", rule.rule), method.lower())
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"OPTIONS"}
        if method != "HEAD" or "GET" not in (rule.methods or set())
    }
    described = {(path, method) for path, operations in DOCUMENT["paths"].items() for method in operations}
    assert described == routes


def test_the_document_is_served(server: ServerProcess) -> None:
    """Unchanged."""
    assert requests.get(f"{server.url}/asf/openapi.json", timeout=PATIENCE_SECONDS).json() == DOCUMENT
