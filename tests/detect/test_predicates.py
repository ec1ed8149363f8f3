from __future__ import annotations

import ipaddress
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from detect_world import at
from hypothesis import given, settings
from hypothesis import strategies as st

from sentinelone_collector.detect import load_ruleset, test_rules
from sentinelone_collector.detect.engine import match, open_engine
from sentinelone_collector.detect.testing import RuleTest
from sentinelone_collector.normalize.schema import event_schema

WHEN = int(at("2026-01-14T12:00").timestamp() * 1000)
HEAD = {
    "title": "t",
    "logsource": {"product": "sentinelone", "service": "console"},
    "level": "low",
}
BLOCK = {
    "family": "endpoint",
    "classification": "recon",
    "reason": "r",
    "recommendation": "r",
}


def rule(name: str, detection: dict[str, Any], number: int = 0) -> dict[str, Any]:
    tests = {"hits": [{"message": "x"}] * 2, "misses": [{"message": "x"}] * 2}
    return {
        **HEAD,
        "name": name,
        "id": f"00000000-0000-4000-8000-{number:012d}",
        "detection": detection,
        "x-incident": {**BLOCK, "tests": tests},
    }


class Memory:
    """Events in memory, for the engine."""

    def __init__(self, rows: list[dict[str, Any]]) -> None:
        import pyarrow as pa

        filled = [
            {"time": WHEN, "metadata": {"uid": str(number)} | row.get("metadata", {})}
            | {k: v for k, v in row.items() if k != "metadata"}
            for number, row in enumerate(rows)
        ]
        self.table = pa.Table.from_pylist(filled, schema=event_schema())

    def attach(self, connection: Any) -> str:
        connection.register("memory", self.table)
        connection.execute("CREATE TEMP TABLE sources AS SELECT 0 AS origin, 0 AS source, 0 AS part, 0 AS lo, 0 AS hi")
        return "(SELECT *, 0 AS origin FROM memory) e"


def matching(folder: Path, detections: list[dict[str, Any]], rows: list[dict[str, Any]]) -> list[set[int]]:
    """Return, for each detection, the numbers of the events that it matches."""
    documents = [rule(f"rule-{number:03d}", detection, number) for number, detection in enumerate(detections)]
    (folder / "rules.yaml").write_text(yaml.safe_dump_all(documents, sort_keys=False))
    ruleset = load_ruleset(folder)
    assert ruleset.problems == ()
    connection = open_engine()
    match(connection, ruleset, Memory(rows))
    found: list[set[int]] = [set() for _ in detections]
    for uid, numbers in connection.execute("SELECT uid, rules FROM matched").fetchall():
        for number in numbers:
            found[number].add(int(uid))
    connection.close()
    return found


EVENTS: list[dict[str, Any]] = [
    {"actor": {"user": {"name": "Ann"}}, "severity_id": 3, "src_endpoint": {"ip": "10.0.0.5"}},  # 0
    {"actor": {"user": {"name": "ANNA"}}, "severity_id": 10, "metadata": {"labels": ["direction:off", "x"]}},  # 1
    {"user": {"name": "bob"}, "unmapped": json.dumps({"data": {"newValue": True, "n": 5, "t": "A_b%c"}})},  # 2
    {"entity": {"name": "C:\\Temp\\a.exe"}, "src_endpoint": {"ip": "2001:db8::1"}, "is_mfa": False},  # 3
    {"message": "line one\nline two", "src_endpoint": {"ip": "10.0.1.200"}, "is_mfa": True},  # 4
    {"actor": {"user": {"name": "bob"}}, "user": {"name": "BOB"}, "metadata": {"labels": []}},  # 5
    {"resources": [{"name": "Alpha"}, {"name": None}], "src_endpoint": {"ip": "999.0.0.1"}},  # 6
    {"unmapped": json.dumps({"data": {"newvalue": None, "n": "7", "quote's": "x"}})},  # 7
]
CASES: list[tuple[str, dict[str, Any], set[int]]] = [
    ("equality ignores case", {"s": {"actor.user.name": "ann"}}, {0}),
    ("cased does not", {"s": {"actor.user.name|cased": "ann"}}, set()),
    ("startswith", {"s": {"actor.user.name|startswith": "an"}}, {0, 1}),
    ("contains", {"s": {"actor.user.name|contains": "NN"}}, {0, 1}),
    ("endswith a backslash path", {"s": {"entity.name|endswith": "\\a.exe"}}, {3}),
    ("a single wildcard", {"s": {"actor.user.name": "an?"}}, {0}),
    ("wildcards of LIKE are plain in Sigma", {"s": {"unmapped.data.t": "a_b%c"}}, {2}),
    ("they do not match others", {"s": {"unmapped.data.t": "a?b_c"}}, set()),
    ("contains an underscore", {"s": {"unmapped.data.t|contains": "_"}}, {2}),
    ("an escaped star", {"s": {"actor.user.name": "an\\*"}}, set()),
    ("numbers compare as numbers", {"s": {"severity_id|gt": 3}}, {1}),
    ("gte", {"s": {"severity_id|gte": 3}}, {0, 1}),
    ("lt", {"s": {"severity_id|lt": 10}}, {0}),
    ("lte", {"s": {"severity_id|lte": 3}}, {0}),
    ("a number as text", {"s": {"severity_id": "3"}}, {0}),
    ("a number in vendor data", {"s": {"unmapped.data.n|gte": 5}}, {2, 7}),
    ("equal number in vendor data", {"s": {"unmapped.data.n": 7}}, {7}),
    ("a bool in vendor data", {"s": {"unmapped.data.newValue": True}}, {2}),
    ("a bool", {"s": {"is_mfa": False}}, {3}),
    ("null of a missing field", {"s": {"is_mfa": None}}, {0, 1, 2, 5, 6, 7}),
    ("JSON null is null", {"s": {"unmapped.data.newValue": None}}, {0, 1, 3, 4, 5, 6, 7}),
    ("exists", {"s": {"unmapped.data.n|exists": True}}, {2, 7}),
    ("exists not", {"s": {"src_endpoint.ip|exists": False}}, {1, 2, 5, 7}),
    ("exists of a list", {"s": {"metadata.labels|exists": True}}, {1}),
    ("null of a list", {"s": {"metadata.labels": None}}, {0, 2, 3, 4, 5, 6, 7}),
    ("a list holds a value", {"s": {"metadata.labels": "DIRECTION:OFF"}}, {1}),
    ("a list holds a pattern", {"s": {"metadata.labels|startswith": "direction:"}}, {1}),
    ("a list of objects", {"s": {"resources.name": "alpha"}}, {6}),
    ("all", {"s": {"metadata.labels|contains|all": ["off", "x"]}}, {1}),
    ("a regular expression minds case", {"s": {"actor.user.name|re": "^A[nN]+"}}, {0, 1}),
    ("and can be told not to", {"s": {"actor.user.name|re|i": "^ann$"}}, {0}),
    ("an IPv4 network", {"s": {"src_endpoint.ip|cidr": "10.0.0.0/24"}}, {0}),
    ("an odd IPv4 network", {"s": {"src_endpoint.ip|cidr": "10.0.1.192/26"}}, {4}),
    ("all IPv4 addresses", {"s": {"src_endpoint.ip|cidr": "0.0.0.0/0"}}, {0, 4}),
    ("an IPv6 network", {"s": {"src_endpoint.ip|cidr": "2001:db8::/32"}}, {3}),
    ("two fields", {"s": {"actor.user.name|fieldref": "user.name"}}, {5}),
    ("or in a list", {"s": {"actor.user.name": ["ann", "bob"]}}, {0, 5}),
    ("or of maps", {"s": [{"is_mfa": True}, {"severity_id": 3}]}, {0, 4}),
    ("a wildcard over lines", {"s": {"message": "line*two"}}, {4}),
    ("a quote is quoted", {"s": {"unmapped.data.quote's": "X"}}, {7}),
    ("an injection is a value", {"s": {"message": "' OR true --"}}, set()),
    ("anything", {"s": {"message": "*"}}, {4}),
]


def test_each_kind_of_condition_matches_what_a_reader_expects(tmp_path: Path) -> None:
    detections = [{**detection, "condition": "s"} for _, detection, _ in CASES]
    found = matching(tmp_path, detections, EVENTS)
    wrong = {case[0]: (got, case[2]) for case, got in zip(CASES, found, strict=True) if got != case[2]}
    assert wrong == {}


def test_not_matches_events_that_lack_the_field(tmp_path: Path) -> None:
    detections = [{**detection, "condition": "not s"} for _, detection, _ in CASES]
    found = matching(tmp_path, detections, EVENTS)
    everything = set(range(len(EVENTS)))
    wrong = {case[0]: got for case, got in zip(CASES, found, strict=True) if got != everything - case[2]}
    assert wrong == {}


def test_a_selector_counts_detections(tmp_path: Path) -> None:
    parts = {"s_one": {"severity_id": 3}, "s_two": {"actor.user.name": "ann*"}}
    found = matching(tmp_path, [{**parts, "condition": "1 of s_*"}, {**parts, "condition": "all of them"}], EVENTS)
    assert found == [{0, 1}, {0}]


FIELDS = {
    "actor.user.name": st.sampled_from(["ann", "Bob", "a_n", "an%", "x*y", "", "10.0.0.1"]),
    "severity_id": st.integers(0, 3),
    "metadata.labels": st.lists(st.sampled_from(["on", "OFF", "on-off"]), max_size=2),
    "unmapped.data.v": st.sampled_from(["ann", "1", True, None, 2]),
}
PATTERNS = ["ann", "a*", "*n", "?nn", "on", "*o*", "1", "a_n", "a\\*", "", "x\\*y", "true"]


def _value(row: dict[str, Any], name: str) -> Any:
    return row.get(name)


def _text_match(value: Any, pattern: str) -> bool:
    plain = {True: "true", False: "false"}.get(value, value) if isinstance(value, bool) else value
    parts = re.split(r"(\\\*|\\\?|\*|\?)", pattern)
    regex = "".join({"*": ".*", "?": ".", "\\*": r"\*", "\\?": r"\?"}.get(part, re.escape(part)) for part in parts)
    return re.fullmatch(regex, str(plain), re.IGNORECASE | re.DOTALL) is not None


def reference(tree: Any, row: dict[str, Any]) -> bool:
    kind, *args = tree
    if kind == "not":
        return not reference(args[0], row)
    if kind in {"and", "or"}:
        results = [reference(arg, row) for arg in args]
        return all(results) if kind == "and" else any(results)
    value = _value(row, args[0])
    if kind == "null":
        return value is None or value == []
    if kind == "gt":
        try:
            return not isinstance(value, bool) and float(value) > args[1]
        except (TypeError, ValueError):
            return False
    values = value if isinstance(value, list) else [value]
    return any(_text_match(one, args[1]) for one in values if one is not None)


TEXTS = ["actor.user.name", "metadata.labels", "unmapped.data.v", "severity_id"]
LEAVES = st.one_of(
    st.tuples(st.just("eq"), st.sampled_from(TEXTS), st.sampled_from(PATTERNS)),
    st.tuples(st.just("null"), st.sampled_from(TEXTS)),
    st.tuples(st.just("gt"), st.sampled_from(["severity_id", "unmapped.data.v"]), st.integers(0, 2)),
)
TREES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.tuples(st.just("not"), inner),
        st.tuples(st.just("and"), inner, inner),
        st.tuples(st.just("or"), inner, inner),
    ),
    max_leaves=5,
)


def as_detection(tree: Any) -> dict[str, Any]:
    parts: dict[str, Any] = {}

    def condition(node: Any) -> str:
        kind, *args = node
        if kind == "not":
            return f"(not {condition(args[0])})"
        if kind in {"and", "or"}:
            return "(" + f" {kind} ".join(condition(arg) for arg in args) + ")"
        name = f"s{len(parts)}"
        parts[name] = {f"{args[0]}|gt": args[1]} if kind == "gt" else {args[0]: args[1] if kind == "eq" else None}
        return name

    text = condition(tree)
    return {**parts, "condition": text}


def as_event(row: dict[str, Any]) -> dict[str, Any]:
    event: dict[str, Any] = {}
    if "actor.user.name" in row:
        event["actor"] = {"user": {"name": row["actor.user.name"]}}
    if "severity_id" in row:
        event["severity_id"] = row["severity_id"]
    if "metadata.labels" in row:
        event["metadata"] = {"labels": row["metadata.labels"]}
    if "unmapped.data.v" in row:
        event["unmapped"] = json.dumps({"data": {"v": row["unmapped.data.v"]}})
    return event


@settings(max_examples=12, deadline=None)
@given(
    trees=st.lists(TREES, min_size=6, max_size=12),
    rows=st.lists(st.fixed_dictionaries({}, optional=FIELDS), min_size=5, max_size=25),
)
def test_random_conditions_match_as_a_plain_evaluator_says(
    trees: list[Any], rows: list[dict[str, Any]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    found = matching(
        tmp_path_factory.mktemp("random"), [as_detection(tree) for tree in trees], [as_event(row) for row in rows]
    )
    expected = [{number for number, row in enumerate(rows) if reference(tree, row)} for tree in trees]
    assert found == expected


@settings(max_examples=10, deadline=None)
@given(
    networks=st.lists(st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 32)), min_size=5, max_size=10),
    addresses=st.lists(st.integers(0, 2**32 - 1), min_size=5, max_size=20),
)
def test_networks_hold_the_addresses_that_python_says(
    networks: list[tuple[int, int]], addresses: list[int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    nets = [ipaddress.ip_network((number, size), strict=False) for number, size in networks]
    near = [int(net.network_address) for net in nets] + [int(net.broadcast_address) for net in nets]
    ips = [ipaddress.ip_address(number) for number in addresses + near]
    detections = [{"s": {"src_endpoint.ip|cidr": str(net)}, "condition": "s"} for net in nets]
    found = matching(tmp_path_factory.mktemp("nets"), detections, [{"src_endpoint": {"ip": str(ip)}} for ip in ips])
    assert found == [{number for number, ip in enumerate(ips) if ip in net} for net in nets]


def test_the_sample_runner_tells_hits_from_misses(tmp_path: Path) -> None:
    document = rule("rule-a", {"s": {"message": "x"}, "condition": "s"})
    (tmp_path / "a.yaml").write_text(yaml.safe_dump(document))
    (result,) = test_rules(load_ruleset(tmp_path))
    assert [(one.expected, one.passed) for one in result.samples] == [("hit", True)] * 2 + [("miss", False)] * 2
    assert not result.passed
    assert result.path.endswith("a.yaml")


def test_variants_with_the_same_samples_are_told_apart(tmp_path: Path) -> None:
    tests = {"hits": [{"message": "x"}, {"message": "xy"}], "misses": [{"message": "y"}, {"message": "z"}]}
    said = {"right": "x", "wide": "", "narrow": "xy"}
    for number, (name, text) in enumerate(said.items()):
        document = rule(f"rule-{name}", {"s": {"message|contains": text}, "condition": "s"}, number)
        document["x-incident"]["tests"] = tests
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(document))
    results = {one.rule: [(sample.hits, sample.passed) for sample in one.samples] for one in _samples_of(tmp_path)}
    assert results == {
        "rule-right": [(1, True), (1, True), (0, True), (0, True)],
        "rule-wide": [(1, True), (1, True), (1, False), (1, False)],
        "rule-narrow": [(0, False), (1, True), (0, True), (0, True)],
    }


def test_samples_written_alike_over_other_bases_have_other_events(tmp_path: Path) -> None:
    for number, code in enumerate(("67", "68")):
        document = rule(f"rule-{code}", {"s": {"metadata.event_code": "67"}, "condition": "s"}, number)
        document["x-incident"]["tests"] |= {"base": {"metadata.event_code": code}}
        (tmp_path / f"{code}.yaml").write_text(yaml.safe_dump(document))
    hits = {one.rule: {sample.hits for sample in one.samples} for one in _samples_of(tmp_path)}
    assert hits == {"rule-67": {1}, "rule-68": {0}}


def _samples_of(folder: Path) -> list[RuleTest]:
    ruleset = load_ruleset(folder)
    assert ruleset.problems == ()
    return test_rules(ruleset)
