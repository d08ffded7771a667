"""The API's description for readers: a page made of the OpenAPI document, and the document itself.

`python -m carrel.app.reference` prints the page, `python -m carrel.app.reference openapi` the document.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from carrel.api.routes import ENDPOINTS as API_ENDPOINTS
from carrel.domain.scope_catalog import BUILT_IN
from carrel.http.openapi import ApiDescription
from carrel.oauth.routes import ENDPOINTS as OAUTH_ENDPOINTS

_PREFIX = "/hub/api"
Document = Mapping[str, Any]


def api_document() -> dict[str, Any]:
    """Return the OpenAPI document of a hub without settings of its own."""
    return ApiDescription(_PREFIX, (*API_ENDPOINTS, *OAUTH_ENDPOINTS), BUILT_IN).document()


def document_text() -> str:
    """Return the document as it is kept in the repository: line by line, so that a change can be read."""
    return json.dumps(api_document(), indent=1, ensure_ascii=False) + "\n"


def reference_page() -> str:
    """Return the reference page of the REST API, in Markdown."""
    document = api_document()
    parts = [
        "# REST API",
        document["info"]["description"].strip(),
        f"Everything is below `{_PREFIX}` (with the hub's `base_url` in front). A hub serves all of it as"
        f" OpenAPI 3.1 at [`{_PREFIX}/openapi.json`](openapi.json).",
        "This page is generated: `python -m carrel.app.reference > docs/reference/rest-api.md`.",
        *_endpoints(document),
        "## Errors",
        _table(("status", "meaning"), _error_rows(document)),
        "## Bodies and answers",
        "A field marked with * is always there.",
        *_schemas(document),
    ]
    return "\n\n".join(parts) + "\n"


def _endpoints(document: Document) -> Iterator[str]:
    for tag in document["tags"]:
        yield f"## {tag['name'].capitalize()}"
        for path, operations in document["paths"].items():
            for method, operation in operations.items():
                if tag["name"] in operation["tags"]:
                    yield from _operation(f"{method.upper()} {path}", operation)


def _operation(title: str, operation: Document) -> Iterator[str]:
    yield f"### `{title}`"
    yield f"**{operation['summary']}.** {operation['description']}"
    arguments = [each for each in operation["parameters"] if each["in"] == "query"]
    if arguments:
        rows = (
            (f"`{each['name']}`", _kind(each["schema"]), each.get("description", "")) for each in arguments
        )
        yield _table(("argument", "type", "meaning"), rows)
    if "requestBody" in operation:
        [(media, content)] = operation["requestBody"]["content"].items()
        form = "" if media == "application/json" else f" as `{media}`"
        yield f"Body{form}: {_kind(content['schema'])}"
        if "example" in content:
            yield f"```json\n{json.dumps(content['example'])}\n```"
    if answers := list(_answer_rows(operation)):
        yield _table(("status", "answer", "what it says"), answers)
    errors = [status for status, answer in operation["responses"].items() if "$ref" in answer]
    if errors:
        yield f"Errors: {', '.join(errors)}."


def _answer_rows(operation: Document) -> Iterator[tuple[str, ...]]:
    for status, answer in operation["responses"].items():
        if "$ref" not in answer:
            yield status, " or ".join(_contents(answer)) or "–", answer["description"]


def _contents(answer: Document) -> Iterator[str]:
    for media, content in answer.get("content", {}).items():
        schema = content["schema"]
        if media == "text/event-stream":
            schema = schema["properties"]["data"]["contentSchema"]
        yield _kind(schema) if media == "application/json" else f"`{media}` of {_kind(schema)}"


def _error_rows(document: Document) -> Iterator[tuple[str, ...]]:
    for status, answer in document["components"]["responses"].items():
        yield status, answer["description"]


def _schemas(document: Document) -> Iterator[str]:
    for name, schema in sorted(document["components"]["schemas"].items()):
        yield f"### {name}"
        if "description" in schema:
            yield schema["description"]
        always = schema.get("required", ())
        rows = [
            (f"`{field}`{'*' if field in always else ''}", _kind(each))
            for field, each in schema.get("properties", {}).items()
        ]
        yield _table(("field", "type"), rows)


def _kind(schema: Document) -> str:
    """Return a schema in a few words, with a link where it has a name."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "anyOf" in schema:
        return " or ".join(_kind(each) for each in schema["anyOf"])
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"] if value)
    if schema.get("type") == "array":
        return f"list of {_kind(schema.get('items', {}))}"
    if isinstance(schema.get("additionalProperties"), Mapping):
        return f"object of {_kind(schema['additionalProperties'])}"
    return str(schema.get("type", "anything"))


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


if __name__ == "__main__":
    sys.stdout.write(document_text() if sys.argv[1:] == ["openapi"] else reference_page())
