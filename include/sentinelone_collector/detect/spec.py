"""The block `x-incident` of a rule: what Sigma does not say about turning a match into an incident."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from sentinelone_collector.instances.model import Duration

__all__ = [
    "CLASSIFICATIONS",
    "FAMILIES",
    "AttackVersions",
    "Dedup",
    "IncidentSpec",
    "Match",
    "Require",
    "RuleAllow",
    "Samples",
    "to_v19",
]

Family = Literal["administrative_actions", "user_login_ad", "user_behavior_ad", "endpoint"]
Classification = Literal[
    "authentication:activity",
    "admin:activity",
    "brute-force",
    "recon",
    "suspicious-activity",
    "policy-violation",
    "misconfiguration",
    "log-review",
    "log-policy",
    "info-leak",
]
FAMILIES: tuple[str, ...] = Family.__args__  # type: ignore[attr-defined]
CLASSIFICATIONS: tuple[str, ...] = Classification.__args__  # type: ignore[attr-defined]
# ATT&CK 19 splits Defense Evasion: these techniques of 18 have new ids
_V19 = {
    "T1562": "T1685",
    "T1562.001": "T1685",
    "T1562.002": "T1685.001",
    "T1562.004": "T1686",
    "T1562.006": "T1685",
    "T1562.007": "T1686.001",
    "T1562.008": "T1685.002",
    "T1562.010": "T1689",
    "T1070.001": "T1685.005",
    "T1656": "T1684.001",
}


def to_v19(techniques: tuple[str, ...]) -> tuple[str, ...]:
    """Return ATT&CK 18 technique ids as ATT&CK 19 names them, each once."""
    return tuple(dict.fromkeys(_V19.get(technique, technique) for technique in techniques))


def _listed(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


FieldNames = Annotated[tuple[str, ...], BeforeValidator(_listed), Field(min_length=1)]
Technique = Annotated[str, Field(pattern=r"^T\d{4}(\.\d{3})?$")]


class Dedup(_Strict):
    """Which hits make one incident: equal keys (default: the attacker) in the same span of `window` since the epoch."""

    keys: tuple[str, ...] = ()
    window: Annotated[Duration, Field(ge=timedelta(minutes=1), le=timedelta(days=366))] = timedelta(days=1)


class RuleAllow(_Strict):
    """One exception that is part of the rule itself; valid to the end of the day `expires`."""

    who: Annotated[str, Field(min_length=1)]
    reason: Annotated[str, Field(min_length=1)]
    expires: date | None = None


class AttackVersions(_Strict):
    """ATT&CK techniques by version where they are not what the tags (18) give by themselves."""

    v18: tuple[Technique, ...] | None = None
    v19: tuple[Technique, ...] | None = None


Least = Annotated[int, Field(ge=1)]


class Require(_Strict):
    """What a counting correlation asks for beside its threshold, over the same sliding window.

    `events` is the least number of events, `distinct` the least number of distinct values by field, `most` the greatest
    number of events that may share one value of a field.
    """

    events: Least | None = None
    distinct: dict[str, Least] = {}
    most: dict[str, Least] = {}


class Match(_Strict):
    """Two fields of an ordered pair: text of the later event's field begins with, or equals, the earlier one's."""

    earlier: FieldNames
    later: FieldNames


Sample = dict[str, Any] | list[dict[str, Any]]
_Samples = Annotated[list[Sample], Field(min_length=2)]


class Samples(_Strict):
    """Events that must and must not match: each an event or a list of events; `base` is merged under every one.

    `baseline` are events of the days before each sample, which anomaly detectors compare it with.
    """

    base: dict[str, Any] = {}
    baseline: list[dict[str, Any]] = []
    hits: _Samples
    misses: _Samples


class IncidentSpec(_Strict):
    """The block itself; `attacker` and `victim` name fields, of which the first that has a value counts.

    `require`, `weights`, `unless` and `match` say of a correlation what Sigma has no words for.
    """

    family: Family
    classification: Classification
    reason: Annotated[str, Field(min_length=1)]
    recommendation: Annotated[str, Field(min_length=1)]
    summary: str | None = None
    attacker: FieldNames = ("actor.user.email_addr", "actor.user.name", "actor.user.uid", "src_endpoint.ip")
    victim: FieldNames = ("user.email_addr", "user.name", "user.uid", "device.hostname", "entity.name")
    dedup: Dedup = Dedup()
    visibility: Literal["incident", "observation"] = "incident"
    direction: Literal["on", "off"] | None = None
    require: Require | None = None
    weights: dict[str, Annotated[float, Field(gt=0)]] = {}
    unless: Annotated[tuple[str, ...], BeforeValidator(_listed)] = ()
    match: Match | None = None
    allow: tuple[RuleAllow, ...] = ()
    attack_versions: AttackVersions = AttackVersions()
    tests: Samples
