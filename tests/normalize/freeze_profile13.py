"""Write `profile13.json` from the packaged OCSF 1.3.0 schema: `python tests/normalize/freeze_profile13.py`.

Run it after `event_schema.json` or the classes in `ocsf.py` have changed; a test compares the file with the schema.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ocsf_json_schema import get_ocsf_schema

from sentinelone_collector.normalize import ocsf, profile13
from sentinelone_collector.normalize.schema import declared

VERSION = "1.3.0"
TABLE = Path(profile13.__file__).with_name("profile13.json")
_BASE = "base_event"


def frozen() -> dict[str, Any]:
    """Return what 1.3.0 knows of the attributes that events declare: classes by uid, objects and types by name."""
    schema = get_ocsf_schema(version=VERSION)
    names = set(_names(declared()))
    wanted = {*ocsf.CLASSES, 0}
    found = {spec["uid"]: spec for spec in schema["classes"].values() if spec.get("uid") in wanted}
    found[0] = schema.get(_BASE) or schema["classes"][_BASE]
    reached: dict[str, Any] = {}
    classes = {
        str(uid): {
            "name": spec["caption"],
            "category": spec.get("category_name") or "Uncategorized",
            **_spec(spec, names, schema, reached),
            "profiles": sorted(spec["profiles"]),
        }
        for uid, spec in sorted(found.items())
    }
    types = {
        name: {key: spec[key] for key in ("regex", "max_len") if spec.get(key)}
        for name, spec in sorted(schema["types"].items())
    }
    return {
        "classes": classes,
        "objects": dict(sorted(reached.items())),
        "types": {name: limits for name, limits in types.items() if limits},
    }


def _names(spec: Any) -> Iterator[str]:
    if isinstance(spec, list):
        yield from _names(spec[0])
    elif isinstance(spec, Mapping):
        for name, inner in spec.items():
            yield name
            yield from _names(inner)


def _spec(spec: Mapping[str, Any], names: set[str], schema: Any, reached: dict[str, Any]) -> dict[str, Any]:
    attributes = {}
    for name, attribute in sorted(spec["attributes"].items()):
        if name not in names:
            continue
        found = attributes[name] = _attribute(attribute)
        inner = found.get("object")
        if inner is not None and inner not in reached:
            reached[inner] = {}  # objects may hold themselves
            reached[inner] = _spec(schema["objects"][inner], names, schema, reached)
    required = [
        name
        for name, attribute in sorted(spec["attributes"].items())
        if attribute.get("requirement") == "required" and attribute.get("profile") in (None, "security_control")
    ]
    one_of = (spec.get("constraints") or {}).get("at_least_one", [])
    return {"attributes": attributes, "required": required, "one_of": sorted(one_of)}


def _attribute(attribute: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {"type": attribute["type"]}
    if attribute["type"] == "object_t" and attribute["object_type"] != "object":
        found["object"] = attribute["object_type"]
    if attribute.get("profile"):
        found["profile"] = attribute["profile"]
    if "enum" in attribute:
        found["enum"] = {number: entry["caption"] for number, entry in sorted(attribute["enum"].items())}
    return found


if __name__ == "__main__":
    TABLE.write_text(json.dumps(frozen(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
