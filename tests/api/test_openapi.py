"""The API's description is whole, right, and the one that is kept in the repository."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from carrel.api.routes import ENDPOINTS as API_ENDPOINTS
from carrel.app.reference import api_document, document_text, reference_page
from carrel.http.endpoint import Endpoint
from carrel.oauth.routes import ENDPOINTS as OAUTH_ENDPOINTS
from tests.api.conftest import Clients
from tests.api.rig import API
from tests.compat.jupyterhub_endpoints import JUPYTERHUB
from tests.rigs.places import ROOT

ENDPOINTS = (*API_ENDPOINTS, *OAUTH_ENDPOINTS)
REFERENCE = ROOT / "docs" / "reference"
DOCUMENT = api_document()
OPERATIONS = {
    (method, path): operation
    for path, operations in DOCUMENT["paths"].items()
    for method, operation in operations.items()
}


def _shape(path: str) -> str:
    return re.sub(r"\{\w+\}", "{}", path)


def _pairs(table: dict[str, str]) -> set[tuple[str, str]]:
    return {(method, _shape(path)) for path, methods in table.items() for method in methods.split()}


def test_the_stored_document_is_current() -> None:
    advice = (
        "run `python -m carrel.app.reference openapi > docs/reference/openapi.json` and look at the change"
    )
    assert (REFERENCE / "openapi.json").read_text(encoding="utf-8") == document_text(), advice


def test_the_reference_page_is_current() -> None:
    advice = "run `python -m carrel.app.reference > docs/reference/rest-api.md`"
    assert (REFERENCE / "rest-api.md").read_text(encoding="utf-8") == reference_page(), advice


def test_what_jupyterhub_has_is_there() -> None:
    present = {(method.upper(), _shape(path)) for method, path in OPERATIONS}
    assert _pairs(JUPYTERHUB) - present == set()


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda endpoint: endpoint.handler.__qualname__)
def test_every_endpoint_says_what_it_does(endpoint: Endpoint) -> None:
    assert endpoint.summary
    assert endpoint.handler.__doc__


@pytest.mark.parametrize(("method", "path"), OPERATIONS, ids=str)
def test_every_operation_says_what_can_come(method: str, path: str) -> None:
    operation = OPERATIONS[method, path]
    good = [status for status in operation["responses"] if status < "400"]
    assert good or operation["summary"] == "Gone"
    body = operation.get("requestBody", {}).get("content", {}).get("application/json")
    if body is not None and operation["operationId"] != "stop_server":
        assert "example" in body


def test_names_are_unique() -> None:
    names = [operation["operationId"] for operation in OPERATIONS.values()]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    "endpoint",
    [each for each in ENDPOINTS if each.example is not None],
    ids=lambda endpoint: endpoint.handler.__name__,
)
def test_examples_are_bodies(endpoint: Endpoint) -> None:
    kind = endpoint.body or endpoint.handler.__annotations__["data"]
    if isinstance(kind, str):
        kind = eval(kind, endpoint.handler.__globals__)
    msgspec.convert(endpoint.example, kind)


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        yield from (each for key, each in value.items() if key == "$ref")
        for each in value.values():
            yield from _references(each)
    elif isinstance(value, list):
        for each in value:
            yield from _references(each)


def test_every_reference_leads_somewhere() -> None:
    for reference in _references(DOCUMENT):
        found: Any = DOCUMENT
        for key in reference.removeprefix("#/").split("/"):
            found = found[key]
        assert found


def test_scopes_are_those_of_the_catalog() -> None:
    known = DOCUMENT["components"]["securitySchemes"]["oauth2"]["flows"]["authorizationCode"]["scopes"]
    named = {scope for each in OPERATIONS.values() for scope in each.get("x-scopes-any-of", ())}
    assert named
    assert named <= known.keys()


async def test_the_hub_serves_it_to_everybody(clients: Clients) -> None:
    reply = await clients["nobody"].get(f"{API}/openapi.json")
    assert reply.status_code == 200
    assert reply.headers["content-type"] == "application/json"
    assert reply.json() == json.loads(document_text())
