r"""The grammar: a decoder form in, the text that llguidance enforces out, in its Lark syntax.

Exactly the layout of `json.dumps`, so there is no white space to loop in. Every text it allows has an end: a free
string is at most its maxLength characters, each of them itself (at most 4 bytes of UTF-8) or one of the escapes
`\" \\ \n \t` (2 bytes); numbers have a bounded number of digits, negative ones too; dates and times exist. Only
patterns, the other formats and uncommon steps of numbers are left to llguidance's own `%json`, with the same escapes.

The lexer reads the longest piece that fits, so pieces are those of JSON: a brace, a key, a string, a number, a
separator. None of them begins another at the same place, except digits, which go on as long as they can, and the
pieces of a long string, which an enum's value of as many characters could begin with. Where two fit, the shorter is not
tried: a value may be impossible to write then, never an answer.
Syntax: the llguidance project's docs/syntax.md.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import lru_cache

from pipeline.errors import SchemaError
from pipeline.schema.intersect import Schema
from pipeline.schema.moments import MOMENTS
from pipeline.schema.number_text import grid_regex, read_grid
from pipeline.schema.writable import writable

MAX_OPTIONAL = 600
"""Optional properties of one object, or of all objects of a union: each is two of the 2,000 possibilities that
llguidance keeps at one place. An enum's lists and objects count as one each."""

LONG_TEXT = 512
"""Characters beyond which a string is read in pieces: llguidance makes about 9 states of each, 250,000 at most."""
PIECE = 256
"""Characters of such a piece."""

FREE_KEY = r"^.{1,%d}$"
"""The pattern of a map's key that only has a length."""

_CHARACTER = r'(?:[^"\\\x00-\x1f\x7f]|\\["\\nt])'
_KEY_CHARACTER = r'(?:[^"\\\x00-\x1f\x7f]|\\["\\t])'
_JSON_OPTIONS = {
    "whitespace_flexible": False,
    "item_separator": ", ",
    "key_separator": ": ",
    "json_allowed_escapes": 'nt\\"',
}


@lru_cache(maxsize=1024)
def build_grammar(decoder_schema: str) -> str:
    """Give the grammar of a decoder form.

    Args:
        decoder_schema: JSON text made by `build_decoder_schema`, or of the same shape: every node bounded.

    Raises:
        SchemaError: it is of another shape, no value at all satisfies it, or an object has too many optional
            properties.
        ValueError: it is not JSON.
    """
    rules, form = _Rules(), json.loads(decoder_schema)
    try:
        start = rules.of(form)
    except KeyError as exc:
        raise SchemaError(f"not a decoder form: a node lacks {exc}") from exc
    if start is None:
        raise SchemaError("no value at all satisfies it")
    return "\n".join([f"start: {start}", *rules.lines, ""])


class _Rules:
    """Collects one rule for each different node. An expression is text that may stand in a rule; None: no value."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._names: dict[str, str] = {}
        self._made: dict[str, str | None] = {}
        self._n_optional: dict[str, int] = {}
        self._makers: dict[str, Callable[[Schema], str | None]] = {
            "string": self._string,
            "integer": self._number,
            "number": self._number,
            "array": self._array,
            "array with prefixItems": self._tuple,
            "object with properties": self._object,
            "object with patternProperties": self._map,
            "boolean": lambda _: self._any(['"true"', '"false"']),
            "null": lambda _: '"null"',
        }

    def of(self, node: Schema) -> str | None:
        """Give the expression of a node."""
        key = json.dumps(node)
        if key not in self._made:
            self._made[key] = self._make(node)
        return self._made[key]

    def _make(self, node: Schema) -> str | None:
        if "anyOf" in node:
            return self._any([self.of(branch) for branch in node["anyOf"]])
        if "enum" in node:
            return self._enum(node["enum"])
        make = self._makers.get(self._kind(node))
        if make is None:
            raise SchemaError(f"not a node of a decoder form: {json.dumps(node)[:100]}")
        return make(node)

    @staticmethod
    def _kind(node: Schema) -> str:
        kind = str(node.get("type"))
        special = {"object": ("patternProperties", "properties"), "array": ("prefixItems",)}
        return next((f"{kind} with {keyword}" for keyword in special.get(kind, ()) if keyword in node), kind)

    def _add(self, body: str, initial: str = "r") -> str:
        """Write a rule, or with the initial "T" a terminal, unless there is one, and give its name."""
        name = self._names.setdefault(body, f"{initial}{len(self.lines)}")
        if len(self._names) > len(self.lines):
            self.lines.append(f"{name}: {body}")
        return name

    def _any(self, branches: list[str | None]) -> str | None:
        possible = list(dict.fromkeys(branch for branch in branches if branch is not None))
        if len(possible) < 2:
            return next(iter(possible), None)
        return self._count(self._add(" | ".join(possible)), sum(self._n_optional.get(one, 0) for one in possible))

    def _count(self, name: str, n_optional: int) -> str:
        """Note how many optional properties stand at the beginning of a rule, and give its name."""
        if n_optional > MAX_OPTIONAL:
            raise SchemaError(
                f"an object, a union or an enum with {n_optional} optional properties, lists and objects at one place: "
                f"at most {MAX_OPTIONAL} are supported"
            )
        self._n_optional[name] = n_optional
        return name

    def _enum(self, values: list[object]) -> str | None:
        """One terminal for all scalars; arrays and objects piece by piece."""
        scalars = list(dict.fromkeys(_written(value) for value in values if not isinstance(value, list | dict)))
        branches: list[str | None] = [_fixed(value) for value in values if isinstance(value, list | dict)]
        if scalars:
            branches.insert(0, scalars[0] if len(scalars) == 1 else self._add(" | ".join(scalars), "T"))
        found = self._any(branches)
        return self._count(found, len(branches)) if found is not None and len(branches) > 1 else found

    def _string(self, node: Schema) -> str | None:
        least, most = node.get("minLength", 0), node["maxLength"]
        if least > most:
            return None
        moment = MOMENTS.get(node.get("format", ""))
        if "pattern" in node or ("format" in node and moment is None):
            return self._json({key: node[key] for key in _TEXT_KEYWORDS if key in node})
        if moment is None:
            return self._free(least, most)
        allowed = {length for length in moment.lengths if least <= length <= most}
        if not allowed:
            return None
        whole = self._add(f'/"{moment.regex}"/', "T")
        if allowed == moment.lengths:
            return whole
        return self._add(f'{whole} & {self._add(f"""/"[^"]{{{least},{most}}}"/""", "T")}', "T")

    def _free(self, least: int, most: int) -> str | None:
        """A string whose characters are free. A long one is cut into pieces, so that the lexer has few states."""
        if most <= LONG_TEXT:
            return self._add(f'/"{_CHARACTER}{{{least},{most}}}"/', "T")
        first = self._add(f'/"{_CHARACTER}{{{PIECE}}}/', "T")
        piece = self._add(f"/{_CHARACTER}{{{PIECE}}}/", "T")
        (n_least, least_rest), (n_most, most_rest) = divmod(least, PIECE), divmod(most, PIECE)
        ways = {(n_least, n_least): (least_rest, PIECE - 1), (n_least + 1, n_most - 1): (0, PIECE - 1)}
        ways[(n_most, n_most)] = (least_rest if n_least == n_most else 0, most_rest)
        branches: list[str | None] = []
        for (low, high), (shortest, longest) in ways.items():
            if high == 0:
                branches.append(self._add(f'/"{_CHARACTER}{{{shortest},{longest}}}"/', "T"))
            elif low <= high:
                tail = self._add(f'/{_CHARACTER}{{{shortest},{longest}}}"/', "T")
                several = f"{piece}{{{low - 1},{high - 1}}} " if high > 1 else ""
                branches.append(f"{first} {several}{tail}")
        return self._any(branches)

    def _number(self, node: Schema) -> str | None:
        grid = read_grid(node)
        if grid.is_empty:
            return None
        regex = grid_regex(grid)
        if regex is not None:
            return self._add(f"/{regex}/", "T")
        step = {"type": node["type"], "multipleOf": node["multipleOf"]}
        branches: list[str | None] = []
        scale = 10**grid.n_decimals
        if grid.last >= 0:
            branches.append(self._json({**step, **_range(max(grid.first, 0), grid.last, scale)}))
        if grid.first < 0:  # llguidance writes no minus sign before a multiple: the same numbers, mirrored
            branches.append('"-" ' + self._json({**step, **_range(max(-grid.last, grid.step), -grid.first, scale)}))
        return self._any(branches)

    def _json(self, node: Schema) -> str:
        return self._add(f"%json {_ascii({**writable(node), 'x-guidance': _JSON_OPTIONS})}")

    def _tuple(self, node: Schema) -> str | None:
        least, tail = node.get("minItems", 0), ""
        parts = [self.of(part) for part in node["prefixItems"]]
        if None in parts:
            parts = parts[: parts.index(None)]
        if least > len(parts):
            return None
        for i, part in reversed(list(enumerate(parts))):
            one = f'", " {part}{tail}' if i else f"{part}{tail}"
            tail = f" {one}" if i < least else f" {self._add(one)}?"
        return self._add(f'"["{tail} "]"')

    def _array(self, node: Schema) -> str | None:
        least, most = node.get("minItems", 0), node["maxItems"]
        item = self.of(node["items"]) if most else None
        if least > most or (item is None and least):
            return None
        if item is None:
            return self._add('"[" "]"')
        return self._add(f'"[" {_repeated(item, least, most)} "]"')

    def _map(self, node: Schema) -> str | None:
        least, most = node.get("minProperties", 0), node["maxProperties"]
        entries: list[str | None] = []
        for pattern, part in node["patternProperties"].items() if most else ():
            value = self.of(part)
            entries.append(None if value is None else f'{self._key(pattern, node["x-key-length"])} ": " {value}')
        entry = self._any(entries)
        if least > most or (entry is None and least):
            return None
        return self._add(f'"{{" {_repeated(f"({entry})", least, most)} "}}"' if entry else '"{" "}"')

    def _key(self, pattern: str, most: int) -> str:
        if pattern == FREE_KEY % most:
            return self._add(f'/"{_KEY_CHARACTER}{{1,{most}}}"/', "T")
        return self._json({"type": "string", "pattern": pattern, "maxLength": most})

    def _object(self, node: Schema) -> str | None:
        """Members in their order. Of each: what may follow when nothing is written yet, and when something is."""
        required = set(node.get("required", ()))
        values = [(name, self.of(part)) for name, part in node["properties"].items()]
        members = [(f'{_written(name)} ": " {value}', name in required) for name, value in values if value is not None]
        if required - {name for name, value in values if value is not None}:
            return None
        first, later = '"}"', '"}"'
        for member, always in reversed(members):
            if always:
                first, later = f"{member} {later}", f'", " {member} {later}'
            else:
                first = self._add(f"{member} {later} | {first}")
                later = self._add(f'", " {member} {later} | {later}')
        return self._count(self._add(f'"{{" {first}'), sum(not always for _, always in members))


_TEXT_KEYWORDS = ("type", "pattern", "format", "minLength", "maxLength")


def _repeated(item: str, least: int, most: int) -> str:
    """From `least` to `most` items with the separator between them."""
    low, high = max(least - 1, 0), most - 1
    several = f'{item} (", " {item}){{{low},{high}}}' if high else item
    return several if least else f"({several})?"


def _range(low: int, high: int, scale: int) -> Schema:
    return {"minimum": _decimal(low, scale), "maximum": _decimal(high, scale)}


def _decimal(units: int, scale: int) -> float:
    return units / scale if units % scale else units // scale


def _fixed(value: object) -> str:
    """One value, piece by piece."""
    if isinstance(value, list):
        return '"[" ' + ' ", " '.join(map(_fixed, value)) + ' "]"'
    if isinstance(value, dict):
        return '"{" ' + ' ", " '.join(f'{_written(key)} ": " {_fixed(part)}' for key, part in value.items()) + ' "}"'
    return _written(value)


def _written(value: object) -> str:
    """The literal of a scalar's JSON text."""
    return _ascii(json.dumps(value, ensure_ascii=False))


def _ascii(value: object) -> str:
    """JSON in ASCII, which is also how Lark writes a literal. vLLM takes a text with `::=` for another syntax."""
    return json.dumps(value).replace("::=", "\\u003a:=")
