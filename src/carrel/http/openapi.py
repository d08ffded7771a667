"""The REST API's description in OpenAPI 3.1, made from the endpoints themselves: nothing is said twice.

Operations come from `Endpoint` and the handler's signature, schemas from the types of bodies and answers,
texts from docstrings, scopes from the catalog.
"""

from __future__ import annotations

import inspect
import re
import types
import typing
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

import msgspec
from starlette.responses import Response

from carrel import JUPYTERHUB_VERSION
from carrel.domain.scope_catalog import Catalog
from carrel.http.endpoint import Answer, Argument, Endpoint
from carrel.http.openapi_common import ABOUT, ERRORS, REFERENCE, Error, error_response, security_schemes

_PLACEHOLDER = re.compile(r"\{(\w+)(?::\w+)?\}")
_NOT_ARGUMENTS = frozenset({"hub", "pages", "request", "caller", "visitor", "data", "return"})
_OF_SURROUNDINGS = {"caller", "visitor"}


@dataclass(frozen=True, slots=True)
class _Operation:
    """One method of one path."""

    method: str
    path: str
    name: str
    endpoint: Endpoint


class ApiDescription:
    """Describes endpoints that stand below one prefix; the text is made when it is first asked for."""

    def __init__(self, prefix: str, endpoints: Sequence[Endpoint], catalog: Catalog) -> None:
        self._prefix = prefix
        self._endpoints = endpoints
        self._catalog = catalog
        self._json: bytes | None = None

    def json(self) -> bytes:
        """Return the document as JSON."""
        if self._json is None:
            self._json = msgspec.json.encode(self.document())
        return self._json

    def document(self) -> dict[str, Any]:
        """Return the document."""
        operations = list(_operations(self._endpoints))
        schemas = _Schemas(each.endpoint for each in operations)
        paths: dict[str, dict[str, Any]] = {}
        for each in operations:
            paths.setdefault(each.path, {})[each.method] = self._describe(each, schemas)
        return {
            "openapi": "3.1.0",
            "info": {"title": "Carrel's REST API", "version": JUPYTERHUB_VERSION, "description": ABOUT},
            "servers": [{"url": self._prefix}],
            "tags": [{"name": name} for name in sorted({_tag(each.endpoint) for each in operations})],
            "paths": paths,
            "components": {
                "schemas": schemas.components,
                "responses": {str(status): error_response(status) for status in ERRORS},
                "securitySchemes": security_schemes(self._prefix, self._catalog),
            },
        }

    def _describe(self, operation: _Operation, schemas: _Schemas) -> dict[str, Any]:
        endpoint = operation.endpoint
        described: dict[str, Any] = {
            "operationId": operation.name,
            "tags": [_tag(endpoint)],
            "summary": endpoint.summary,
            "description": _description(endpoint),
            "parameters": [*_in_path(operation.path), *_in_query(endpoint, schemas)],
            "responses": _responses(endpoint, operation, schemas),
            "security": _security(endpoint),
        }
        if endpoint.scopes:
            described["x-scopes-any-of"] = list(endpoint.scopes)
        if (body := _body_type(endpoint)) is not None:
            described["requestBody"] = _request_body(endpoint, body, schemas)
        return described


class _Schemas:
    """The schemas of all types that come in or go out, those with names under `components`."""

    def __init__(self, endpoints: Iterable[Endpoint]) -> None:
        types: dict[str, Any] = {"": Error}
        for endpoint in endpoints:
            for kind in _types_of(endpoint):
                types[str(kind)] = kind
        found, self.components = msgspec.json.schema_components(types.values(), ref_template=REFERENCE)
        self._schemas = dict(zip(types, found, strict=True))

    def of(self, kind: Any) -> dict[str, Any]:
        """Return the schema of a type, most often a reference."""
        return self._schemas[str(kind)]


def _types_of(endpoint: Endpoint) -> Iterator[Any]:
    if (body := _body_type(endpoint)) is not None:
        yield body
    for argument in _arguments(endpoint):
        yield argument.kind
    for answer in _answers(endpoint).values():
        yield from answer.models


def _operations(endpoints: Iterable[Endpoint]) -> Iterator[_Operation]:
    for endpoint in endpoints:
        seen = 0
        for path in endpoint.paths:
            for method in endpoint.methods if path else ():
                seen += 1
                name = endpoint.handler.__name__ + (f"_{seen}" if seen > 1 else "")
                yield _Operation(method.lower(), _PLACEHOLDER.sub(r"{\1}", path), name, endpoint)


def _hints(endpoint: Endpoint) -> dict[str, Any]:
    return typing.get_type_hints(endpoint.handler, include_extras=True)


def _tag(endpoint: Endpoint) -> str:
    *_, face, noun = endpoint.handler.__module__.split(".")
    return noun if face == "api" else face


def _description(endpoint: Endpoint) -> str:
    text = inspect.cleandoc(endpoint.handler.__doc__ or "")
    if endpoint.scopes:
        text += f"\n\nTakes any of the scopes {', '.join(f'`{scope}`' for scope in endpoint.scopes)}."
    return text


def _in_path(path: str) -> Iterator[dict[str, Any]]:
    for name in _PLACEHOLDER.findall(path):
        yield {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}


def _arguments(endpoint: Endpoint) -> Iterator[Argument]:
    """Return the arguments of the query: the declared ones and the handler's own parameters."""
    yield from endpoint.query
    hints, in_path = (
        _hints(endpoint),
        {name for path in endpoint.paths for name in _PLACEHOLDER.findall(path)},
    )
    for name in inspect.signature(endpoint.handler).parameters:
        if name not in _NOT_ARGUMENTS and name not in in_path:
            yield Argument(name, "", hints.get(name, str))


def _in_query(endpoint: Endpoint, schemas: _Schemas) -> Iterator[dict[str, Any]]:
    parameters = inspect.signature(endpoint.handler).parameters
    for argument in _arguments(endpoint):
        schema = dict(schemas.of(argument.kind))
        own = parameters.get(argument.name)
        required = own is not None and own.default is inspect.Parameter.empty
        if own is not None and own.default not in (inspect.Parameter.empty, None):
            schema["default"] = own.default
        text = argument.text or schema.pop("description", "")
        described = {"name": argument.name, "in": "query", "required": required, "schema": schema}
        yield described | ({"description": text} if text else {})


def _body_type(endpoint: Endpoint) -> Any:
    return endpoint.body if endpoint.body is not None else _hints(endpoint).get("data")


def _request_body(endpoint: Endpoint, kind: Any, schemas: _Schemas) -> dict[str, Any]:
    own = inspect.signature(endpoint.handler).parameters.get("data")
    content: dict[str, Any] = {"schema": schemas.of(kind)}
    if endpoint.example is not None:
        content["example"] = endpoint.example
    required = own is not None and own.default is inspect.Parameter.empty
    return {"required": required, "content": {endpoint.takes: content}}


def _answers(endpoint: Endpoint) -> dict[int, Answer]:
    """Return what comes when all goes well, by status."""
    kind = _hints(endpoint).get("return")
    # An answer that the handler makes itself says nothing about what is in it.
    if kind is NoReturn or (isinstance(kind, type) and issubclass(kind, Response)):
        return dict(endpoint.responses)
    empty = kind is None or kind is type(None)
    by_itself = Answer("Done; the answer is empty.") if empty else Answer("Done.", _alternatives(kind))
    return {endpoint.status: by_itself, **endpoint.responses}


def _alternatives(kind: Any) -> Any:
    """Return the members of a union: msgspec describes no union of untagged Structs."""
    return typing.get_args(kind) if isinstance(kind, types.UnionType) else kind


def _responses(endpoint: Endpoint, operation: _Operation, schemas: _Schemas) -> dict[str, Any]:
    described: dict[str, Any] = {}
    for status, answer in sorted(_answers(endpoint).items()):
        described[str(status)] = {"description": answer.text, **_content(answer, schemas)}
    for status in sorted({*_usual_errors(endpoint, operation), *endpoint.errors}):
        described.setdefault(str(status), {"$ref": f"#/components/responses/{status}"})
    return described


def _content(answer: Answer, schemas: _Schemas) -> dict[str, Any]:
    if not answer.models:
        return {}
    found = [schemas.of(model) for model in answer.models]
    schema = found[0] if len(found) == 1 else {"anyOf": found}
    if answer.media_type == "text/event-stream":
        schema = _event(schema)
    return {"content": {answer.media_type: {"schema": schema}}}


def _event(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of each event of a stream, as OpenAPI 3.2 and programs for 3.1 have it."""
    data = {"type": "string", "contentMediaType": "application/json", "contentSchema": schema}
    return {
        "type": "object",
        "description": "Each event.",
        "properties": {"data": data},
        "required": ["data"],
    }


def _usual_errors(endpoint: Endpoint, operation: _Operation) -> set[int]:
    """Return the statuses that come with what an endpoint takes."""
    parameters = inspect.signature(endpoint.handler).parameters
    found: set[int] = set()
    if _OF_SURROUNDINGS & parameters.keys():
        found |= {403}
    if "hub" in parameters:
        found |= {503}
    if "{" in operation.path:
        found |= {404}
    if any(True for _ in _arguments(endpoint)):
        found |= {400}
    if _body_type(endpoint) is not None:
        found |= {400, 413, 415}
    return found


def _security(endpoint: Endpoint) -> list[dict[str, list[str]]]:
    """Return the ways to prove who is asking, each enough; an empty one means that nobody has to."""
    parameters = inspect.signature(endpoint.handler).parameters
    if not _OF_SURROUNDINGS & parameters.keys():
        return []
    by_oauth = [{"oauth2": [scope]} for scope in endpoint.scopes] or [{"oauth2": []}]
    nobody: list[dict[str, list[str]]] = [{}] if "visitor" in parameters else []
    return [{"token": []}, {"bearer": []}, {"cookie": [], "xsrf": []}, *by_oauth, *nobody]
