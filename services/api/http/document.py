"""The OpenAPI document as client generators take it (decision 36).

Each of them reads its own part of JSON Schema. So every schema has one name, which is its title; a parameter is never null;
a choice between two lists of words is one list; a number that may need 64 bits says so; null is nobody's default.
"""

from collections.abc import Iterator
from math import inf
from typing import Any, Final

SCHEMAS: Final = "x-schemas"
"""In an operation: schemas of its body, to be moved to the components."""

_Schema = dict[str, Any]

_BY_NAME: Final = ("properties", "patternProperties", "dependentSchemas")
_LISTED: Final = ("anyOf", "oneOf", "allOf", "prefixItems")
_SINGLE: Final = ("items", "additionalProperties", "propertyNames")

_LARGEST_32: Final = 2**31 - 1

_FORMAT: Final = "format"
"""The parameter that chooses between the formats of an answer. Each of them has an operation of its own, and the document no
operation with two: what `format` does is told in words."""


def prepare(document: dict[str, Any]) -> None:
    """Bring a document that FastAPI has made into this form."""
    components = document["components"]["schemas"]
    for operation in operations(document):
        components.update(operation.pop(SCHEMAS, {}))
        if "parameters" in operation:
            operation["parameters"] = [one for one in operation["parameters"] if one["name"] != _FORMAT]
            for parameter in operation["parameters"]:
                _drop_null(parameter["schema"])
                _join_words(parameter["schema"], components)
                _refer_alone(parameter)
    used = {part["$ref"].rpartition("/")[2] for schema in _roots(document) for part in parts(schema) if "$ref" in part}
    for name in components.keys() - used:
        del components[name]
    for schema in _roots(document):
        for part in parts(schema):
            part.pop("title", None)
            _tell_width(part)
            if "default" in part and part["default"] is None:
                del part["default"]  # absent is null; some make a property required that has a default
    for name, schema in components.items():
        schema["title"] = name
        for example in schema.get("examples", ()):
            _tell_nulls(example, schema, components)


def operations(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Every operation."""
    for path in document["paths"].values():
        yield from path.values()


def _roots(document: dict[str, Any]) -> Iterator[_Schema]:
    """Every schema that stands in no other."""
    yield from document["components"]["schemas"].values()
    for operation in operations(document):
        for parameter in operation.get("parameters", ()):
            yield parameter["schema"]
        for holder in (operation.get("requestBody", {}), *operation["responses"].values()):
            for media in holder.get("content", {}).values():
                yield media.get("schema", {})


def parts(schema: _Schema) -> Iterator[_Schema]:
    """A schema and all that stand in it."""
    yield schema
    for keyword in _BY_NAME:
        for part in schema.get(keyword, {}).values():
            yield from parts(part)
    for keyword in _LISTED:
        for part in schema.get(keyword, ()):
            yield from parts(part)
    for keyword in _SINGLE:
        if isinstance(part := schema.get(keyword), dict):
            yield from parts(part)


def _tell_width(schema: _Schema) -> None:
    """An integer without a width is one of 32 bits in Java and C#: too small for positions, and for sums of money."""
    if schema.get("type") == "integer" and schema.get("maximum", inf) > _LARGEST_32:
        schema["format"] = "int64"


def _drop_null(schema: _Schema) -> None:
    """A parameter is absent, and never null."""
    choices = [one for one in schema.pop("anyOf", ()) if one != {"type": "null"}]
    if len(choices) == 1:
        schema |= choices[0]
    elif choices:
        schema["anyOf"] = choices


def _refer_alone(parameter: dict[str, Any]) -> None:
    """A parameter's reference has nothing beside it: openapi-generator makes anything at all of one that has."""
    schema = parameter["schema"]
    if "$ref" in schema:
        parameter["schema"] = {"$ref": schema["$ref"]}
        for example in schema.get("examples", [])[:1]:
            parameter["example"] = example


def _tell_nulls(example: Any, schema: _Schema, components: dict[str, _Schema]) -> None:
    """Give an example the fields that are null in it, which FastAPI leaves out."""
    if isinstance(example, list):
        for one in example:
            _tell_nulls(one, schema.get("items", {}), components)
    elif "$ref" in schema:
        _tell_nulls(example, components[schema["$ref"].rpartition("/")[2]], components)
    elif "anyOf" in schema:
        _tell_nulls(example, schema["anyOf"][0], components)
    elif isinstance(example, dict):
        for name in set(schema.get("required", ())) - example.keys():
            example[name] = None
        for name, part in schema.get("properties", {}).items():
            _tell_nulls(example.get(name), part, components)


def _join_words(schema: _Schema, components: dict[str, _Schema]) -> None:
    """One of these words or one of those is one of them all."""
    choices = [components[one["$ref"].rpartition("/")[2]] if "$ref" in one else one for one in schema.get("anyOf", ())]
    words = [one["enum"] if "enum" in one else [one["const"]] for one in choices if "enum" in one or "const" in one]
    if choices and len(words) == len(choices):
        del schema["anyOf"]
        schema |= {"type": "string", "enum": [word for some in words for word in some]}
