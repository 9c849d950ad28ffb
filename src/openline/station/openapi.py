"""The API's document, OpenAPI 3.1, made from the table of routes and the types of requests and answers."""

import json
import re
from typing import Any

import msgspec

from openline import __version__
from openline.station.answers import Failure
from openline.station.calls import BYTES, JSON, LINES, STREAM, TEXT, Call, Reply, Route

_MEDIA = frozenset({TEXT, STREAM, LINES, BYTES})
_SCHEMAS = "#/components/schemas/{name}"
_NUMBERS = frozenset({"lane", "index", "minutes_index", "minutes_lane", "number"})


def document_route(routes: tuple[Route, ...]) -> Route:
    """The operation that answers the document of all others and itself."""
    made: list[bytes] = []

    async def document(_call: Call) -> Reply | None:
        if not made:
            made.append(json.dumps(document_of((*routes, route)), ensure_ascii=False).encode())
        return Reply(data=made[0])

    route = Route(
        method="GET",
        path="/openapi.json",
        handler=document,
        summary="This document",
        answers={200: dict[str, Any]},
    )
    return route


def document_of(routes: tuple[Route, ...]) -> dict[str, Any]:
    """The document."""
    types = [Failure]
    for route in routes:
        types += [each for each in (route.body, *route.answers.values()) if _is_type(each)]
    schemas, components = msgspec.json.schema_components(types, ref_template=_SCHEMAS)
    by_type = {id(each): schema for each, schema in zip(types, schemas, strict=True)}
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault("/v1" + route.path, {})[route.method.lower()] = _operation(route, by_type)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Openline station",
            "version": __version__,
            "description": "The local API of one station, over its Unix socket. Who calls is known from the socket.",
        },
        "servers": [{"url": "http://station"}],
        "paths": paths,
        "components": {"schemas": components},
    }


def _is_type(each: Any) -> bool:
    return each is not None and each not in _MEDIA


def _operation(route: Route, by_type: dict[int, Any]) -> dict[str, Any]:
    failure = {"content": {JSON: {"schema": by_type[id(Failure)]}}}
    operation: dict[str, Any] = {
        "summary": route.summary,
        "operationId": route.handler.__module__.rpartition(".")[2] + "." + route.handler.__name__,
        "parameters": [*_path_parameters(route.path), *_query_parameters(route)],
        "responses": {
            **{str(status): _answer(each, by_type) for status, each in route.answers.items()},
            "default": {"description": "Refused: the code says why, and what to do", **failure},
        },
    }
    if route.roles:
        operation["description"] = "Roles, one of: " + ", ".join(sorted(route.roles))
    if route.body == BYTES:
        schema = {"type": "string", "format": "binary"}
        operation["requestBody"] = {"required": True, "content": {BYTES: {"schema": schema}}}
    elif route.body is not None:
        operation["requestBody"] = {"required": True, "content": {JSON: {"schema": by_type[id(route.body)]}}}
    return operation


def _answer(each: Any, by_type: dict[int, Any]) -> dict[str, Any]:
    if isinstance(each, str):
        return {"description": "Done", "content": {each: {"schema": {"type": "string"}}}}
    return {"description": "Done", "content": {JSON: {"schema": by_type[id(each)]}}}


def _path_parameters(path: str) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": {"type": "integer", "minimum": 0} if name in _NUMBERS else {"type": "string", "minLength": 1},
        }
        for name in re.findall(r"\{([a-z0-9_]+)\}", path)
    ]


def _query_parameters(route: Route) -> list[dict[str, Any]]:
    if route.query is None:
        return []
    schema = msgspec.json.schema(route.query)
    shape = next(iter(schema["$defs"].values()))
    return [
        {"name": name, "in": "query", "required": name in shape.get("required", ()), "schema": _single(each)}
        for name, each in shape["properties"].items()
    ]


def _single(schema: dict[str, Any]) -> dict[str, Any]:
    """A parameter is there or not; it cannot be null."""
    choices = [each for each in schema.get("anyOf", ()) if each != {"type": "null"}]
    single = dict(choices[0]) if len(choices) == 1 else {k: v for k, v in schema.items() if k != "default"}
    if schema.get("default") is not None:
        single["default"] = schema["default"]
    return single
