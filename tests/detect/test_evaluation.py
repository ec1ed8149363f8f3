"""The evaluation of login scores: it can be repeated, it measures what it says, and the score is worth what it was."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd  # noqa: TID253  # frames are compared
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from sentinelone_collector.detect.anomaly.login_scoring import login_terms
from sentinelone_collector.detect.evaluation import (
    MODELS,
    Evaluation,
    World,
    attacks,
    build_world,
    evaluate,
    evaluate_rba,
    read_rba,
)
from sentinelone_collector.detect.evaluation.measures import area_under_curve, calibration, recall, threshold
from sentinelone_collector.detect.evaluation.run import WHOLE
from sentinelone_collector.errors import UsageError


@pytest.fixture(scope="module")
def world() -> World:
    return build_world(5, users=80, baseline_days=60, test_days=12)


@pytest.fixture(scope="module")
def found(world: World) -> Evaluation:
    return evaluate(world, seed=5, number=300)


def test_a_world_follows_from_its_seed(world: World) -> None:
    again = build_world(5, users=80, baseline_days=60, test_days=12)
    pd.testing.assert_frame_equal(world.logins, again.logins)
    assert not world.logins.equals(build_world(6, users=80, baseline_days=60, test_days=12).logins)
    for model in MODELS:
        pd.testing.assert_frame_equal(attacks(world, model, 50, 5), attacks(again, model, 50, 5))


def test_attackers_are_what_their_names_say(world: World) -> None:
    home = {person.name: person.country for person in world.people}
    naive, vpn, targeted = (attacks(world, model, 300, 5) for model in MODELS)
    assert (naive["country"] != naive["entity"].map(home)).mean() > 0.9
    for local in (vpn, targeted):
        assert (local["country"] == local["entity"].map(home)).all()
    assert targeted["kind"].isna().all()
    assert 0.5 < vpn["kind"].eq("vpn").mean() < 0.9
    assert set(naive["method"]) == {"mgmt"}


def test_recall_does_not_fall_below_what_was_reached(found: Evaluation) -> None:
    whole = {one.rate: one for one in found.scores if one.score == WHOLE}
    strict, wide = whole[1 / 1000], whole[10 / 1000]
    assert strict.recall["naive"] > 0.95
    assert strict.recall["vpn"] > 0.35
    assert strict.mean_recall > 0.5
    assert wide.mean_recall > 0.75
    assert min(wide.auc.values()) > 0.97


def test_every_part_of_the_score_that_is_left_out_is_listed(found: Evaluation) -> None:
    by_name = {one.score: one for one in found.scores if one.rate == 1 / 1000}
    assert set(by_name) == {
        WHOLE,
        *(f"without {term}" for term in ("address", "tenant", "kind", "method", "hour")),
        "address alone",
        "hour alone",
        "number of new features",
    }
    for weak in ("without address", "without hour", "address alone", "hour alone"):
        assert by_name[weak].mean_recall < by_name[WHOLE].mean_recall


def test_tails_of_clean_logins_are_no_rarer_than_said(found: Evaluation) -> None:
    for one in found.calibrations:
        assert one.number > 400
        assert one.observed["0.05"] < 0.075
        assert one.observed["0.01"] < 0.02
        assert one.observed["0.001"] < 0.006


def test_a_term_that_is_left_out_is_just_that(world: World) -> None:
    past = world.logins[world.logins["day"] < 60]
    today = world.logins[world.logins["day"] == 60]
    whole, without = login_terms(today, past), login_terms(today, past, {"hour"})
    assert np.allclose(whole["score"] - whole["hour"], without["score"])
    no_address = login_terms(today, past, {"address"})
    assert (no_address["address"] == 0).all()
    assert np.allclose(no_address["hour"], whole["hour"])


def test_scores_follow_from_counts_and_not_from_their_order(world: World) -> None:
    past = world.logins[world.logins["day"] < 60]
    today = world.logins[world.logins["day"] == 60]
    expected = login_terms(today, past)
    shuffled = login_terms(today.sample(frac=1, random_state=2), past.sample(frac=1, random_state=3))
    facts = [name for name in past.columns if name not in {"day", "n"}]
    merged = login_terms(today, past.groupby(facts, dropna=False)["n"].sum().reset_index())
    for other in (shuffled.loc[expected.index], merged):
        assert np.allclose(other["score"], expected["score"])


def test_a_login_without_an_address_database_is_scored_by_address_and_network(world: World) -> None:
    blind = world.logins.assign(country=None, asn=None, kind=None)
    past, today = blind[blind["day"] < 60], blind[blind["day"] == 60]
    terms = login_terms(today, past)
    assert np.isfinite(terms["score"]).all()
    networks = set(zip(past["entity"], past["network"], strict=True))
    known = [pair in networks for pair in zip(today["entity"], today["network"], strict=True)]
    assert not all(known)
    assert terms.loc[np.logical_not(known), "address"].min() > terms.loc[known, "address"].median()
    assert np.array_equal(terms["new_network"], np.logical_not(known))


def _frame(rows: list[tuple[Any, ...]]) -> pd.DataFrame:
    """Logins at noon of working days: user, country, network."""
    columns = ["entity", "country", "asn"]
    more = {
        "network": None,
        "ip": None,
        "kind": None,
        "method": "sso",
        "role": "SOC",
        "slot": 48,
        "weekend": False,
        "n": 1,
    }
    return pd.DataFrame(rows, columns=columns).assign(**more)


def test_a_country_with_few_colleagues_is_no_alibi() -> None:
    """An attacker's exit stands in the victim's country; that it is rare in the tenant must not speak for the login."""
    past = _frame([(f"u{n}", "DE", "64500") for n in range(99) for _ in range(30)] + [("lone", "PL", "64600")] * 30)
    today = _frame([("u1", "DE", "64999"), ("lone", "PL", "64998"), ("lone", "PL", "64600")])
    common, rare, usual = login_terms(today, past)["address"]
    assert rare > common - np.log(2)
    assert usual < min(common, rare) - 3


def test_another_method_says_less_where_everybody_has_exceptions() -> None:
    """A password from a user of single sign-on, in a tenant that never does that and in one that does at times."""
    strict = _frame([(f"u{n}", "DE", "64500") for n in range(40) for _ in range(100)])
    loose = strict.assign(method=["mgmt" if n % 50 == 7 and n >= 100 else "sso" for n in range(len(strict))])
    today = _frame([("u0", "DE", "64500")] * 2).assign(method=["mgmt", "sso"])
    (never, usual), (sometimes, _) = (login_terms(today, past)["method"] for past in (strict, loose))
    assert never > sometimes + 2 > 4
    assert usual < 0


@given(st.lists(st.tuples(*(st.sampled_from(("a", "b", None)) for _ in range(3))), min_size=1, max_size=12))
@settings(max_examples=50)
def test_new_facts_are_those_that_the_user_never_had(rows: list[tuple[str | None, ...]]) -> None:
    """Of three facts that may be unknown, the last row against those before it."""
    logins = _frame([("ann", one, two) for one, two, _ in rows]).assign(method=[three for *_, three in rows])
    past = pd.concat([logins.iloc[:-1], _frame([("bob", "a", "b")])], ignore_index=True)
    (found,) = login_terms(logins.iloc[-1:], past)["new"]
    had = [{row[place] for row in rows[:-1]} for place in range(3)]
    assert found == sum(value is not None and value not in had[place] for place, value in enumerate(rows[-1]))


def test_measures_are_what_they_are_called() -> None:
    rng = np.random.default_rng(3)
    clean, bad = rng.normal(size=4000), rng.normal(1.5, size=500)
    assert area_under_curve(clean, bad) == pytest.approx(
        stats.mannwhitneyu(bad, clean).statistic / len(clean) / len(bad), abs=1e-9
    )
    least = threshold(clean, 4000, 1 / 1000)
    assert (clean > least).sum() == 4
    assert recall(bad, least) == (bad > least).mean()
    assert calibration(rng.uniform(size=50_000))[0.05] == pytest.approx(0.05, rel=0.1)
    assert threshold(clean[:3], 4000) == float("-inf")


HEADER = (
    "index,Login Timestamp,User ID,Round-Trip Time [ms],IP Address,Country,Region,City,ASN,User Agent String,"
    "Browser Name and Version,OS Name and Version,Device Type,Login Successful,Is Attack IP,Is Account Takeover\n"
)


def _line(number: int, when: str, user: int, place: tuple[str, int], flags: str) -> str:
    ip, asn = place
    country = "NO" if asn == 64500 else "BR"
    return f'{number},2026-02-{when}:12:31.5,{user},,{ip},{country},-,-,{asn},"a, b",c,d,desktop,{flags}\n'


def test_the_public_data_set_can_be_read_and_evaluated(tmp_path: Path) -> None:
    good, failed, attack_ip, takeover = "True,False,False", "False,False,False", "True,True,False", "True,True,True"
    lines = [
        _line(n, f"{1 + n // 6:02d} {8 + n % 3:02d}", n % 3, (f"192.0.2.{n % 3}", 64500), good) for n in range(6 * 20)
    ]
    lines += [
        _line(900, "03 09", 1, ("198.51.100.7", 64501), failed),
        _line(901, "04 09", 1, ("198.51.100.7", 64501), attack_ip),
        _line(902, "18 03", 1, ("198.51.100.7", 64501), takeover),
    ]
    path = tmp_path / "rba.csv"
    path.write_text(HEADER + "".join(lines))
    frame = read_rba(path)
    assert len(frame) == 121
    assert frame["attack"].sum() == 1
    (bad,) = frame[frame["attack"]].to_dict("records")
    assert (bad["entity"], bad["day"], bad["slot"], bad["country"], bad["asn"]) == ("1", 17, 12, "BR", "64501")
    assert bad["network"] == "198.51.100.0/24"
    found = evaluate_rba(path, baseline_days=14, seed=1)
    whole = next(one for one in found.scores if one.score == WHOLE)
    assert (found.logins, found.attacks) == (36, {"takeover": 1})
    assert whole.auc["takeover"] == 1.0
    with pytest.raises(UsageError, match="--days"):
        evaluate_rba(path, baseline_days=90, seed=1)


def test_another_csv_is_refused_by_the_column_it_lacks(tmp_path: Path) -> None:
    path = tmp_path / "other.csv"
    path.write_text("a,b\n1,2\n")
    with pytest.raises(UsageError, match=r"other\.csv.*Login Timestamp"):
        read_rba(path)
