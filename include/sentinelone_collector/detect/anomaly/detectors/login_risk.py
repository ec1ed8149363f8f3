"""A login that is, all in all, likelier someone else's than the user's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final

from pydantic import Field

from sentinelone_collector.detect.anomaly.analysis import Analysis, Expected
from sentinelone_collector.detect.anomaly.detectors.hour import people
from sentinelone_collector.detect.anomaly.grounds import grounds
from sentinelone_collector.detect.anomaly.judge import Day, Finding, Judge, records
from sentinelone_collector.detect.anomaly.words import hour, number

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ["DETECTOR"]

_FEATURE: Final = "login"
_TERMS: Final = {
    "address": "the address",
    "tenant": "a place new to all",
    "kind": "the kind of network",
    "method": "the method",
    "hour": "the hour",
}


class LoginRisk(Judge):
    """A login whose likelihood ratio is at least `least` nats, and among the highest of the tenant's own logins.

    What is high is learned: the logins of the last `compared` days are scored by the days before them, and the share
    `quantile` of these has to lie below.
    """

    name: ClassVar[str] = "login_risk"
    least: Annotated[float, Field(gt=0)]
    quantile: Annotated[float, Field(gt=0, lt=1)]
    compared: Annotated[int, Field(ge=1)] = 30

    @property
    def features(self) -> tuple[str, ...]:
        """Logins."""
        return (_FEATURE,)

    def judge(self, day: Day) -> Iterator[Finding]:
        """Yield the day's logins of the highest risk."""
        from sentinelone_collector.detect.anomaly.login_scoring import login_terms

        rows = people(day.rows(_FEATURE))
        before = day.keep(("people", _FEATURE, self.days), lambda: people(day.before(_FEATURE, self.days)))
        if rows.empty or before.empty:
            return
        terms = login_terms(rows, before)
        risky = (terms["score"] >= self.least).to_numpy()
        if not risky.any():
            return
        highest = self._threshold(day)
        for row, term in zip(records(rows[risky]), records(terms[risky]), strict=True):
            if term["score"] > highest:
                found = self._analysis(day, row, term, before, highest)
                yield Finding(row["window"], _FEATURE, row["entity"], row["value"], found)

    def _threshold(self, day: Day) -> float:
        """Return the quantile of the scores of the tenant's recent logins, judged by what was known before them."""
        from numpy import repeat

        from sentinelone_collector.detect.anomaly.login_scoring import login_terms

        recent = people(day.before(_FEATURE, self.compared))
        past = people(day.older(_FEATURE, self.days, self.compared))
        known = recent[recent["entity"].isin(set(past["entity"]))]
        if known.empty:
            return self.least
        scores = sorted(repeat(login_terms(known, past)["score"].to_numpy(), known["n"].to_numpy(dtype=int)))
        return float(scores[min(int(self.quantile * len(scores)), len(scores) - 1)])

    def _analysis(
        self, day: Day, row: dict[str, Any], term: dict[str, Any], before: DataFrame, highest: float
    ) -> Analysis:
        own = before[before["entity"] == row["entity"]]
        based = grounds(day.number, own, before[before["role"] == row["role"]], before)
        parts = sorted(((term[name], words) for name, words in _TERMS.items() if term[name] > 0), reverse=True)
        why = ", ".join(f"{words} ({nats:.1f})" for nats, words in parts)
        place = next((str(row[fact]) for fact in ("country", "asn", "network") if row.get(fact)), "unknown")
        return Analysis(
            detector=self.name,
            parameter="login",
            pattern="risk",
            observed=f"{place}, {hour(row['slot'])} UTC, {row.get('method') or 'unknown method'}",
            basis=based.basis,
            days=min(based.days, self.days),
            events=based.events,
            score=round(float(term["score"]), 6),
            measure="nats",
            words=(
                f"a login as {{who}} is e^{term['score']:.1f} times likelier someone else's by {why}; compared with "
                f"{number(based.events, 'login')} in the last {number(self.days, 'day')}, and above what all but "
                f"{100 * (1 - self.quantile):.2g} % of the tenant's logins reach ({highest:.1f})"
            ),
            baseline=tuple(Expected(words, round(float(nats), 6)) for nats, words in parts),
            cold=based.cold,
        )


DETECTOR = LoginRisk
