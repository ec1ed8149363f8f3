"""What is counted about events: features, each with an entity and facts, read from events with SQL.

A sighting is one event of a feature: who (`entity`) and the facts about it, as a JSON list in the order of the
feature's facts. Facts that the events have no field for (addresses without a database) are null. Add a feature here and
tag the windows again (`--reprocess tag`) to count it in windows collected before.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from sentinelone_collector.detect.fields import Catalogue, Column, literal

__all__ = ["FEATURES", "STREAM", "Feature", "fields_read", "sightings_sql"]

STREAM: Final = "activities"  # the stream whose events are counted
_USER: Final = ("user.uid", "user.name")
_ACTOR: Final = ("actor.user.uid", "actor.user.name")
_SITE: Final = (
    "unmapped.siteId",
    "entity.org.ou_uid",
    "device.org.ou_uid",
    "user.org.ou_uid",
    "unmapped.data.siteName",
)
_LOGINS: Final = ("27", "33", "133", "134", "139", "3624", "3625", "3627", "3629")


@dataclass(frozen=True)
class Feature:
    """One kind of sighting.

    `codes` are the activity types that count, `others` says that all types but these do. `entity` and each of the
    `facts` name fields, of which the first with a value counts; of a fact written as SQL over an event `e`, `sql` has
    the expression. Events without an entity count only where `anonymous` is set.
    """

    name: str
    codes: tuple[str, ...]
    entity: tuple[str, ...]
    facts: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))
    sql: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    others: bool = False
    anonymous: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """The facts, in the order in which a sighting's value lists them."""
        return (*self.facts, *self.sql)


_KIND = (
    "array_to_string(list_sort(list_transform(list_filter(e.metadata.labels, "
    "lambda x: x LIKE 'address:%' AND x <> 'address:own'), lambda x: substr(x, 9))), '+')"
)
_OWN = "CASE WHEN list_contains(e.metadata.labels, 'address:own') THEN 'own' END"  # the operator's own egress
# Moments as counters know them: the quarter of an hour of the UTC day, 0 to 95, and whether it is a weekend's
_WHEN: Final = {
    "slot": "CAST((e.time // 900000) % 96 AS INT)",
    "weekend": "CAST((e.time // 86400000 + 3) % 7 >= 5 AS INT)",
}
_WHERE: Final = {
    "ip": ("src_endpoint.ip",),
    "country": ("src_endpoint.location.country",),
    "lat": ("src_endpoint.location.lat",),
    "long": ("src_endpoint.location.long",),
    "asn": ("src_endpoint.autonomous_system.number",),
    "method": ("unmapped.data.source",),
    "source": ("unmapped.data.sourceType",),
    "role": ("user.type", "actor.user.type", "unmapped.data.role"),
    "scope": ("unmapped.data.userScope", "unmapped.data.scopeLevel"),
}
_ACT: Final = {
    "code": ("metadata.event_code",),
    "site": _SITE,
    "source": ("unmapped.data.sourceType",),
    "asn": ("src_endpoint.autonomous_system.number",),
    "role": ("actor.user.type", "unmapped.data.role"),
    "scope": ("unmapped.data.userScope", "unmapped.data.scopeLevel"),
}
_HOST: Final = ("device.uid", "unmapped.agentId", "device.hostname")
_REMOTE: Final = ("81", "85", "203", "3200", "3201", "3616", "3618", "3623")

FEATURES: Final[Mapping[str, Feature]] = MappingProxyType(
    {
        feature.name: feature
        for feature in (
            Feature("login", ("27",), _USER, _WHERE, {"kind": _KIND, "own": _OWN, **_WHEN}),
            Feature("failure", ("133", "134"), _USER, {"code": ("metadata.event_code",)}, anonymous=True),
            Feature("act", _LOGINS, _ACTOR, _ACT, _WHEN, others=True),
            Feature("remote", _REMOTE, _ACTOR, {"host": _HOST}),
            Feature("verdict", ("2030",), _ACTOR, {"verdict": ("unmapped.data.newAnalystVerdictTitle",)}),
            Feature("loss", ("47", "50", "51", "54", "63", "1001"), _SITE, {"host": _HOST}),
            Feature("threat", ("18", "19", "20", "4003"), _SITE, {"host": _HOST}),
            Feature("account", ("23", "1023", "140"), _USER, {"code": ("metadata.event_code",)}),
        )
    }
)


def fields_read() -> frozenset[str]:
    """Return the names of all fields that features read, beside `metadata` and `time`."""
    features = FEATURES.values()
    return frozenset(name for one in features for names in (one.entity, *one.facts.values()) for name in names)


def sightings_sql(feature: Feature, catalogue: Catalogue, events: str) -> str:
    """Return SQL for the sightings among a table `e` of events: `uid`, `origin`, `moment` (ms), `entity`, `value`."""
    codes = ", ".join(literal(code) for code in feature.codes)
    names = [_first(catalogue, names) for names in feature.facts.values()]
    facts = ", ".join([*names, *(f"CAST({sql} AS VARCHAR)" for sql in feature.sql.values())])
    entity = f"lower({_first(catalogue, feature.entity)})"
    known = "true" if feature.anonymous else f"{entity} IS NOT NULL"
    return f"""
        SELECT e.metadata.uid AS uid, e.origin AS origin, e.time AS moment, coalesce({entity}, '') AS entity,
               CAST(to_json([{facts}]::VARCHAR[]) AS VARCHAR) AS value
        FROM {events} WHERE e.metadata.event_code {"NOT IN" if feature.others else "IN"} ({codes}) AND {known}
    """  # noqa: S608  # fields, numbers and names from this module


def _first(catalogue: Catalogue, names: tuple[str, ...]) -> str:
    found = [_text(column) for name in names if (column := catalogue.resolve(name)) is not None]
    return f"coalesce({', '.join(found)})" if found else "NULL::VARCHAR"


def _text(column: Column) -> str:
    if not column.paths:
        return f"nullif(CAST({column.sql} AS VARCHAR), '')"
    read = [f'json_extract_string(e."unmapped", {literal(path)})' for path in column.paths]
    return f"nullif(coalesce({', '.join(read)}), '')"
