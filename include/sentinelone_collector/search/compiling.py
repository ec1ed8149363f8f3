"""Trees to queries of the index."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from operator import ge, gt, le, lt
from typing import Any

from sentinelone_collector.search.documents import field_term, index_schema, number_term
from sentinelone_collector.search.fields import Leaf, resolve
from sentinelone_collector.search.query import And, Compare, Field, Node, Not, Number, Or, Words
from sentinelone_collector.search.words import words

__all__ = ["compile_query"]

_PUNCTUATION = re.compile(r"[!-/:-<>-@\[-^`{-~]")  # of ASCII, but for = and _, which mean themselves
_COMPARE: dict[str, Callable[[float, float], bool]] = {">": gt, ">=": ge, "<": lt, "<=": le}


def compile_query(node: Node, searcher: Any) -> Any:
    """Return the index's query for a tree; comparisons are resolved against the numbers that this index holds."""
    import tantivy

    match node:
        case Words():
            return _phrase("text", list(node.parts), prefix=node.prefix)
        case Field():
            return _any_of([_holds(leaf, node.value) for leaf in resolve(node.name)])
        case Compare():
            terms = [term for leaf in resolve(node.name) for term in _between(leaf, node, searcher)]
            return tantivy.Query.term_set_query(index_schema(), "fields", terms)
        case And() | Or():
            inner = [compile_query(one, searcher) for one in node.nodes]
            return _any_of(inner) if isinstance(node, Or) else _boolean([(tantivy.Occur.Must, one) for one in inner])
    everything = tantivy.Query.term_query(index_schema(), "kind", "event")
    if isinstance(node, Not):
        unwanted = compile_query(node.node, searcher)
        return _boolean([(tantivy.Occur.Must, everything), (tantivy.Occur.MustNot, unwanted)])
    return everything


def _boolean(parts: Sequence[tuple[Any, Any]]) -> Any:
    import tantivy

    return tantivy.Query.boolean_query(list(parts))


def _any_of(queries: list[Any]) -> Any:
    import tantivy

    return queries[0] if len(queries) == 1 else _boolean([(tantivy.Occur.Should, query) for query in queries])


def _phrase(index_field: str, terms: list[str], *, prefix: bool) -> Any:
    import tantivy

    schema = index_schema()
    if prefix:
        *before, last = (_quoted(term) for term in terms)
        if not before:
            return tantivy.Query.regex_query(schema, index_field, f"{last}.*")
        return tantivy.Query.regex_phrase_query(schema, index_field, [*before, f"{last}.*"])
    if len(terms) == 1:
        return tantivy.Query.term_query(schema, index_field, terms[0])
    return tantivy.Query.phrase_query(schema, index_field, list[str | tuple[int, str]](terms))


def _quoted(term: str) -> str:
    return _PUNCTUATION.sub(r"\\\g<0>", term)


def _holds(leaf: Leaf, value: Words | Number | None) -> Any:
    import tantivy

    schema = index_schema()
    if value is None:
        return tantivy.Query.regex_query(schema, "fields", f"{_quoted(leaf.path)}=.*")
    if isinstance(value, Words):
        if leaf.kind == "number":
            return tantivy.Query.empty_query()
        return _phrase("fields", [field_term(leaf.path, word) for word in value.parts], prefix=value.prefix)
    number = tantivy.Query.term_query(schema, "fields", number_term(leaf.path, value.value))
    parts = words(value.text)
    # The index does not tell a number from a text of one word, so that the word of -7 would find the number 7.
    if leaf.kind == "number" or (leaf.kind != "text" and len(parts) == 1 and value.value < 0):
        return number
    text = _phrase("fields", [field_term(leaf.path, word) for word in parts], prefix=False)
    return text if leaf.kind == "text" else _any_of([number, text])


def _between(leaf: Leaf, node: Compare, searcher: Any) -> list[str]:
    if leaf.kind != "number":
        return []
    prefix = field_term(leaf.path, "")
    holds, limit = _COMPARE[node.operator], node.number.value
    terms = (term for term, _ in searcher.terms_with_prefix("fields", prefix))
    return [term for term in terms if holds(float(term[len(prefix) :]), limit)]
