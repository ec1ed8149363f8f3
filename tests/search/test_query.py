"""The query language: what people type, what it means, and what they are told when it is wrong."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentinelone_collector.search import QueryError, parse_query
from sentinelone_collector.search.query import All, And, Compare, Field, Node, Not, Number, Or, Words
from sentinelone_collector.search.words import words


def w(*parts: str, prefix: bool = False) -> Words:
    return Words(parts, prefix)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("", All()),
        ("  ", All()),
        ("*", All()),
        ("Failed", w("failed")),
        ("failed login", And((w("failed"), w("login")))),
        ("failed AND login", And((w("failed"), w("login")))),
        ('"failed login"', w("failed", "login")),
        ("john.doe@example.com", w("john", "doe", "example", "com")),
        ("adm*", w("adm", prefix=True)),
        ("10.0.0.*", w("10", "0", "0")),
        ("a OR b c", Or((w("a"), And((w("b"), w("c")))))),
        ("(a OR b) c", And((Or((w("a"), w("b"))), w("c")))),
        ("a -b", And((w("a"), Not(w("b"))))),
        ("NOT a", Not(w("a"))),
        ("NOT NOT a", Not(Not(w("a")))),
        ("a not b", And((w("a"), w("not"), w("b")))),
        ('"AND"', w("and")),
        ("a - b", And((w("a"), w("b")))),
        ("user:John", Field("user", w("john"))),
        ("USER:john", Field("user", w("john"))),
        ('user:"john doe"', Field("user", w("john", "doe"))),
        ("user:jo*", Field("user", w("jo", prefix=True))),
        ("user:*", Field("user", None)),
        ("type:27", Field("type", Number("27"))),
        ("severity:>=4", Compare("severity", ">=", Number("4"))),
        ("actor.user.name:x", Field("actor.user.name", w("x"))),
        ("unmapped.data.newValue:x", Field("unmapped.data.newvalue", w("x"))),
        ("https://example.com/a", w("https", "example", "com", "a")),
        ("c:\\Windows", w("c", "windows")),
        ("00:1a:2b:3c", w("00", "1a", "2b", "3c")),
        ("aa:bb:cc", w("aa", "bb", "cc")),
        ("Straße", w("strasse")),
        ("Ｆｕｌｌ", w("full")),
    ],
)
def test_what_is_typed_means(text: str, meant: Node) -> None:
    assert parse_query(text) == meant


@pytest.mark.parametrize(
    ("text", "column", "cure"),
    [
        ("usr:x", 1, "did you mean user:"),
        ("nonsense_field:x", 1, '"nonsense_field:x"'),
        ("raw_data:x", 1, "no field"),
        ('a "b', 3, "close the phrase"),
        ("(a", 3, "write )"),
        ("a)", 2, "take it away"),
        ("a OR", 5, "take away what stands last"),
        ("OR a", 1, '"OR"'),
        ("NOT", 4, "write one"),
        ("*admin", 1, "end of a word"),
        ("ad*in", 1, "end of a word"),
        ("class_uid:high", 11, "class_uid:>=4"),
        ("message:>4", 9, "leave out >"),
        ("severity:>=x", 10, "write a number"),
        ('user:"--"', 6, "user:* means any"),
        ("user: x", 1, "without a space"),
        ("user:(a OR b)", 6, "repeat the field"),
        ("(" * 60 + "a", 42, "simplify"),
        ("NOT " * 60 + "a", 169, "simplify"),
        ("a" * 2001, 1, "shorten"),
    ],
)
def test_a_wrong_query_is_told_where_and_what_to_do(text: str, column: int, cure: str) -> None:
    with pytest.raises(QueryError, match=r"^query, column \d+: ") as error:
        parse_query(text)
    assert cure in str(error.value)
    assert error.value.column == column


_WORD = st.sampled_from(["a", "or", "not", "admin", "10", "x7", "übung", "札幌"])
_WORDS = st.builds(Words, st.lists(_WORD, min_size=1, max_size=3).map(tuple), st.booleans())
_NUMBERS = st.builds(Number, st.from_regex(r"-?\d{1,4}(\.\d)?", fullmatch=True))
_NO_NUMBER = _WORDS.filter(lambda value: value.prefix or value.parts != ("10",))
_FIELDS = st.builds(
    Field, st.sampled_from(["user", "host", "message", "unmapped.data.x"]), _NO_NUMBER | _NUMBERS | st.none()
)
_COMPARES = st.builds(Compare, st.just("severity_id"), st.sampled_from([">", ">=", "<", "<="]), _NUMBERS)
TREES = st.recursive(
    _WORDS | _FIELDS | _COMPARES | st.just(All()),
    lambda inner: (
        st.builds(Not, inner)
        | st.builds(And, st.lists(inner, min_size=2, max_size=3).map(tuple))
        | st.builds(Or, st.lists(inner, min_size=2, max_size=3).map(tuple))
    ),
    max_leaves=8,
)


@given(TREES)
@settings(max_examples=60)
def test_what_is_printed_means_the_same(tree: Node) -> None:
    assert parse_query(str(tree)) == tree


@given(st.text(max_size=60))
@settings(max_examples=100)
def test_any_text_is_a_query_or_a_clear_error(text: str) -> None:
    try:
        tree = parse_query(text)
    except QueryError as refused:
        column = refused.column
    else:
        column = 1
        assert parse_query(str(tree)) == tree
    assert 1 <= column <= len(text) + 1


@given(st.text(max_size=40))
@settings(max_examples=60)
def test_words_hold_letters_and_digits_only_and_do_not_change_again(text: str) -> None:
    for word in words(text):
        assert word.isalnum()
        assert words(word.upper()) == words(word)


def test_a_long_run_is_cut_the_same_way_in_text_and_query() -> None:
    run = "f" * 600
    assert [len(word) for word in words(run)] == [256, 256, 88]
    assert parse_query(run) == w(*words(run))
