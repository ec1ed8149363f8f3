"""One bad record costs neither the page nor its neighbours, and every record keeps its bytes."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentinelone_collector.errors import ProtocolError
from sentinelone_collector.source.spans import children, members, one_line

GOOD = b'{"id":"2","createdAt":"2026-11-22T10:00:00.000000Z"}'
ODD = [
    b'{"id":"1","a":NaN}',
    b'{"id":"1","a":-Infinity}',
    b'{"id":"1","a":1e400}',
    b'{"id":"1","a":01}',
    b'{"id":"1","a":"\\ud800"}',
    b'{"id":"1","a":"\\q"}',
    b'{"id":"1","a":"\xff\xfe bad utf-8"}',
    b'{"id":"1","a":"\x00\x01"}',
    b'{"id":"1","a":' + b"[" * 1000 + b"]" * 1000 + b"}",
    b'{"id":"1","a":' + b'{"b":' * 50_000 + b"1" + b"}" * 50_000 + b"}",
    b'{"id":"1","a":"],[{}\\"\\\\"}',
    b'{"id":"1","id":"1"}',
    b'{"id":"1","a":\xc2\xa0None}',
    b"null",
    b'"text"',
    b"7",
    b"[]",
    b"{}",
    b'{"id":"1","a":"' + b"x" * 5_000_000 + b'"}',
]


def page_of(*records: bytes, cursor: bytes = b"null") -> bytes:
    return b'{"pagination":{"nextCursor":%s,"totalItems":3},"data":[%s]}' % (cursor, b",".join(records))


@pytest.mark.parametrize("odd", ODD, ids=lambda record: repr(record[:24]))
def test_an_odd_record_keeps_its_bytes_and_its_neighbours(bench: Any, odd: Any) -> None:
    bench.answers(bench.Reply(200, page_of(GOOD, odd, GOOD, cursor=b'"next"')), bench.Reply(200, page_of(odd)))
    assert bench.pages() == [GOOD, odd, GOOD, odd]
    assert bench.network.sent[1].query["cursor"] == "next"


def test_line_breaks_between_values_become_spaces_and_nothing_else_changes(bench: Any) -> None:
    body = b'\xef\xbb\xbf{\r\n "data": [\r\n {\r\n  "id": "1",\n\t"b":  1.0 }\r\n,\n{ }\n] , "pagination": { } }\n'
    bench.answers(bench.Reply(200, body))
    assert bench.pages() == [b'{    "id": "1", \t"b":  1.0 }', b"{ }"]


@pytest.mark.parametrize("odd", [b'{"a":NaN}', b"{}"])
@pytest.mark.parametrize("cut", [1, 2, 5, 40])
def test_a_page_that_is_cut_off_is_refused_whole_also_with_an_odd_record(bench: Any, odd: Any, cut: Any) -> None:
    bench.answers(bench.Reply(200, page_of(odd, GOOD)[:-cut]))
    with pytest.raises(ProtocolError, match="cut off"):
        bench.make(patience=2.0).first_page(bench.endpoint, {})


@pytest.mark.parametrize(
    "body",
    [
        b'{"data":[{"a":NaN},],"pagination":{}}',
        b'{"data":[{"a":NaN}],"pagination":{}} extra',
        b'{"data":[{"a":NaN]],"pagination":{}}',
        b'{"data":[{"a":NaN}],"pagination":[}',
        b'{"data":[{"a":"}]}',
        b'{"data":{"a":NaN},"pagination":{}}',
        b'{"data":[{"a":NaN}]}',
        b'{"dat\\q":[NaN],"pagination":{}}',
    ],
)
def test_what_is_no_page_is_no_page(bench: Any, body: Any) -> None:
    bench.answers(bench.Reply(200, body))
    with pytest.raises(ProtocolError):
        bench.make(patience=2.0).first_page(bench.endpoint, {})


def test_errors_beside_an_odd_record_are_still_seen(bench: Any) -> None:
    bench.answers(bench.Reply(200, b'{"data":[{"a":NaN}],"pagination":{},"errors":[{"title":"half a result"}]}'))
    with pytest.raises(ProtocolError, match="half a result"):
        bench.make(patience=2.0).first_page(bench.endpoint, {})


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(st.lists(json_values, max_size=6), st.sampled_from([None, 1, "\t"]), st.booleans())
@settings(max_examples=100)
def test_the_splitter_agrees_with_a_parser(values: Any, indent: Any, ascii_only: Any) -> None:
    text = json.dumps(values, indent=indent, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
    assert [json.loads(part.decode("utf-8", "surrogatepass")) for part in children(text)] == values


@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), json_values, max_size=6))
@settings(max_examples=100)
def test_members_are_found_by_their_key(value: Any) -> None:
    text = json.dumps(value).encode()
    assert {key: json.loads(part) for key, part in members(text).items()} == value


@given(st.lists(st.dictionaries(st.text(max_size=5), json_values, max_size=4), max_size=4))
@settings(max_examples=60)
def test_both_ways_of_splitting_give_the_same_bytes(records: Any) -> None:
    texts = [json.dumps(record).encode() for record in records]
    try:
        parsed = [bytes(raw) for raw in msgspec.json.decode(b"[" + b" , ".join(texts) + b"]", type=list[msgspec.Raw])]
    except msgspec.DecodeError:
        return  # a lone surrogate, which only the splitter takes
    assert children(b"[" + b" , ".join(texts) + b"]") == parsed == texts


def test_the_last_of_equal_keys_counts() -> None:
    assert members(b'{"a":1,"b":2,"\\u0061":3}') == {"a": b"3", "b": b"2"}


def test_members_with_an_unreadable_key_are_left_out() -> None:
    text = b' {"a" : 1, 7:2, "b\\ud800":3, "\xff":4, "c" 5, "d":[6] }'
    assert members(text) == {"a": b"1", "d": b"[6]"}


@pytest.mark.parametrize("text", [b'["a"]', b"[]", b"7", b'"a"', b"", b" "])
def test_members_are_those_of_an_object(text: bytes) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        members(text)


def test_one_line_changes_line_breaks_alone() -> None:
    record = bytes(range(256))
    changed = one_line(record)
    assert [index for index in range(256) if changed[index] != record[index]] == [10, 13]
    assert changed[10] == changed[13] == 32


@pytest.mark.parametrize(
    "text", [b'["a]', b'[1,"x]', b'{"a":"}', b'["a\\"]', b"[1", b"[1]]", b"[1}", b"7", b"", b"[,1]", b"[1,]"]
)
def test_what_does_not_end_where_it_should_is_refused(text: bytes) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        children(text)
