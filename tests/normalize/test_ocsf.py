"""Our captions against the packaged schema."""

from __future__ import annotations

import pytest
from ocsf_json_schema import get_ocsf_schema

from sentinelone_collector.normalize import ocsf

SCHEMA = get_ocsf_schema(version=ocsf.VERSION)
CLASSES = {found["uid"]: found for found in SCHEMA["classes"].values() if "uid" in found}


@pytest.mark.parametrize("class_uid", ocsf.CLASSES)
def test_classes_and_activities_have_the_captions_of_the_schema(class_uid: int) -> None:
    attributes = CLASSES[class_uid]["attributes"]
    ids = {int(number): spec["caption"] for number, spec in attributes["activity_id"]["enum"].items()}
    assert set(ids) == {0, 99, *range(1, len(ocsf.ACTIVITIES[class_uid]) + 1)}
    for activity_id in set(ids) - {0}:
        found = ocsf.classification(class_uid, activity_id)
        assert found["class_name"] == CLASSES[class_uid]["caption"]
        assert found["category_name"] == CLASSES[class_uid]["category_name"]
        assert found["activity_name"] == ids[activity_id]
        assert found["type_name"] == attributes["type_uid"]["enum"][str(found["type_uid"])]["caption"]


def test_an_activity_of_the_vendor_carries_its_name() -> None:
    found = ocsf.classification(6003, 99, source_name="Tag attached")
    assert (found["activity_name"], found["type_name"]) == ("Tag attached", "API Activity: Other")


@pytest.mark.parametrize(
    ("kind", "place", "attribute"),
    [
        ("severity", "base_event", "severity_id"),
        ("status", "authentication", "status_id"),
        ("finding_status", "detection_finding", "status_id"),
        ("action", "detection_finding", "action_id"),
        ("confidence", "detection_finding", "confidence_id"),
        ("disposition", "detection_finding", "disposition_id"),
        ("traffic", "network_connection_info", "direction_id"),
        ("verdict", "detection_finding", "verdict_id"),
        ("device", "device", "type_id"),
        ("os", "os", "type_id"),
        ("hash", "fingerprint", "algorithm_id"),
        ("observable", "observable", "type_id"),
    ],
)
def test_other_captions_are_those_of_the_schema(kind: str, place: str, attribute: str) -> None:
    holder = SCHEMA["classes"].get(place) or SCHEMA["objects"][place]
    for number, text in ocsf._CAPTIONS[kind].items():
        assert holder["attributes"][attribute]["enum"][str(number)]["caption"] == text
