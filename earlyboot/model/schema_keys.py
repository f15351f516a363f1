"""What a JSON Schema says of one key of an image builder's group: whether it has such a key, and whether it is a secret."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

# Schemas that the same value must, or may, keep too.
_SAME_VALUE = ("allOf", "anyOf", "oneOf", "if", "then", "else", "not", "dependentSchemas", "$ref", "$dynamicRef")
_KEYS_INSIDE = ("properties", "patternProperties", "additionalProperties", "unevaluatedProperties")
# Schemas of what is inside a value.
_INSIDE = (
    *_KEYS_INSIDE,
    *("items", "prefixItems", "contains", "unevaluatedItems"),
)


class _Node(NamedTuple):
    """A schema, and the one whose root its references begin at."""

    schema: Any
    base: Any


class _UnknownError(Exception):
    """A reference that cannot be followed."""


def holds_secret(schema: Mapping[str, Any], path: Sequence[str]) -> bool:
    """Whether the value at `path` is, holds or lies within a secret; so is one that the schema does not describe."""
    try:
        nodes = _all_of([_Node(schema, schema)])
        for name in path:
            if _any_secret(nodes):
                return True
            nodes = _all_of([child for node in nodes for child in _members(node, name)])
            if not nodes:
                return True
        seen: dict[int, _Node] = {}
        while nodes:
            if _any_secret(nodes):
                return True
            seen.update((id(node.schema), node) for node in nodes)
            inside = _all_of([child for node in nodes for child in _schemas(node, _INSIDE)])
            nodes = [node for node in inside if id(node.schema) not in seen]
    except _UnknownError:
        return True
    return False


def describes(schema: Mapping[str, Any], path: Sequence[str]) -> bool:
    """Whether the schema says something of the value at `path`. A reference that leads elsewhere may say anything."""
    try:
        nodes = _all_of([_Node(schema, schema)])
        for name in path:
            nodes = _all_of([child for node in nodes for child in _members(node, name)])
    except _UnknownError:
        return True
    return bool(nodes)


def is_open(schema: Mapping[str, Any], path: Sequence[str]) -> bool:
    """Whether the schema admits, at any depth below `path`, a key that it does not describe."""
    try:
        nodes = [_Node(schema, schema)]
        for name in path:
            nodes = [child for node in _all_of(nodes) for child in _members(node, name)]
            if not nodes:
                return True
        seen: set[int] = set()
        while nodes:
            if any(_admits_any(node, frozenset()) for node in nodes):
                return True
            seen.update(id(node.schema) for node in nodes)
            applying = [part for node in nodes for part in _parts_of(node)]
            inside = [child for node in applying for child in _schemas(node, _KEYS_INSIDE)]
            nodes = [node for node in inside if id(node.schema) not in seen]
    except _UnknownError:
        return True
    return False


def _admits_any(node: _Node, above: frozenset[int]) -> bool:
    """Whether a value that keeps the schema can be a table with keys that it does not describe."""
    schema = node.schema
    if not isinstance(schema, Mapping):
        return schema is not False
    if id(schema) in above:
        # A reference to itself says no more than what stands around it.
        return True
    types = schema.get("type", "object")
    if "object" not in ([types] if isinstance(types, str) else types) or "enum" in schema or "const" in schema:
        return False
    if "additionalProperties" in schema or "unevaluatedProperties" in schema:
        return False
    above |= {id(schema)}
    if any(not _admits_any(child, above) for child in _schemas(node, ("allOf", "$ref", "$dynamicRef"))):
        return False
    choices = [list(_schemas(node, (keyword,))) for keyword in ("anyOf", "oneOf")]
    return all(any(_admits_any(child, above) for child in children) for children in choices if children)


def _parts_of(node: _Node) -> list[_Node]:
    """`node` and the schemas that describe the same value in its place."""
    found: dict[int, _Node] = {}
    work = [node]
    while work:
        part = work.pop()
        if id(part.schema) not in found:
            found[id(part.schema)] = part
            work += _schemas(part, ("allOf", "anyOf", "oneOf", "$ref", "$dynamicRef"))
    return list(found.values())


def _any_secret(nodes: list[_Node]) -> bool:
    return any(isinstance(node.schema, Mapping) and node.schema.get("writeOnly") is True for node in nodes)


def _all_of(nodes: list[_Node]) -> list[_Node]:
    """`nodes` and all schemas that apply to the same value."""
    found: dict[int, _Node] = {}
    work = list(nodes)
    while work:
        node = work.pop()
        if id(node.schema) not in found:
            found[id(node.schema)] = node
            work += _schemas(node, _SAME_VALUE)
    return list(found.values())


def _schemas(node: _Node, keywords: Sequence[str]) -> Iterator[_Node]:
    """The schemas in some keywords of one: each is a schema, a list of them, a table of them, or a reference to one."""
    if not isinstance(node.schema, Mapping):
        return
    base = node.schema if "$id" in node.schema else node.base
    for keyword in keywords:
        value = node.schema.get(keyword)
        if keyword in ("$ref", "$dynamicRef") and value is not None:
            yield _referred(base, value)
        elif isinstance(value, list):
            yield from (_Node(member, base) for member in value)
        elif isinstance(value, Mapping) and keyword in ("properties", "patternProperties", "dependentSchemas"):
            yield from (_Node(member, base) for member in value.values())
        elif isinstance(value, Mapping | bool):
            yield _Node(value, base)


def _members(node: _Node, name: str) -> Iterator[_Node]:
    """The schemas of the member `name` of a table."""
    if not isinstance(node.schema, Mapping):
        return
    base = node.schema if "$id" in node.schema else node.base
    named = [node.schema.get("properties", {}).get(name)]
    named += [
        member for pattern, member in node.schema.get("patternProperties", {}).items() if _may_match(pattern, name)
    ]
    found = [member for member in named if member is not None]
    others = [node.schema.get(keyword) for keyword in ("additionalProperties", "unevaluatedProperties")]
    for member in found or others:
        if isinstance(member, Mapping) or member is True:
            yield _Node(member, base)


def _may_match(pattern: str, name: str) -> bool:
    try:
        return re.search(pattern, name) is not None
    except re.error:
        return True


def _referred(base: Any, reference: object) -> _Node:
    if not isinstance(reference, str) or not reference.startswith("#"):
        raise _UnknownError
    fragment = reference[1:]
    if fragment and not fragment.startswith("/"):
        return _anchored(base, fragment)
    found = base
    for part in fragment.split("/")[1:]:
        step = _unescaped(part)
        try:
            found = found[int(step) if isinstance(found, list) else step]
        except (KeyError, IndexError, TypeError, ValueError):
            raise _UnknownError from None
    return _Node(found, base)


def _unescaped(part: str) -> str:
    from urllib.parse import unquote

    return unquote(part).replace("~1", "/").replace("~0", "~")


def _anchored(base: Any, name: str) -> _Node:
    work = [base]
    while work:
        found = work.pop()
        if isinstance(found, Mapping):
            if name in (found.get("$anchor"), found.get("$dynamicAnchor")):
                return _Node(found, base)
            work += found.values()
        elif isinstance(found, list):
            work += found
    raise _UnknownError
