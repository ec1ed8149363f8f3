"""Rules over hits: what the hits of one person add up to, whatever order windows are tagged in."""

from __future__ import annotations

import multiprocessing
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from detect_world import CONSOLE, NOW, World, at, event, instance
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from sentinelone_collector.detect import Hit, Ruleset, backtest, hit_finding, load_ruleset
from sentinelone_collector.detect.anomaly.analysis import Analysis
from sentinelone_collector.detect.people import PersonHit, is_sum, person_hits
from sentinelone_collector.detect.risk import summed
from sentinelone_collector.errors import UsageError
from sentinelone_collector.rules import BUILT_IN
from sentinelone_collector.windows import Window

TEN = timedelta(minutes=10)
FEW = (
    *("aa_001", "aa_005_console", "aa_008", "aa_010_2fa", "aa_016", "aa_030", "aa_033_local", "ub_015"),
    *("ul_006_failed", "ul_006_failures", "ul_016_tor"),
)
OFF = ("direction:off",)
# Ann's hits lie at both ends of a day, over midnight, and in windows of which one is empty but for another person
STARTS = ("14T10:00", "14T15:00", "14T23:50", "15T09:50", "15T10:00", "15T23:50")
WINDOWS = [Window(at(f"2026-01-{text}"), at(f"2026-01-{text}") + TEN) for text in STARTS]
STORY = [
    event("off", at("2026-01-14T10:00"), "67", actor="ann", user="bob", labels=OFF),
    event("carol", at("2026-01-14T10:05"), "3767", actor="carol"),
    event("token", at("2026-01-14T15:00"), "112", actor="Ann", user="bob"),
    event("exclusion", at("2026-01-14T15:09:59"), "3001", actor="carol", entity="c:\\x"),
    event("upgrade", at("2026-01-14T23:59:59"), "3767", actor="ann"),
    event("tor", at("2026-01-15T09:50"), "27", user="ann", labels=("address:tor",)),
    event("edge", at("2026-01-15T10:00"), "64", actor="ann", user="ann", device="pc1"),
    event("more", at("2026-01-15T10:01"), "25", actor="ann", user="dave"),
    event("after", at("2026-01-15T23:50"), "67", actor="ann", user="erin", labels=OFF),
]


def _folder(folder: Path) -> Path:
    for path in BUILT_IN.rglob("*.yaml"):
        if path.name.startswith(FEW):
            (folder / path.name).write_text(path.read_text())
    return folder


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> Ruleset:
    ruleset = load_ruleset(_folder(tmp_path_factory.mktemp("rules")))
    assert ruleset.problems == ()
    return ruleset


def _play(world: World, order: Sequence[int]) -> tuple[Any, Any]:
    for number in order:
        world.put(WINDOWS[number], STORY)
        world.tag(WINDOWS[number])
    return world.hit_files(), world.incidents()


def _sums(world: World) -> list[Hit]:
    root = world.folder / "lake" / "hits"
    found = [Window.from_name(path.stem) for path in sorted(root.rglob("*.parquet"))]
    return [hit for window in found for hit in world.hits(window) if is_sum(hit)]


@pytest.fixture(scope="module")
def in_order(few: Ruleset, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Any]:
    world = World(tmp_path_factory.mktemp("order"), few)
    result = _play(world, range(len(WINDOWS)))
    told = {(hit.person, hit.last_time): hit.analysis.observed for hit in _sums(world) if hit.analysis is not None}
    world.store.close()
    moments = {"15T09:50": "170", "15T10:00": "190", "15T23:50": "175"}
    wanted = {("ann", _ms(f"2026-01-{text}")): risk for text, risk in moments.items()}
    assert told == wanted | {("ann", _ms("2026-01-14T23:59:59")): "120"}
    return result


def _ms(text: str) -> int:
    return int(at(text).timestamp() * 1000)


def test_an_incident_says_what_adds_up(in_order: Any, few: Ruleset) -> None:
    days = {one["bucket"]: one for one in in_order[1] if one["rule_id"] == "ub-015"}
    assert set(days) == {_ms("2026-01-14"), _ms("2026-01-15")}  # one incident a person and day
    first = days[_ms("2026-01-14")]
    assert (first["level"], first["attacker"], first["victim"], first["kind"]) == ("high", "ann", "ann", "correlation")
    assert first["summary"] == (
        "ann gathered a risk of 120 within 24 hours by hits of 3 rules:"
        " 2FA disabled (50), Local upgrade authorized (50) and API token generated or allowed (20)."
    )
    assert first["first_seen"] == _ms("2026-01-14T10:00")
    assert "'event_uids': ['off', 'token', 'upgrade']" in str(first["evidence"])
    assert few.get("ub-015").kind == "risk"


@settings(
    max_examples=2, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@example(order=[5, 4, 3, 2, 1, 0])
@example(order=[3, 5, 0, 4, 2, 1, 0, 3])
@given(
    order=st.tuples(st.permutations(range(len(WINDOWS))), st.lists(st.integers(0, len(WINDOWS) - 1), max_size=3)).map(
        lambda both: [*both[0], *both[1]]
    )
)
def test_any_order_of_windows_with_repeats_gives_the_same_sums(
    order: list[int], few: Ruleset, in_order: Any, tmp_path_factory: pytest.TempPathFactory
) -> None:
    world = World(tmp_path_factory.mktemp("shuffled"), few)
    assert _play(world, order) == in_order
    every = world.store.list_incidents(now=NOW, superseded=True, limit=100)
    # Hits that come in late add to a sum and take nothing from it
    assert not [incident for incident in every if incident.superseded]
    for incident in every:
        kinds = [line.kind for line in world.store.get_incident(incident.id, now=NOW).history]
        assert kinds == ["opened"]
    world.store.close()


def _collect(folder: Path, url: str, order: list[int], start: Any) -> None:
    world = World(folder, load_ruleset(folder / "rules"), url=url)
    start.wait()
    _play(world, order)
    world.store.close()


def test_two_processes_at_once_end_in_the_same_sums(
    few: Ruleset, in_order: Any, tmp_path: Path, store_url: str
) -> None:
    (tmp_path / "rules").mkdir()
    _folder(tmp_path / "rules")
    World(tmp_path, few, url=store_url).store.close()
    context = multiprocessing.get_context("fork")
    start = context.Barrier(2)
    orders = ([0, 2, 4, 1, 3, 5], [5, 3, 1, 4, 2, 0])
    processes = [
        context.Process(target=_collect, args=(tmp_path, store_url, order, start), daemon=True) for order in orders
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0]
    world = World(tmp_path, few, url=store_url)
    assert (world.hit_files(), world.incidents()) == in_order
    world.store.close()


def test_what_is_taken_back_supersedes_and_what_comes_again_restores(make_world: Any, few: Ruleset) -> None:
    world = make_world(ruleset=few)
    _play(world, range(3))
    (raised,) = [one for one in world.incidents() if one["rule_id"] == "ub-015"]

    def tagged_with(rows: list[dict[str, Any]]) -> list[str]:
        world.put(WINDOWS[0], rows)
        done = world.tag(WINDOWS[0])
        # Its hit stands in a window that is not looked at for any other reason
        assert done.retagged == (WINDOWS[2].name,)
        found = world.store.get_incident(raised["id"], now=NOW)
        return [line.kind for line in found.history]

    assert tagged_with([row for row in STORY if row["metadata"]["uid"] != "off"]) == ["opened", "superseded"]
    assert _sums(world) == []
    assert tagged_with(STORY) == ["opened", "superseded", "restored"]
    assert [one for one in world.incidents() if one["rule_id"] == "ub-015"] == [raised]
    assert world.tag(WINDOWS[0]).retagged == ()
    assert [line.kind for line in world.store.get_incident(raised["id"], now=NOW).history][3:] == []


def test_a_tagging_that_died_half_way_is_made_up_by_the_next(
    make_world: Any, few: Ruleset, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first window has no hit: it makes a login in the second one suspicious, which makes up a sum in the third."""
    windows = [Window(at(f"2026-01-14T{text}"), at(f"2026-01-14T{text}") + TEN) for text in ("09:50", "10:00", "15:00")]
    rows = [event(f"f{n}", windows[0].start + n * timedelta(seconds=1), "133", user="ann") for n in range(5)]
    rows += [
        event("login", windows[1].start, "27", user="ann"),
        event("off", windows[2].start, "67", actor="ann", user="bob", labels=OFF),
        event("token", windows[2].start, "112", actor="ann", user="bob"),
    ]
    world = make_world(ruleset=few)
    for number, window in enumerate(windows):
        world.put(window, rows if number else [])
        world.tag(window)
    assert _sums(world) == []
    real, left = world.store.replace_hits, [1]

    def once(*args: Any, **more: Any) -> None:
        if not left[0]:
            raise OSError("no space")
        left[0] -= 1
        real(*args, **more)

    world.put(windows[0], rows)
    with monkeypatch.context() as patched:
        patched.setattr(world.store, "replace_hits", once)
        with pytest.raises(OSError, match="no space"):
            world.tag(windows[0])
    world.tag(windows[0])
    (hit,) = _sums(world)
    assert (hit.analysis.observed if hit.analysis else "", hit.last_time) == ("120", _ms("2026-01-14T15:00"))
    assert [incident["rule_id"] for incident in world.incidents() if incident["entity"] == "ann"].count("ub-015") == 1


@pytest.mark.parametrize(
    ("rules", "left"),
    [
        ({"disable": ["ub-015"]}, set()),
        ({"allow": [{"rule": "ub-015", "who": "ANN", "reason": "known", "expires": "2026-01-14"}]}, {"170"}),
        ({"disable": ["aa-033"]}, {"120"}),
        ({"allow": [{"rule": "aa-010", "who": "ann", "reason": "known"}]}, {"120"}),
    ],
)
def test_what_is_off_or_allowed_does_not_count(make_world: Any, few: Ruleset, rules: Any, left: set[str]) -> None:
    world = make_world(ruleset=few, instance=instance(rules=rules))
    _play(world, [2, 0, 1, 3])
    assert {hit.analysis.observed for hit in _sums(world) if hit.analysis} == left


def test_a_change_window_lowers_what_is_summed(make_world: Any, few: Ruleset) -> None:
    announced = {"start": at("2026-01-14T09:00"), "end": at("2026-01-15T08:00"), "reason": "roll-out"}
    world = make_world(ruleset=few, instance=instance(rules={"change_windows": [announced]}))
    _play(world, [0, 1, 2])
    assert _sums(world) == []  # 20 + 5 + 20


def test_a_backtest_finds_what_tagging_found(make_world: Any, few: Ruleset) -> None:
    world = make_world(ruleset=few)
    _play(world, range(len(WINDOWS)))
    span = (at("2026-01-15T09:00"), at("2026-01-16"))
    found = backtest("ub-015", [world.instance], *span, lake=world.lake, ruleset=few, store=world.store)
    (activities,) = [one for one in found if one.stream == "activities"]
    plain = {(hit.last_time, hit.summary) for hit in _sums(world) if hit.last_time >= _ms("2026-01-15T09:00")}
    assert {(hit.last_time, hit.summary) for hit in activities.hits} == plain
    assert (activities.count, activities.incidents) == (3, 1)
    with pytest.raises(UsageError, match="needs the store"):
        backtest("ub-015", [world.instance], *span, lake=world.lake, ruleset=few)


def test_a_sum_is_a_finding_with_its_parts(make_world: Any, few: Ruleset) -> None:
    world = make_world(ruleset=few)
    _play(world, [0, 1, 2])
    (hit,) = _sums(world)
    finding = hit_finding(hit, console=CONSOLE)
    (analysis,) = finding["anomaly_analyses"]
    assert analysis["anomalies"][0]["observed_pattern"] == "ACCUMULATED"
    assert analysis["baselines"][0]["observations"] == [
        {"value": "aa-010 2FA disabled (1 high)", "count": 50},
        {"value": "aa-033 Local upgrade authorized (1 high)", "count": 50},
        {"value": "aa-008 API token generated or allowed (1 medium)", "count": 20},
    ]


def _hit(at_ms: int, incident: str, severity: int, person: str = "ann") -> PersonHit:
    return PersonHit(
        person=person,
        shown=person.title(),
        window=f"w{at_ms // 1000}",
        at=at_ms,
        hit_id=f"{at_ms}-{incident}-{severity}",
        rule=incident[0],
        title=incident[0],
        incident=incident,
        severity_id=severity,
        event=f"e{at_ms}",
    )


_HOUR = 3_600_000
_HITS = st.lists(
    st.builds(
        _hit,
        st.integers(0, 10).map(lambda n: n * 4 * _HOUR) | st.integers(0, 40 * 6).map(lambda n: n * _HOUR // 6),
        st.sampled_from(["a1", "a2", "b1", "b2", "c1", "d1"]),
        st.integers(1, 5),
        st.sampled_from(["ann", "bob"]),
    ),
    max_size=25,
)


def _by_definition(hits: Sequence[PersonHit], weights: Sequence[float]) -> dict[tuple[str, int], tuple[int, float]]:
    """Return the first moment at which the sum holds, and the sum, of each person and hour, straight from the words."""
    found: dict[tuple[str, int], tuple[int, float]] = {}
    for one in sorted(hits, key=lambda hit: hit.at):
        span = [hit for hit in hits if hit.person == one.person and one.at - 24 * _HOUR <= hit.at <= one.at]
        levels = {hit.incident: max(h.severity_id for h in span if h.incident == hit.incident) for hit in span}
        total = sum(weights[level - 1] for level in levels.values())
        if total >= 100 and len({incident[0] for incident in levels}) >= 3:
            found.setdefault((one.person, one.at // _HOUR), (one.at, total))
    return found


@settings(max_examples=100)
@given(hits=_HITS)
def test_sums_are_what_their_words_say(hits: list[PersonHit], few: Ruleset) -> None:
    rule = few.get("ub-015")
    assert rule.risk is not None
    counted = frozenset("abcd")
    found = list(summed(rule, rule.risk, hits, counted=counted, console=CONSOLE))
    told = {
        (str(one.hit.entity), one.hit.last_time // _HOUR): (one.hit.last_time, one.hit.analysis.score)
        for one in found
        if one.hit.analysis is not None
    }
    assert told == _by_definition(hits, rule.risk.weights)
    assert len(told) == len(found)
    for one in found:
        assert one.windows == {
            hit.window for hit in hits if (hit.person, hit.at) == (one.hit.entity, one.hit.last_time)
        }
    assert list(summed(rule, rule.risk, hits, counted=frozenset(), console=CONSOLE)) == []


def test_what_has_no_baseline_counts_for_nobody(make_world: Any, few: Ruleset) -> None:
    world = make_world(ruleset=few)
    world.put(WINDOWS[0], STORY)
    world.tag(WINDOWS[0])
    hit = next(hit for hit in world.hits(WINDOWS[0]) if hit.person == "ann")
    said = Analysis(
        detector="hour",
        parameter="hour",
        pattern="off_hours",
        observed="03:00",
        basis="user",
        days=9,
        events=9,
        score=0.001,
        measure="probability",
        words="",
    )
    counted = [
        [one.person for one in person_hits([msgspec.structs.replace(hit, analysis=analysis)], WINDOWS[0], console="c")]
        for analysis in (None, said, msgspec.structs.replace(said, cold=True))
    ]
    assert counted == [["ann"], ["ann"], []]


def test_whose_doing_a_hit_is(make_world: Any, built_in: Ruleset) -> None:
    """Of an act the actor, of a login whose account it is; of what counts several people's events nobody."""
    world = make_world(ruleset=built_in)
    start = WINDOWS[0].start
    rows = [
        event("exclusion", start, "3001", actor="Ann", user="x", entity="c:\\x"),
        event("tor", start, "27", user="bob", ip="203.0.113.1", labels=("address:tor",)),
        *(event(f"f{n}", start + timedelta(seconds=n), "133", user="carol", ip="203.0.113.9") for n in range(10)),
        *(event(f"s{n}", start + timedelta(seconds=n), "133", user=f"u{n % 6}", ip="203.0.113.8") for n in range(18)),
        event("threat", start, "4003", actor="process", device="pc1"),
    ]
    world.put(WINDOWS[0], rows)
    world.tag(WINDOWS[0])
    persons = {hit.rule_id: hit.person for hit in world.hits(WINDOWS[0]) if hit.analysis is None}
    assert persons == {
        "aa-016": "Ann",
        "ul-016-tor": "bob",
        "ul-003": "carol",
        "ul-003-source": None,
        "ul-004": None,
        "ep-002": None,
    }


RULE = next(BUILT_IN.rglob("ub_015*.yaml")).read_text()


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('rules: ["*"]', 'rules: ["zz-*"]', "no rule zz-* gives hits"),
        ('rules: ["*"]', "rules: []", "names the rules"),
        ("group-by: [x-person]", "group-by: [user.name]", "group-by is [x-person]"),
        ("type: value_sum", "type: value_count", "type is value_sum"),
        ("gte: 100", "lt: 100", "gte and a number above 0"),
        ("gte: 100", "gte: 0", "gte and a number above 0"),
        ("timespan: 24h", "timespan: 8d", "7 days at most"),
        (", critical: 100}", "}", "a weight for each of"),
        ("{distinct: {x-rule: 3}}", "{distinct: {user.name: 3}}", "require of a sum"),
        ("{distinct: {x-rule: 3}}", "{events: 3}", "require of a sum"),
        ("    keys: [actor.user.name]", "    keys: [user.name]", "dedup.keys of a sum"),
        ("level: high\n", "level: high\ndetector: {type: newcomer, feature: login}\n", "a detector or a correlation"),
        ("  dedup:", "  unless: [aa-008]\n  dedup:", "no unless, match or direction"),
    ],
)
def test_a_wrong_sum_is_reported_and_the_other_rules_stay(tmp_path: Path, old: str, new: str, says: str) -> None:
    assert RULE.count(old) == 1
    _folder(tmp_path)
    (wrong,) = tmp_path.glob("ub_015*")
    wrong.write_text(RULE.replace(old, new))
    ruleset = load_ruleset(tmp_path)
    (problem,) = ruleset.problems
    assert says in problem.text
    assert (problem.path, problem.line is not None) == (wrong, True)
    assert "ub-015" not in ruleset.by_name
    assert "aa-008" in ruleset.by_name


def test_a_correlation_counts_no_sums(tmp_path: Path) -> None:
    _folder(tmp_path)
    above = """\
title: Above
id: 44444444-4444-4444-8444-444444444444
name: above
correlation: {type: event_count, rules: [ub-015], group-by: [user.name], timespan: 1h, condition: {gte: 1}}
level: low
x-incident:
  family: endpoint
  classification: recon
  reason: why
  recommendation: what
  tests: {hits: [{}, {}], misses: [{}, {}]}
"""
    (tmp_path / "above.yaml").write_text(above)
    ruleset = load_ruleset(tmp_path)
    assert ["ub-015 follows from hits" in problem.text for problem in ruleset.problems] == [True]
    assert "ub-015" in ruleset.by_name


def test_sums_count_neither_themselves_nor_each_other(built_in: Ruleset) -> None:
    (rule,) = built_in.risks
    assert rule.risk is not None
    counted = built_in.counted_by(rule.risk)
    assert rule.name not in counted
    assert counted == {one.name for one in built_in.incident_rules} - {rule.name}
