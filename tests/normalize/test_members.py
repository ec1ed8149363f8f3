"""Where members are: found in many lines at once, and never taken for what they are not."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentinelone_collector.normalize import kernels
from sentinelone_collector.normalize.lines import Lines
from sentinelone_collector.normalize.members import (
    MOST_MEMBERS,
    Members,
    Pieces,
    distinct,
    find_members,
    numbered,
    pieces_of,
)

TEXTS = st.text(st.sampled_from('ab{}[]":,\\ \t\n/ué\u2013\U0001f600'), max_size=6) | st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc"]), max_size=4
)
SCALARS = st.none() | st.booleans() | st.integers(-(10**19) + 1, 10**19 - 1) | TEXTS
OBJECTS = st.dictionaries(TEXTS, SCALARS, max_size=4)
FORMS = st.sampled_from([(",", ":"), (", ", ": "), (",", ": "), (" ,\t", " :  ")])


@st.composite
def common_lines(draw: st.DrawFn) -> bytes:
    """One object with another one inside, as consoles write them."""
    names = draw(
        st.lists(TEXTS.filter(lambda name: not set(name) & set('"\\\t\n')), min_size=1, max_size=5, unique=True)
    )
    record: dict[str, Any] = {name: draw(SCALARS) for name in names}
    inner = {name: value for name, value in draw(OBJECTS).items() if not set(name) & set('"\\\t\n')}
    record[draw(st.sampled_from(names))] = inner
    return json.dumps(record, separators=draw(FORMS), ensure_ascii=draw(st.booleans())).encode()


COMMON_LINES = (
    b'{"a":{}}',
    b'{"a":{"b":"x"},"c":null}',
    b'{"a": -1, "d": {"b": true}}',
    b'{ "a" : { "b" : 1 } }',
    b'{"a":{"b":"x" ,\r"c":"\\u0041\\/"}}',
    b'{"a":{"b":9999999999999999999,"c":-9999999999999999999,"d":0}}',
)
ODD_LINES = (
    b"",
    b"7",
    b"{}",
    b"[]",
    b"null",
    b'"a{}"',
    b'{"a":1}',
    b'{"a":{}',
    b'{"a":{}}}',
    b'{"a":{}}x',
    b'{"a":{},}',
    b'{"a":{"b":1,}}',
    b'{,"a":{}}',
    b'{"a":{"b":[]}}',
    b'{"a":[{}]}',
    b'{"a":{"b":{}}}',
    b'{"a":{"b":{}}',
    b'{"a":{"b":{"c":1}}',
    b'{"a":{},"b":{}}',
    b'{"a":{},"b":{"c":1}}',
    b'{"a":{"b":1.5}}',
    b'{"a":{"b":1e400}}',
    b'{"a":{"b":1e5}}',
    b'{"a":{"b":NaN}}',
    b'{"a":{"b":01}}',
    b'{"a":{"b":-}}',
    b'{"a":{"b":nul}}',
    b'{"a":{"b":truE}}',
    b'{"a":{"b":falsy}}',
    b'{"a":{"b":"\\ud800"}}',
    b'{"a":{"b":"\\x"}}',
    b'{"a":{"b":"\xff"}}',
    b'{"a":{"b":"\x01"}}',
    b'{"a":{"b":"\t"}}',
    b'{"a":{"b":"\x1f"}}',
    b'{"a":{"b":"\\u0001"}}',
    b'{"a\x01":{}}',
    b'{"a":{"b\x1f":1}}',
    b'{"a":{"b":"x',
    b'{"a":{"b":"x\\',
    b'{"a":{"b"',
    b'{"a":{"\\"":1}}',
    b'{"a":{"b":' + b"9" * 50 + b"}}",
    b'{"a":' * 2000 + b"{}" + b"}" * 2000,
)


def _found(members: Members) -> dict[int, tuple[list[tuple[str, Any]], list[tuple[str, Any]]]]:
    """Return the outer and the inner members of each line, keys and values decoded."""
    text, places, forms, result = members.lines.text, members.places, members.forms, {}
    for row, line in enumerate(members.numbers.tolist()):
        pairs = []
        for member in range(forms.first[row], forms.first[row] + members.counts[row]):
            key = json.loads(text[places.keys[member] : places.key_ends[member]])
            pairs.append((key, json.loads(text[places.values[member] : places.value_ends[member]])))
        outer, inner = forms.outer[row], forms.inner[row]
        result[line] = pairs[:outer] + pairs[outer + inner :], pairs[outer : outer + inner]
    return result


def _expected(line: bytes) -> tuple[list[tuple[str, Any]], list[tuple[str, Any]]]:
    outer = json.loads(line, object_pairs_hook=list)
    [inner] = [value for _, value in outer if isinstance(value, list)]
    return [(key, dict(value) if isinstance(value, list) else value) for key, value in outer], inner


@settings(max_examples=150)
@given(
    given_lines=st.lists(
        st.tuples(st.just(True), common_lines() | st.sampled_from(COMMON_LINES))
        | st.tuples(st.just(False), st.sampled_from(ODD_LINES)),
        max_size=12,
    )
)
def test_the_members_of_common_objects_are_found_and_no_others(given_lines: list[tuple[bool, bytes]]) -> None:
    lines = [line for _, line in given_lines]
    members = find_members(Lines.joined(lines))
    assert _found(members) == {number: _expected(line) for number, (common, line) in enumerate(given_lines) if common}
    assert list(members.raw) == [line for common, line in given_lines if common]
    assert members.raw_texts().to_pylist() == [line.decode() for common, line in given_lines if common]


@settings(max_examples=400)
@given(line=common_lines(), data=st.data())
def test_a_damaged_line_is_read_as_json_is_read_or_not_at_all(line: bytes, data: st.DataObject) -> None:
    octets = bytearray(line)
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(octets)))
        octets[place : place + data.draw(st.integers(0, 2))] = data.draw(
            st.sampled_from([b"", *(bytes([octet]) for octet in b'{}[]":,\\ntfu-01. \x00\x80\xe9')])
        )
    members = find_members(Lines.joined([bytes(octets)]))
    if len(members.numbers):
        pairs = json.loads(bytes(octets), object_pairs_hook=list)
        twice = len(dict(pairs)) < len(pairs)
        if not twice:
            assert _found(members)[0] == _expected(bytes(octets))


@settings(max_examples=150)
@given(line=common_lines())
def test_lines_stand_there_as_encoders_write_them(line: bytes) -> None:
    [found] = find_members(Lines.joined([line])).lines
    assert found == msgspec.json.encode(msgspec.json.decode(line))


@pytest.mark.parametrize("line", COMMON_LINES)
def test_neighbours_change_nothing(line: bytes) -> None:
    alone = _found(find_members(Lines.joined([line])))[0]
    for other in ODD_LINES:
        found = _found(find_members(Lines.joined([other, line, other])))
        assert found == {1: alone}


@pytest.mark.parametrize("count", [MOST_MEMBERS - 1, MOST_MEMBERS])
def test_a_line_with_very_many_members_is_not_read(count: int) -> None:
    line = msgspec.json.encode({"a": {str(number): 1 for number in range(count - 1)}})
    assert len(find_members(Lines.joined([line])).numbers) == (count < MOST_MEMBERS)


def _two() -> Members:
    return find_members(
        Lines.joined([b'{"id":"7","a":null,"data":{"x":"y z"}}', b'{"b":true,"data":{"k":null},"id":"8"}'])
    )


def test_names_and_wanted_values_are_joined_line_by_line() -> None:
    members = _two()
    names = [numbered(text) for text in members.names().to_pylist()]
    assert names == [(3 * MOST_MEMBERS + 1, '"id","a","data","x"'), (2 * MOST_MEMBERS + 1, '"b","data","k","id"')]
    pieces = pieces_of([(3, 1, 0), (), (2,)])
    for sorts, values in (([0, 2], ['"y z",null,"7"', "null"]), ([1, 0], ["", '"8",{"k":null},true'])):
        found = [numbered(text) for text in members.joined(pieces, np.array(sorts)).to_pylist()]
        assert found == list(zip(sorts, values, strict=True))


def test_objects_are_made_of_wanted_members_without_nulls() -> None:
    pieces = pieces_of([(2, 1, 0), (3, 0, 1)])
    found = _two().objects(pieces, np.array([0, 1])).to_pylist()
    assert found == ['{"data":{"x":"y z"},"id":"7"}', '{"id":"8","b":true,"data":{"k":null}}']


def test_each_loop_is_compiled_for_one_form_of_arrays() -> None:
    """Two processes that keep machine code of two forms at once can mix them up, and then it stays so."""
    members, pieces, places = _two(), pieces_of([(2, 1, 0), (3, 0, 1)]), np.array([0, 1])
    for texts in (members.names(), members.joined(pieces, places), members.objects(pieces, places)):
        assert len(texts) == 2
    assert members.plain(members.forms.first).all()
    assert members.texts(members.forms.first).to_pylist()[0] == "7"
    forms = {name: len(getattr(kernels, name).signatures) for name in kernels.__all__}
    assert forms == dict.fromkeys(kernels.__all__, 1)


def test_lines_that_are_not_wanted_are_gone() -> None:
    members = _two().only(np.array([False, True]))
    assert [numbered(text)[1] for text in members.names().to_pylist()] == ['"b","data","k","id"']
    assert members.texts(members.forms.first + 3).to_pylist() == ["8"]
    assert members.numbers.tolist() == [1]


@pytest.mark.parametrize("number", [0, 1, 63, 64, 4095, 4096, 2**24 - 1])
def test_the_number_before_a_text_is_read_back(number: int) -> None:
    members = find_members(Lines.joined([b'{"a":{},"b":"x"}']))
    begins = np.zeros(number + 2, np.int32)
    begins[-1] = 1
    [text] = members.joined(Pieces(np.array([1], np.int32), begins), np.array([number])).to_pylist()
    assert numbered(text) == (number, '"x"')


@given(texts=st.lists(st.sampled_from(["", "a", "b"]), max_size=20))
def test_distinct_texts_are_told_apart(texts: list[str]) -> None:
    import pyarrow as pa

    found, places = distinct(pa.array(texts, pa.string()))
    assert [found[place] for place in places] == texts
    assert len(set(found)) == len(found)


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("The user did it.", True),
        ("x", True),
        ("", False),
        (" x", False),
        ("x ", False),
        ("a<b", False),
        ("a>b", True),
        ("a&b", False),
        ("it's", False),
        ("a\\nb", False),
        ("Zoë war da", True),
        ("da war Zoë", False),
        ("\x7f", False),
        ("ë", False),
    ],
)
def test_plain_texts_are_printable_and_free_of_mark_up(text: str, plain: bool) -> None:
    members = find_members(Lines.joined([f'{{"a":"{text}","b":{{}}}}'.encode()]))
    assert members.plain(members.forms.first).tolist() == [plain]


_UNCACHED = """
from numba.core.caching import CacheImpl
CacheImpl._locator_classes = []
from sentinelone_collector.normalize.lines import Lines
from sentinelone_collector.normalize.members import find_members
print(find_members(Lines.joined([b'{"a":{}}', b'{'])).numbers.tolist())
"""


def test_the_loops_work_where_no_folder_keeps_machine_code() -> None:
    done = subprocess.run([sys.executable, "-c", _UNCACHED], check=True, capture_output=True, text=True)
    assert done.stdout == "[0]\n"
