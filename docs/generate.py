"""Write the pages and the layer that say what rules and routing table hold: `python docs/generate.py`."""  # noqa: INP001  # a script beside the pages

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from sentinelone_collector.detect import Rule, Ruleset, load_ruleset
from sentinelone_collector.detect.spec import FAMILIES
from sentinelone_collector.instances.model import STREAMS
from sentinelone_collector.normalize import ocsf
from sentinelone_collector.normalize.schema import declared
from sentinelone_collector.normalize.table import table_rows
from sentinelone_collector.rules import BUILT_IN

__all__ = [
    "ACTIVITIES_PAGE",
    "ATHENA",
    "LAYER",
    "PAGE",
    "activities_page",
    "athena_table",
    "navigator_layer",
    "rules_page",
]

PAGE = Path(__file__).resolve().parent / "rules.md"
LAYER = PAGE.with_name("attack-navigator.json")
ACTIVITIES_PAGE = PAGE.parent / "reference" / "activities.md"
ATHENA = PAGE.parent / "reference" / "athena.sql"
_GOLDEN = PAGE.parents[1] / "tests" / "normalize" / "golden" / "activities"
_TITLES = {
    "administrative_actions": "Administrative actions",
    "user_login_ad": "Log-ins",
    "user_behavior_ad": "Behaviour of users",
    "endpoint": "Endpoints",
}


def rules_page(ruleset: Ruleset) -> str:
    """Return the page about all rules that give hits; the same rules give the same text."""
    rules = ruleset.incident_rules
    lines = [
        "# Rules",
        "",
        "<!-- Written by `python docs/generate.py` from the rule files; edit those. -->",
        "",
        f"{len(rules)} rules. `s1c rules show ID` shows one with its condition, reason, recommendation and samples;",
        "[writing-rules.md](writing-rules.md) says how to write your own. An *observation* gives hits and labels, and",
        "opens no incident. Techniques are those of MITRE ATT&CK 18; [attack-navigator.json](attack-navigator.json) is",
        "a layer for the ATT&CK Navigator with the rules of each technique.",
    ]
    for family in FAMILIES:
        chosen = [rule for rule in rules if rule.spec and rule.spec.family == family]
        if chosen:
            lines += ["", f"## {_TITLES[family]} (`{family}`)", "", *_table(chosen)]
    return "\n".join(lines) + "\n"


def _table(rules: list[Rule]) -> Iterator[str]:
    yield "| id | level | rule | raised when | ATT&CK |"
    yield "|---|---|---|---|---|"
    for rule in rules:
        description = " ".join(str(rule.document.get("description", "")).split())
        cells = (f"`{rule.name}`", _level(rule), _cell(rule.title), _cell(description), ", ".join(rule.attacks))
        yield f"| {' | '.join(cells)} |"


def _level(rule: Rule) -> str:
    observed = rule.spec is not None and rule.spec.visibility == "observation"
    return f"{rule.level}, observation" if observed else rule.level


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def navigator_layer(ruleset: Ruleset) -> str:
    """Return a layer for the ATT&CK Navigator: each technique with its rules, scored by how many they are."""
    by_technique: dict[str, list[str]] = {}
    for rule in ruleset.incident_rules:
        for technique in rule.attacks:
            by_technique.setdefault(technique, []).append(f"{rule.name} {rule.title}")
    layer = {
        "name": "SentinelOne Collector",
        "versions": {"attack": "18", "navigator": "5.1.0", "layer": "4.5"},
        "domain": "enterprise-attack",
        "description": f"What {len(ruleset.incident_rules)} rules over SentinelOne console activities detect.",
        "techniques": [
            {"techniqueID": technique, "score": len(names), "comment": "\n".join(names), "showSubtechniques": True}
            for technique, names in sorted(by_technique.items())
        ],
        "gradient": {
            "colors": ["#d6e4f5", "#1f5fa8"],
            "minValue": 1,
            "maxValue": max(map(len, by_technique.values()), default=1),
        },
    }
    return json.dumps(layer, indent=2) + "\n"


_INTRODUCTION = """# Activity types

<!-- Written by `python docs/generate.py` from activity_table.csv and the golden events; edit the table. -->

{count} types. Each becomes an event of one OCSF 1.8.0 class; {unnamed} of them a console lists without saying what they
are, so that they are API Activities of activity Other with the label `type:unnamed`. A type that is not here at all
gets the label `type:unknown`, and normalize says what the console calls it.

- **activity**: with a direction: when it is not known / on / off. The label `direction:on`, `direction:off` or
  `direction:unknown` says which.
- **told by**: the fields of `data` that tell the direction (the first with a value), or the type itself;
  `old` → `new` stands in `status_detail`.
- **status**: of the event; blocked and allowed are `action` and `disposition`.
- **actor**: `user` is `byUser`, else `username`, else the console; `target` the same, and `username` is the one acted
  on; `agent` is a user where one is named, else the agent. The other rules are in `normalize/actors.py`.
- **object**: what it was done to, with the attributes of the next table.

A request to an endpoint is Read where it fetches something, Delete where it uninstalls, Create where it opens a
session, and Update otherwise; to attach, to enable and to disable are updates of what they are done to. What no
attribute holds stays in `unmapped` under the vendor's names; the record's bytes are `raw_data`.

## Objects

| object | attributes that its events have, where the record tells them |
|---|---|
"""
_EVERYWHERE = frozenset(
    {"activity_id", "activity_name", "category_name", "category_uid", "class_name", "class_uid", "message", "severity"}
    | {"severity_id", "time", "type_name", "type_uid", "observables", "metadata", "device", "actor"}
)


def activities_page(golden: Path = _GOLDEN) -> str:
    """Return the page about all activity types; the same table and golden events give the same text."""
    rows = table_rows()
    groups = defaultdict(list)
    for row in rows:
        groups[row["group"] if row["name"] else ""].append(row)
    unnamed = groups.pop("")
    lines = [_INTRODUCTION.format(count=len(rows), unnamed=len(unnamed)).rstrip("\n")]
    lines += [f"| `{name}` | {', '.join(f'`{path}`' for path in paths)} |" for name, paths in _objects(golden)]
    for name in sorted(groups):
        lines += ["", f"## {name.replace('_', ' ').capitalize()}", "", *_types(groups[name])]
    lines += ["", "## Without a name", "", ", ".join(row["id"] for row in unnamed)]
    return "\n".join(lines) + "\n"


def _objects(golden: Path) -> Iterator[tuple[str, list[str]]]:
    kinds = {int(row["id"]): row["object"] for row in table_rows()}
    found: dict[str, set[str]] = defaultdict(set)
    for path in golden.glob("*.ndjson"):
        for line in path.read_text("utf-8").splitlines():
            sample = json.loads(line)
            event = {name: value for name, value in sample["event"].items() if name not in _EVERYWHERE}
            found[kinds[sample["record"]["activityType"]]].update(_paths(event))
    for name in sorted(found):
        yield name, sorted(found[name])


def _paths(value: Mapping[str, Any]) -> Iterator[str]:
    """Yield attributes two levels deep: deeper ones are those of common objects."""
    for name, inner in value.items():
        item = inner[0] if isinstance(inner, list) else inner
        if isinstance(item, dict) and name != "data":
            yield from (f"{name}.{child}" for child in item)
        else:
            yield name


def _types(rows: list[Mapping[str, str]]) -> Iterator[str]:
    yield "| id | name | class | activity | told by | status | actor | object |"
    yield "|---|---|---|---|---|---|---|---|"
    for row in rows:
        target = f"`{row['object']}`" + (f": {row['detail']}" if row["detail"] else "")
        kind = int(row["class"])
        activities = [_activity(kind, row[name]) for name in ("activity", "on", "off") if row[name]]
        named = f"{ocsf.CLASSES[kind]} {kind}"
        cells = (row["id"], row["name"], named, " / ".join(activities), _told_by(row), row["status"], row["actor"])
        yield f"| {' | '.join(map(_cell, cells))} | {_cell(target)} |"


def _activity(kind: int, number: str) -> str:
    return "Other" if int(number) == ocsf.OTHER else ocsf.ACTIVITIES[kind][int(number) - 1]


def _told_by(row: Mapping[str, str]) -> str:
    told = row["direction"]
    direction = f"the type: {told[1:]}" if told.startswith("=") else ", ".join(f"`{name}`" for name in told.split())
    old, *new = row["change"].split() or [""]
    change = f"`{old}` → {', '.join(f'`{name}`' for name in new)}" if old else ""
    return "; ".join(filter(None, (direction, change)))


_ATHENA_TYPES = {
    "string": "string",
    "json": "string",
    "int32": "int",
    "int64": "bigint",
    "bool": "boolean",
    "double": "double",
}
_ATHENA_TAIL = """PARTITIONED BY (`instance` string, `stream` string, `day` string)
STORED AS PARQUET
LOCATION 's3://BUCKET/PREFIX/events/'
TBLPROPERTIES (
  'projection.enabled' = 'true',
  'projection.instance.type' = 'enum',
  'projection.instance.values' = 'SLUG,SLUG',
  'projection.stream.type' = 'enum',
  'projection.stream.values' = '{streams}',
  'projection.day.type' = 'date',
  'projection.day.format' = 'yyyy-MM-dd',
  'projection.day.range' = '2020-01-01,NOW',
  'storage.location.template' = 's3://BUCKET/PREFIX/events/instance=${{instance}}/stream=${{stream}}/day=${{day}}/'
);
"""


def athena_table() -> str:
    """Return the statement that makes the event files a table of Amazon Athena."""
    columns = ",\n".join(f"  `{name}` {_athena_type(spec)}" for name, spec in declared().items())
    head = "-- Written by `python docs/generate.py` from event_schema.json.\n"
    tail = _ATHENA_TAIL.format(streams=",".join(STREAMS))
    return f"{head}CREATE EXTERNAL TABLE sentinelone_events (\n{columns}\n)\n{tail}"


def _athena_type(spec: Any) -> str:
    if isinstance(spec, list):
        return f"array<{_athena_type(spec[0])}>"
    if isinstance(spec, Mapping):
        return f"struct<{','.join(f'{name}:{_athena_type(inner)}' for name, inner in spec.items())}>"
    return _ATHENA_TYPES[spec]


if __name__ == "__main__":
    LAYER.write_text(navigator_layer(load_ruleset(BUILT_IN)), encoding="utf-8")
    PAGE.write_text(rules_page(load_ruleset(BUILT_IN)), encoding="utf-8")
    ACTIVITIES_PAGE.write_text(activities_page(), encoding="utf-8")
    ATHENA.write_text(athena_table(), encoding="utf-8")
