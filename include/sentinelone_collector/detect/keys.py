"""Which keys a rule file may have, and where in it a complaint of pySigma belongs."""

from __future__ import annotations

from typing import Final

__all__ = ["CORRELATION_KEYS", "KEYS", "PERSON", "PLACES", "RISK", "RULE", "WEIGHT"]

_WHAT = {"title", "id", "name", "description", "status", "level", "tags", "falsepositives", "references", "related"}
_WHO = {"author", "license", "date", "modified", "taxonomy", "scope", "fields"}
KEYS: Final = frozenset(_WHAT | _WHO | {"logsource", "detection", "correlation", "detector", "x-incident"})
CORRELATION_KEYS: Final = frozenset({"type", "rules", "generate", "group-by", "timespan", "condition", "aliases"})
WEIGHT: Final = "x-weight"  # the field that a value_sum over `weights` names
RISK: Final = "x-risk"  # the same where the hits of rules are summed, by their levels
PERSON: Final = "x-person"  # by whom these are grouped
RULE: Final = "x-rule"  # which rules they are hits of
PLACES: Final = {  # what pySigma complains about, by the name of its error -> where that stands
    "SigmaConditionError": ("detection", "condition"),
    "SigmaCorrelationConditionError": ("correlation", "condition"),
    "SigmaCorrelationRuleError": ("correlation",),
    "SigmaCorrelationTypeError": ("correlation", "type"),
    "SigmaTimespanError": ("correlation", "timespan"),
    "SigmaIdentifierError": ("id",),
    "SigmaLevelError": ("level",),
    "SigmaLogsourceError": ("logsource",),
    "SigmaStatusError": ("status",),
    "SigmaDateError": ("date",),
    "SigmaModifiedError": ("modified",),
    "SigmaTitleError": ("title",),
    "SigmaNameError": ("name",),
    "SigmaDescriptionError": ("description",),
}
