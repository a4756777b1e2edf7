"""The OpenAPI 3.1 document of a route table."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final

from gateway.table import OPEN, Answer, Parameter, Route, Schema
from httpserver.problems import MEDIA_TYPE

_PART: Final = re.compile(r"<(?:(\w+):)?(\w+)>")
EVERY_ROUTE: Final = (400, 403, 421, 500)  # before or instead of its own answers
WITH_BODY: Final = (408, 413, 429)
TOKEN: Final = (401,)


def document(
    routes: Sequence[Route], schemas: Mapping[str, Schema], title: str, version: str, *, has_token: bool
) -> dict[str, Any]:
    """The document of these routes."""
    paths: dict[str, Any] = {}
    for route in routes:
        path = _PART.sub(r"{\2}", route.path)
        paths.setdefault(path, {})[route.method.lower()] = _operation(route, has_token and path not in OPEN)
    security = {"securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}} if has_token else {}
    return {
        "openapi": "3.1.0",
        "info": {"title": title, "version": version, "license": {"name": "Apache-2.0"}},
        "servers": [{"url": "."}],
        "tags": [{"name": tag} for tag in dict.fromkeys(route.tag for route in routes)],
        "paths": paths,
        "components": {"schemas": dict(schemas), **security},
    }


def _operation(route: Route, needs_token: bool) -> dict[str, Any]:
    parts = [_path_part(name) for _, name in _PART.findall(route.path)]
    operation: dict[str, Any] = {
        "operationId": f"{route.view.__name__}_{route.method.lower()}",
        "tags": [route.tag],
        "summary": route.summary,
        **({"description": route.description} if route.description else {}),
        "parameters": [*parts, *map(_parameter, route.parameters)],
        "responses": {
            **{str(status): _response(answer) for status, answer in route.answers.items()},
            **{str(status): _problem(status) for status in _problems(route, needs_token)},
        },
    }
    if needs_token:
        operation["security"] = [{"token": []}]
    if route.body:
        content = {media_type: {"schema": schema} for media_type, schema in route.body.items()}
        operation["requestBody"] = {"required": route.needs_body, "content": content}
    return operation


def _problems(route: Route, needs_token: bool) -> Iterable[int]:
    statuses = {*EVERY_ROUTE, *route.problems, *(WITH_BODY if route.body else ())}
    return sorted((statuses | set(TOKEN if needs_token else ())) - set(route.answers))


def _path_part(name: str) -> dict[str, Any]:
    schema = {"type": "string", "minLength": 1}
    return {"name": name, "in": "path", "required": True, "schema": schema}


def _parameter(row: Parameter) -> dict[str, Any]:
    return {"name": row.name, "in": row.where, "description": row.description, "schema": row.schema}


def _response(answer: Answer) -> dict[str, Any]:
    found: dict[str, Any] = {"description": answer.description}
    if answer.media_type:
        found["content"] = {answer.media_type: {"schema": answer.schema} if answer.schema else {}}
    if answer.headers:
        found["headers"] = {name: {"schema": {"type": "string"}} for name in answer.headers}
    return found


def _problem(status: int) -> dict[str, Any]:
    return {
        "description": HTTPStatus(status).phrase,
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
