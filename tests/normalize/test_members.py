"""Where members are: found in many lines at once, and never taken for what they are not."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentinelone_collector.normalize.members import Members, find_members

TEXTS = st.text(st.sampled_from('ab{}[]":,\\\\ \t\n/ué\u2013\U0001f600\x00'), max_size=6) | st.text(max_size=4)
SCALARS = st.none() | st.booleans() | st.integers(-(10**22), 10**22) | TEXTS
OBJECTS = st.dictionaries(TEXTS, SCALARS, max_size=4)
FORMS = st.sampled_from([(",", ":"), (", ", ": "), (",", ": ")])


@st.composite
def lines(draw: st.DrawFn) -> bytes:
    """One object with another one inside, as consoles write them."""
    names = draw(st.lists(TEXTS, min_size=1, max_size=5, unique=True))
    record: dict[str, Any] = {name: draw(SCALARS) for name in names}
    record[draw(st.sampled_from(names))] = draw(OBJECTS)
    return json.dumps(record, separators=draw(FORMS), ensure_ascii=draw(st.booleans())).encode()


ODD_LINES = st.sampled_from(
    [
        b"",
        b"7",
        b"{}",
        b"[]",
        b"null",
        b'"a{}"',
        b'{"a":1}',
        b'{"a":{}',
        b'{"a":{}}}',
        b'{"a":{},}',
        b'{"a":{"b":[]}}',
        b'{"a":[{}]}',
        b'{"a":{"b":{}}}',
        b'{"a":{},"b":{}}',
        b'{"a" :{}}',
        b'{"a":{} }',
        b'{"a":{} ,"b":1}',
        b'{ "a" : { "b" : 1 } }',
        b'{"a":  {}}',
        b'{"a":{"b":1.5}}',
        b'{"a":{"b":1e400}}',
        b'{"a":{"b":NaN}}',
        b'{"a":{"b":01}}',
        b'{"a":{"b":1 }}',
        b'{"a":{"b":true }}',
        b'{"a":{"b":"x" }}',
        b'{"a":{"b":1,\t"c":2}}',
        b'{"a":{"b":"\\ud800"}}',
        b'{"a":{"b":"\\x"}}',
        b'{"a":{"b":"\xff"}}',
        b'{"a":{"b":"\x01"}}',
        b'{"a":{"b":' + b"9" * 50 + b"}}",
        b'{"a":' * 2000 + b"{}" + b"}" * 2000,
    ]
)


def _found(members: Members) -> dict[int, tuple[list[tuple[str, Any]], list[tuple[str, Any]]]]:
    """Return the outer and the inner members of each line, keys and values decoded."""
    result = {}
    first = members.first
    for line, begin, end, outer, inner in zip(
        members.lines.tolist(), first[:-1], first[1:], members.outer.tolist(), members.inner.tolist(), strict=True
    ):
        pairs = []
        for member in range(begin, end):
            key = json.loads(members.text[members.keys[member] : members.key_ends[member] + 1])
            value = json.loads(members.text[members.values[member] : members.value_ends[member]])
            assert (value is None) == members.null[member]
            pairs.append((key, value))
        inside = slice(outer, outer + inner)
        result[line] = (
            [pair for number, pair in enumerate(pairs) if not outer <= number < outer + inner],
            pairs[inside],
        )
    return result


def _expected(line: bytes) -> tuple[list[tuple[str, Any]], list[tuple[str, Any]]]:
    outer = json.loads(line, object_pairs_hook=list)
    [inner] = [value for _, value in outer if isinstance(value, list)]
    return [(key, dict(value) if isinstance(value, list) else value) for key, value in outer], inner


@settings(max_examples=150)
@given(given_lines=st.lists(st.tuples(st.just(True), lines()) | st.tuples(st.just(False), ODD_LINES), max_size=12))
def test_the_members_of_common_objects_are_found_and_no_others(given_lines: list[tuple[bool, bytes]]) -> None:
    found = _found(find_members([line for _, line in given_lines]))
    assert found == {number: _expected(line) for number, (common, line) in enumerate(given_lines) if common}


@pytest.mark.parametrize("line", [b'{"a":{}}', b'{"a":{"b":"x"},"c":null}', b'{"a": -1, "d": {"b": true}}'])
def test_neighbours_change_nothing(line: bytes) -> None:
    alone = _found(find_members([line]))[0]
    for other in (b'{"x" :1,"y":{}}', b"7", b'{"z":{"q":1.5}}', b'{"y":{}}', b"{", b'{"a":"}{"}'):
        found = _found(find_members([other, line, other]))
        assert found[1] == alone
