"""Correlations as SQL over `matched`: at which moments each of them holds.

Every correlation has two tables in the connection. `b<n>` are the matches that it reads: an event (`part`, `uid`,
`pos`, `moment`, `sources`) with the keys `k<i>` it is grouped by, the value `v`, and in `slots` which of the rules it
matched.
`d<n>` are the moments at which the correlation holds: the event that completes it, and `since` and `till`, between
which its evidence stands. Windows slide along `pos`; nothing ever snaps to a border. Events of one moment are peers,
and the one with the greatest uid stands for them.

An anomaly rule takes part by a table of the same columns as `d<n>`: the events that its detector called unusual.
"""

from __future__ import annotations

from collections.abc import Iterator

from sentinelone_collector.detect.anomaly.finding import unusual
from sentinelone_collector.detect.engine import Done, Scene
from sentinelone_collector.detect.keys import WEIGHT
from sentinelone_collector.detect.ruleset import Correlation, Term

__all__ = ["complete", "may_hold"]


def may_hold(scene: Scene, name: str, *, last: bool = False) -> bool:
    """Say whether the rule can hold at all, given how often the rules below it match.

    With `last`, say whether it can be completed by the events that are there while earlier ones are still missing.
    """
    rule = scene.ruleset.by_name[name]
    correlation = rule.correlation
    if rule.judge is not None:
        return scene.has_verdict(name, cold=False)
    if correlation is None:
        return name in scene.done or scene.totals.get(scene.numbers.get(name, -1), 0) > 0
    if correlation.terms and not last:
        return any(all(may_hold(scene, base) for base in term.present) for term in correlation.terms)
    if correlation.kind == "temporal_ordered":
        return any(may_hold(scene, term.present[-1], last=last) for term in correlation.terms)
    if correlation.forward:
        return True  # it is completed by time alone
    return any(may_hold(scene, base, last=last) for base in correlation.bases)


def complete(scene: Scene, name: str) -> Done:
    """Make the tables of a correlation, and of those below it, where they are not there yet."""
    if name not in scene.done:
        rule = scene.ruleset.by_name[name]
        if rule.judge is not None:
            return unusual(scene, name)
        correlation = rule.correlation
        if correlation is None:
            raise KeyError(f"{name} is no correlation")
        for base in correlation.uses:
            if base not in scene.numbers:
                complete(scene, base)
        scene.done[name] = _Builder(scene, correlation, len(scene.done)).build()
    return scene.done[name]


# Each source with the begin of the unbroken row of sources that it stands in; null where sources have no times
_COVERED = """
    SELECT part, CASE WHEN lo IS NOT NULL THEN [source] END AS held_by, lo, hi,
           CASE WHEN lo IS NOT NULL THEN min(lo) OVER (PARTITION BY part, island) END AS since
    FROM (SELECT *, sum(CASE WHEN lo <= before + 1 THEN 0 ELSE 1 END) OVER (PARTITION BY part ORDER BY lo, hi, source
                    ROWS UNBOUNDED PRECEDING) AS island
          FROM (SELECT *, max(hi) OVER (PARTITION BY part ORDER BY lo, hi, source
                                        ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before FROM sources))
"""


# Paths without what names the same drive in two ways, and the pattern of an exclusion as one of LIKE
_PLACE = r"regexp_replace({}, '^([a-z]:|\\device\\harddiskvolume\d+)', '')"
_LIKE = "regexp_replace(translate(regexp_replace({}, '([%_^])', '^\\1', 'g'), '*?', '%_'), '%*$', '%')"


class _Builder:
    """Writes the tables of one correlation."""

    def __init__(self, scene: Scene, correlation: Correlation, number: int) -> None:
        self.scene = scene
        self.rule = correlation
        self.done = Done(f"b{number}", f"d{number}", tuple(f"k{n}" for n in range(_width(correlation))))
        self.span = int(correlation.span.total_seconds() * 1000)
        self.partition = ", ".join(["part", *self.done.keys])

    def build(self) -> Done:
        found = self._counted() if not self.rule.terms else " UNION ALL ".join(map(self._term, self.rule.terms))
        self.scene.connection.execute(f"CREATE OR REPLACE TEMP TABLE {self.done.base} AS {self._base()}")
        self.scene.connection.execute(f"""
            CREATE OR REPLACE TEMP TABLE {self.done.table} AS
            SELECT part, uid, pos, moment, sources, {"".join(f"{key}, " for key in self.done.keys)} since, till
            FROM ({found})
            QUALIFY row_number() OVER (PARTITION BY {self.partition}, pos ORDER BY uid DESC, since DESC, sources) = 1
        """)  # noqa: S608  # names made here
        return self.done

    def _base(self) -> str:
        present = "".join(f" AND {key} IS NOT NULL" for key in self.done.keys)
        keys = "".join(f", {key}" for key in self.done.keys)
        extra = "".join(f", any_value({name}) AS {name}" for name in self._extra)
        return f"""
            SELECT part, uid, min(pos) AS pos, min(moment) AS moment,
                   list_sort(list_distinct(flatten(list(sources)))) AS sources,
                   list_distinct(flatten(list(slots))) AS slots, max(v) AS v{extra}{keys}
            FROM ({" UNION ALL ".join(self._branches())}) WHERE true{present} GROUP BY part, uid, own{keys}
        """  # noqa: S608  # numbers, aliases and names made here

    def _branches(self) -> Iterator[str]:
        """Yield a scan for each way of naming the keys, and one for each correlation among the rules."""
        simple: dict[tuple[tuple[str, ...], str | None], dict[int, int]] = {}
        for slot, name in enumerate(self.rule.uses):
            fields = (self.rule.by[name], self.rule.values.get(name))
            if name in self.scene.numbers:
                simple.setdefault(fields, {})[slot] = self.scene.numbers[name]
            else:
                done = self.scene.done[name]
                rows = f"""(SELECT d.part, d.uid, d.pos, d.moment, unnest(d.sources) AS source,
                    m.* EXCLUDE (part, uid, pos, moment, source)
                    FROM {done.table} d JOIN (
                        SELECT * FROM matched QUALIFY row_number() OVER (PARTITION BY part, uid ORDER BY source) = 1
                    ) m ON m.part = d.part AND m.uid = d.uid)"""  # noqa: S608  # names made here
                # A result may stand at another time than its event, which may itself be in two windows
                yield self._scan(rows, f"[{slot}]", fields, str(self.rule.weights.get(name, 0)), own="pos")
        for fields, slots in simple.items():
            cases = ", ".join(f"CASE WHEN list_contains(rules, {n}) THEN {slot} END" for slot, n in slots.items())
            weight = ", ".join(
                f"CASE WHEN list_contains(rules, {n}) THEN {self.rule.weights.get(self.rule.uses[slot], 0)} END"
                for slot, n in slots.items()
            )
            listed = f"list_filter([{cases}]::INT[], lambda s: s IS NOT NULL)"
            wanted = ", ".join(map(str, slots.values()))
            rows = f"(SELECT * FROM matched WHERE list_has_any(rules, [{wanted}]))"  # noqa: S608  # numbers
            yield self._scan(rows, listed, fields, f"greatest({weight}, 0)")

    def _scan(
        self, rows: str, slots: str, fields: tuple[tuple[str, ...], str | None], weight: str, own: str = "-1"
    ) -> str:
        names, value = fields
        keys = "".join(f", {self._text(name)} AS {key}" for name, key in zip(names, self.done.keys, strict=True))
        extra = "".join(f", {sql} AS {alias}" for alias, sql in self._extra.items())
        shown = "NULL"
        if value == WEIGHT:
            shown = f"CAST({weight} AS DOUBLE)"
        elif value is not None and self.rule.kind == "value_sum":
            number = f"TRY_CAST({self.scene.aliases[value]} AS DOUBLE)"
            shown = f"CASE WHEN isfinite({number}) THEN {number} END"
        elif value is not None:
            shown = self._text(value)
        return f"""SELECT part, uid, {own} AS own, pos, moment, [source] AS sources, {slots} AS slots,
                   {shown} AS v{extra}{keys} FROM {rows}"""  # noqa: S608  # numbers, aliases and names made here

    @property
    def _extra(self) -> dict[str, str]:
        """The columns beside the keys: what `require` counts, and what `match` compares."""
        names = [*self.rule.require.distinct, *self.rule.require.most]
        found = {f"x{n}": self._text(name) for n, name in enumerate(dict.fromkeys(names))}
        if self.rule.match:
            earlier = f"coalesce({', '.join(self._text(name) for name in self.rule.match.earlier)})"
            found["earlier"] = _LIKE.format(_PLACE.format(earlier))
            found |= {f"later{n}": _PLACE.format(self._text(name)) for n, name in enumerate(self.rule.match.later)}
        return found

    def _text(self, name: str) -> str:
        return f"nullif(lower(CAST({self.scene.aliases[name]} AS VARCHAR)), '')"

    def _counted(self) -> str:
        rule = self.rule
        frame = f"(PARTITION BY {self.partition} ORDER BY pos RANGE BETWEEN {self.span} PRECEDING AND CURRENT ROW)"
        aggregate = {"event_count": "count(*)", "value_count": "count(DISTINCT v)", "value_sum": "sum(v)"}[rule.kind]
        wanted = [f"{aggregate} OVER {frame} >= {rule.threshold!r}"]
        names = list(dict.fromkeys([*rule.require.distinct, *rule.require.most]))
        if rule.require.events is not None:
            wanted.append(f"count(*) OVER {frame} >= {rule.require.events}")
        for name, least in rule.require.distinct.items():
            wanted.append(f"count(DISTINCT x{names.index(name)}) OVER {frame} >= {least}")
        base = self.done.base
        crowded: list[str] = []
        for name, most in rule.require.most.items():
            # An event that is the one too many of its value within the span forbids every window that holds them all
            column, crowd = f"x{names.index(name)}", f"c{len(crowded)}"
            crowded.append(
                f"lag(pos, {most}) OVER (PARTITION BY {self.partition}, {column} ORDER BY pos, uid) AS {crowd}"
            )
            until = f"(PARTITION BY {self.partition} ORDER BY pos RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)"
            wanted.append(f"coalesce(max({crowd}) OVER {until} < pos - {self.span}, true)")
        rows = f"(SELECT *, {', '.join(crowded)} FROM {base})" if crowded else base  # noqa: S608  # made here
        return f"""SELECT *, pos - {self.span} AS since, pos AS till FROM {rows} QUALIFY {" AND ".join(wanted)}"""  # noqa: S608  # made here

    def _term(self, term: Term) -> str:
        if self.rule.match:
            return self._matching(term)
        if self.rule.kind == "temporal_ordered":
            return self._ordered(term)
        return self._absent(term) if term.absent else self._together(term)

    def _slot(self, name: str) -> str:
        return f"list_contains(slots, {self.rule.uses.index(name)})"

    def _together(self, term: Term) -> str:
        """Find all rules in the span before a match of one of them."""
        frame = f"(PARTITION BY {self.partition} ORDER BY pos RANGE BETWEEN {self.span} PRECEDING AND CURRENT ROW)"
        seen = " AND ".join(f"bool_or({self._slot(name)}) OVER {frame}" for name in term.present)
        return f"SELECT *, pos - {self.span} AS since, pos AS till FROM {self.done.base} QUALIFY {seen}"  # noqa: S608  # made here

    def _absent(self, term: Term) -> str:
        """Find some rules and none of the others in the span after a match; known once the span is collected."""
        frame = f"(PARTITION BY {self.partition} ORDER BY pos RANGE BETWEEN CURRENT ROW AND {self.span} FOLLOWING)"
        tests = [f"bool_or({self._slot(name)}) OVER {frame}" for name in term.present]
        tests += [f"NOT bool_or({self._slot(name)}) OVER {frame}" for name in term.absent]
        begins = " OR ".join(self._slot(name) for name in term.present)
        # Nobody can say of a time that is not collected in whole that nothing happened in it
        return f"""
            SELECT a.* REPLACE (a.pos + {self.span} AS pos, a.moment + {self.span} AS moment,
                                coalesce(c.held_by, a.sources) AS sources), a.pos AS since, a.pos AS till
            FROM (SELECT *, {begins} AS begins FROM {self.done.base} QUALIFY {" AND ".join(tests)}) a
            JOIN ({_COVERED}) c ON c.part = a.part
              AND (c.since IS NULL OR (a.pos >= c.since AND a.pos + {self.span} BETWEEN c.lo AND c.hi))
            WHERE a.begins
        """  # noqa: S608  # numbers and names made here

    def _ordered(self, term: Term) -> str:
        """Work out, rule by rule, the latest begin of a chain that ends at a match of the last rule."""
        rows = f"(SELECT *, CASE WHEN {self._slot(term.present[0])} THEN pos END AS s0 FROM {self.done.base})"  # noqa: S608  # made here
        before = f"(PARTITION BY {self.partition} ORDER BY pos RANGE BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)"
        for step, name in enumerate(term.present[1:], 1):
            reached = f"CASE WHEN {self._slot(name)} THEN max(s{step - 1}) OVER {before} END AS s{step}"
            rows = f"(SELECT *, {reached} FROM {rows})"  # noqa: S608  # made here
        begin = f"s{len(term.present) - 1}"
        stop = " OR ".join(self._slot(name) for name in self.rule.unless) or "false"
        until = f"(PARTITION BY {self.partition} ORDER BY pos RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)"
        steps = ", ".join(f"s{n}" for n in range(len(term.present)))
        return f"""
            SELECT * EXCLUDE ({steps}, stopped), {begin} AS since, pos AS till
            FROM (SELECT *, max(CASE WHEN {stop} THEN pos END) OVER {until} AS stopped FROM {rows})
            WHERE {begin} >= pos - {self.span} AND coalesce(stopped <= {begin}, true)
        """  # noqa: S608  # numbers and names made here

    def _matching(self, term: Term) -> str:
        """Find pairs in order whose later event names something inside of what the earlier one names."""
        first, second = (self._slot(name) for name in term.present)
        same = "".join(f" AND a.{key} = b.{key}" for key in self.done.keys)
        base, columns = self.done.base, self._extra
        inside = " OR ".join(f"b.{name} LIKE a.earlier ESCAPE '^'" for name in columns if name.startswith("later"))
        return f"""
            SELECT b.*, max(a.pos) AS since, b.pos AS till
            FROM (SELECT * FROM {base} WHERE {second}) b JOIN (SELECT * FROM {base} WHERE {first}) a
            ON a.part = b.part{same} AND a.pos < b.pos AND a.pos >= b.pos - {self.span}
               AND ({inside})
            GROUP BY ALL
        """  # noqa: S608  # numbers and names made here


def _width(correlation: Correlation) -> int:
    return len(next(iter(correlation.by.values())))
