"""The query language: from what people type to a tree.

```
query  = any ;  any = every { "OR" every } ;  every = single { [ "AND" ] single }
single = ( "NOT" | "-" ) single | "(" query ")" | [ field ":" ] value
value  = word | word "*" | quoted | quoted "*" | ( ">" | ">=" | "<" | "<=" ) number     (a comparison needs a field)
```
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NoReturn

from sentinelone_collector.errors import UsageError
from sentinelone_collector.search.fields import Leaf, known_field, resolve, similar
from sentinelone_collector.search.query import All, And, Compare, Field, Node, Not, Number, Or, Words
from sentinelone_collector.search.words import words

__all__ = ["QueryError", "field_query", "parse_query"]

_MOST_CHARACTERS = 2_000
_MOST_DEPTH = 40
_TOO_DEEP = f"brackets and NOT are nested more than {_MOST_DEPTH} deep; simplify the query"
_TOKEN = re.compile(
    r"""\s*(?:
        (?P<open>\() | (?P<close>\)) |
        (?P<minus>-)(?=["\w(]) |
        (?P<field>[A-Za-z_][\w.\-/]*):(?=\S) |
        (?P<quoted>"[^"]*"\*?) |
        (?P<broken>") |
        (?P<word>[^\s()"]+)
    )""",
    re.VERBOSE,
)
_VALUE = re.compile(r'"[^"]*"\*?|[^\s()"]+')
_COMPARISON = re.compile(r"(>=|<=|>|<)(.*)", re.DOTALL)
_NUMBER = re.compile(r"-?\d{1,30}(\.\d{1,9})?")
_OPERATORS = ("AND", "OR", "NOT")


class QueryError(UsageError):
    """A query can't be read; `column` counts characters from 1."""

    def __init__(self, text: str, column: int) -> None:
        self.column = column
        super().__init__(f"query, column {column}: {text}")


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    column: int
    node: Node | None = None


def parse_query(text: str) -> Node:
    """Read a query; an empty one means every event. Raise `QueryError`, with the column and a cure, for a wrong one."""
    if len(text) > _MOST_CHARACTERS:
        raise QueryError(f"a query has at most {_MOST_CHARACTERS:,} characters, this one {len(text):,}; shorten it", 1)
    return _Parser(_tokens(text), len(text) + 1).parse()


def field_query(name: str, text: str) -> Node:
    """Return the query that a field holds what was typed into a box of its own, words and perhaps a * at the end.

    An empty box means every event. Raise `QueryError` as `parse_query` does.
    """
    body = text.replace('"', " ").strip()
    if not body:
        return All()
    if body == "*" or _NUMBER.fullmatch(body) or _COMPARISON.fullmatch(body):
        return _field_node(name, body, 1)
    return _field_node(name, f'"{body.removesuffix("*")}"' + ("*" if body.endswith("*") else ""), 1)


def _tokens(text: str) -> list[_Token]:
    found: list[_Token] = []
    position = 0
    while match := _TOKEN.match(text, position):
        kind = str(match.lastgroup)
        column = match.start(kind) + 1
        position = match.end()
        if kind == "broken":
            raise QueryError('a quotation mark is missing; close the phrase with "', column)
        if kind == "field":
            value, position = _field_value(text, match, column)
            found.append(value)
        elif kind in {"quoted", "word"}:
            token = _plain(match[kind], column)
            if token is not None:
                found.append(token)
        else:
            found.append(_Token(kind, match[kind], column))
    return found


def _field_value(text: str, match: re.Match[str], column: int) -> tuple[_Token, int]:
    name = match["field"]
    value = _VALUE.match(text, match.end())
    if not known_field(name):
        rest = value[0] if value else ""
        if value is not None and (":" in rest or rest[:1] in "/\\"):  # an address, a time, a path: words after all
            whole = _plain(text[column - 1 : value.end()], column)
            return whole or _Token("none", "", column), value.end()
        hint = f"; did you mean {similar(name)}:" if similar(name) else ""
        raise QueryError(f'there is no field {name!r}{hint}? To look for the words, write "{name}:{rest}"', column)
    if value is None:
        raise QueryError(f"write one value after {name}: and repeat the field with OR for another", match.end() + 1)
    return _Token("node", value[0], column, _field_node(name.casefold(), value[0], match.end() + 1)), value.end()


def _field_node(name: str, value: str, column: int) -> Node:
    leaves = resolve(name)
    if value == "*":
        return Field(name, None)
    comparison = _COMPARISON.fullmatch(value)
    if comparison:
        if not any(leaf.kind == "number" for leaf in leaves):
            raise QueryError(f"{name} holds no numbers that could be compared; leave out {comparison[1]}", column)
        if not _NUMBER.fullmatch(comparison[2]):
            raise QueryError(f"write a number after {name}:{comparison[1]}", column)
        return Compare(name, comparison[1], Number(comparison[2]))  # type: ignore[arg-type]  # of the pattern
    if _NUMBER.fullmatch(value.strip('"')):
        return Field(name, Number(value.strip('"')))
    found = _words(value, column)
    if found is None:
        raise QueryError(f'"{value}" holds neither letter nor digit; {name}:* means any value', column)
    _check_kind(name, found, leaves, column)
    return Field(name, found)


def _check_kind(name: str, value: Words, leaves: tuple[Leaf, ...], column: int) -> None:
    if all(leaf.kind == "number" for leaf in leaves):
        raise QueryError(f"{name} holds numbers: write {name}:4 or {name}:>=4, not {value}", column)


def _plain(text: str, column: int) -> _Token | None:
    """Return a token outside any field; punctuation alone is left out, as it is no word."""
    if text in _OPERATORS:
        return _Token(text, text, column)
    if text == "*":
        return _Token("node", text, column, All())
    if text.endswith(":") and known_field(text[:-1]):
        raise QueryError(f"write a value after {text} without a space, or {text}* for any", column)
    found = _words(text, column)
    return None if found is None else _Token("node", text, column, found)


def _words(text: str, column: int) -> Words | None:
    quoted = text.startswith('"')
    prefix = text.endswith("*")
    body = text.removesuffix("*").strip('"')
    if not quoted and "*" in body:
        raise QueryError(
            f"{text}: a * may stand at the end of a word only, like {body.split('*')[0] or 'adm'}*", column
        )
    parts = tuple(words(body))
    if not parts:
        if prefix:
            raise QueryError(f"{text}: write a letter or digit before the *", column)
        return None
    return Words(parts, prefix and bool(words(body[-1:])))


class _Parser:
    def __init__(self, tokens: list[_Token], end: int) -> None:
        self._tokens = [token for token in tokens if token.kind != "none"]
        self._at = 0
        self._end = end

    def parse(self) -> Node:
        if not self._tokens:
            return All()
        node = self._any(0)
        if self._at < len(self._tokens):
            self._fail("this ) closes nothing; take it away")
        return node

    def _peek(self) -> str:
        return self._tokens[self._at].kind if self._at < len(self._tokens) else "end"

    def _fail(self, text: str) -> NoReturn:
        token = self._tokens[self._at] if self._at < len(self._tokens) else None
        raise QueryError(text, token.column if token else self._end)

    def _any(self, depth: int) -> Node:
        if depth > _MOST_DEPTH:
            self._fail(_TOO_DEEP)
        nodes = [self._every(depth)]
        while self._peek() == "OR":
            self._at += 1
            nodes.append(self._every(depth))
        return nodes[0] if len(nodes) == 1 else Or(tuple(nodes))

    def _every(self, depth: int) -> Node:
        nodes = [self._single(depth)]
        while self._peek() in {"AND", "NOT", "minus", "open", "node"}:
            if self._peek() == "AND":
                self._at += 1
            nodes.append(self._single(depth))
        return nodes[0] if len(nodes) == 1 else And(tuple(nodes))

    def _single(self, depth: int) -> Node:
        kind = self._peek()
        if kind == "end":
            self._fail("the query ends where a word should follow; write one, or take away what stands last")
        token = self._tokens[self._at]
        if token.node is not None:
            self._at += 1
            return token.node
        if kind in {"NOT", "minus"}:
            return self._negated(depth)
        if kind != "open":
            self._fail(f'a word is missing before {token.text}; to look for the word itself write "{token.text}"')
        self._at += 1
        node = self._any(depth + 1)
        if self._peek() != "close":
            self._fail("a bracket is not closed; write )")
        self._at += 1
        return node

    def _negated(self, depth: int) -> Node:
        self._at += 1
        if depth > _MOST_DEPTH:
            self._fail(_TOO_DEEP)
        return Not(self._single(depth + 1))
