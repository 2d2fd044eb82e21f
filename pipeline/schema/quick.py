"""A schema in, a fast first look out: a function that says of most valid answers that they are, and else nothing.

Its yes is final, because each keyword it knows is held as strictly as the validator does, with the same operators,
formats and patterns, and a schema with a keyword it does not know gets a look that never says yes. Its no means
"ask the validator", which finds what is wrong, or that nothing is.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from pipeline.schema.dialect import upgrade
from pipeline.schema.exact import FORMATS, ExactValidator, is_multiple
from pipeline.schema.json_text import canonical_json

Look = Callable[[Any], bool]
"""True: the value satisfies the schema. False: unknown."""

_REFERENCE = re.compile(r"#/(\$defs|definitions)/([^/%~]+)")
_SAYS_NOTHING = ("$schema", "$comment", "$defs")


class _UnknownError(Exception):
    """The schema has a keyword, or a form of one, that only the validator knows."""


def never_sure(_: object) -> bool:
    """The look of a schema that nothing is known of."""
    return False


def build_look(text: str) -> Look:
    """Compile a schema in JSON text, of any draft that is known; values are as the validator expects them."""
    parsed = json.loads(text, parse_float=Decimal)
    schema = upgrade(parsed).schema if isinstance(parsed, dict) else parsed
    if isinstance(schema, dict):
        schema = {name: value for name, value in schema.items() if name != "$id"}  # the root's own changes nothing here
    try:
        return _Compiler(schema).node(schema)
    except (_UnknownError, re.error, TypeError, RecursionError):
        return never_sure


class _Compiler:
    """Compiles the nodes of one schema, each definition once, so that one may refer to itself."""

    def __init__(self, root: object) -> None:
        self._root = root
        self._defined: dict[tuple[str, str], list[Look]] = {}

    def node(self, node: object) -> Look:
        """One node; raises _UnknownError."""
        if node is True:
            return lambda _: True
        if not isinstance(node, dict):
            raise _UnknownError
        looks = [look for name, wanted in node.items() if (look := self._keyword(name, wanted, node)) is not None]
        return looks[0] if len(looks) == 1 else _all(looks)

    def _keyword(self, name: str, wanted: Any, node: Mapping[str, Any]) -> Look | None:  # noqa: ANN401 - any JSON
        """What one keyword asks for; None when it asks for nothing."""
        if name in _SIMPLE:
            return _SIMPLE[name](wanted)
        match name:
            case "$ref":
                return self._reference(wanted)
            case "properties":
                return _properties({name: self.node(part) for name, part in wanted.items()})
            case "additionalProperties":
                return self._others(wanted, node)
            case "items":
                return _each(self.node(wanted)) if "prefixItems" not in node else _unknown()
            case "allOf":
                return _all([self.node(part) for part in wanted])
            case "anyOf":
                return _any([self.node(part) for part in wanted])
        if name in ExactValidator.VALIDATORS or (name.startswith("$") and name not in _SAYS_NOTHING):
            raise _UnknownError
        return None

    def _reference(self, target: str) -> Look:
        """A definition of the root's; it is looked up when a value comes, since it may still be compiled."""
        match = _REFERENCE.fullmatch(target)
        if match is None or not isinstance(self._root, dict):
            raise _UnknownError
        place = (match[1], match[2])
        if place not in self._defined:
            self._defined[place] = compiled = []
            compiled.append(self.node(self._root.get(place[0], {}).get(place[1])))
        return _later(self._defined[place])

    def _others(self, wanted: object, node: Mapping[str, Any]) -> Look | None:
        """Members that `properties` does not name."""
        if "patternProperties" in node:
            raise _UnknownError
        if wanted is True:
            return None
        named = frozenset(node.get("properties", ()))
        if wanted is False:
            return lambda value: not isinstance(value, dict) or value.keys() <= named
        look = self.node(wanted)
        return lambda value: (
            not isinstance(value, dict) or all(name in named or look(part) for name, part in value.items())
        )


def _later(compiled: list[Look]) -> Look:
    def look(value: Any) -> bool:  # noqa: ANN401 - any JSON
        return compiled[0](value)

    return look


def _unknown() -> Look:
    raise _UnknownError


def _all(looks: list[Look]) -> Look:
    def look(value: Any) -> bool:  # noqa: ANN401 - any JSON
        for one in looks:  # noqa: SIM110 - a generator costs more than what most nodes ask
            if not one(value):
                return False
        return True

    return look


def _any(looks: list[Look]) -> Look:
    return lambda value: any(look(value) for look in looks)


def _each(item: Look) -> Look:
    return lambda value: not isinstance(value, list) or all(map(item, value))


def _properties(looks: Mapping[str, Look]) -> Look:
    members = list(looks.items())

    def look(value: Any) -> bool:  # noqa: ANN401 - any JSON
        if isinstance(value, dict):
            for name, part in members:
                if name in value and not part(value[name]):
                    return False
        return True

    return look


def _is_number(value: object) -> bool:
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)


def _is_integer(value: object) -> bool:
    if isinstance(value, Decimal):
        return value == value.to_integral_value()
    return isinstance(value, int) and not isinstance(value, bool)


_TYPES: Mapping[str, Look] = {
    "string": lambda value: isinstance(value, str),
    "integer": _is_integer,
    "number": _is_number,
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
    "array": lambda value: isinstance(value, list),
    "object": lambda value: isinstance(value, dict),
}


def _type(wanted: Any) -> Look:  # noqa: ANN401 - any JSON
    names = [wanted] if isinstance(wanted, str) else wanted
    if not names or any(name not in _TYPES for name in names):
        raise _UnknownError
    looks = [_TYPES[name] for name in names]
    return looks[0] if len(looks) == 1 else _any(looks)


def _enum(wanted: list[Any]) -> Look:
    """Only texts and null are recognised: what equals a number, a list or an object is the validator's to say."""
    texts, has_null = frozenset(one for one in wanted if isinstance(one, str)), None in wanted
    return lambda value: value in texts if isinstance(value, str) else value is None and has_null


def _required(names: list[str]) -> Look:
    wanted = frozenset(names)
    return lambda value: not isinstance(value, dict) or wanted <= value.keys()


def _pattern(pattern: str) -> Look:
    search = re.compile(pattern).search
    return lambda value: not isinstance(value, str) or search(value) is not None


def _unique(wanted: object) -> Look | None:
    if not wanted:
        return None
    return lambda value: not isinstance(value, list) or len(set(map(canonical_json, value))) == len(value)


def _size(kind: type[Any], is_enough: Callable[[int, Any], bool]) -> Callable[[Any], Look]:
    return lambda bound: lambda value: not isinstance(value, kind) or is_enough(len(value), bound)


def _bound(holds: Callable[[Any, Any], bool]) -> Callable[[Any], Look]:
    return lambda bound: lambda value: not _is_number(value) or holds(value, bound)


_SIMPLE: Mapping[str, Callable[[Any], Look | None]] = {
    "type": _type,
    "enum": _enum,
    "const": lambda wanted: _enum([wanted]),
    "required": _required,
    "pattern": _pattern,
    "format": lambda name: lambda value: FORMATS.conforms(value, name),
    "uniqueItems": _unique,
    "multipleOf": _bound(is_multiple),
    "minimum": _bound(lambda value, bound: not value < bound),
    "maximum": _bound(lambda value, bound: not value > bound),
    "exclusiveMinimum": _bound(lambda value, bound: not value <= bound),
    "exclusiveMaximum": _bound(lambda value, bound: not value >= bound),
    "minLength": _size(str, lambda size, bound: size >= bound),
    "maxLength": _size(str, lambda size, bound: size <= bound),
    "minItems": _size(list, lambda size, bound: size >= bound),
    "maxItems": _size(list, lambda size, bound: size <= bound),
    "minProperties": _size(dict, lambda size, bound: size >= bound),
    "maxProperties": _size(dict, lambda size, bound: size <= bound),
}
"""Keywords whose look needs nothing but their own value."""
