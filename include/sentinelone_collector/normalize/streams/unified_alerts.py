"""Unified alerts (GraphQL): alerts of all products of the console. Each change of an alert is an event of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sentinelone_collector.normalize.columns import Row
from sentinelone_collector.normalize.detections import (
    CLASS_UID,
    CLOSE,
    CONFIDENCES,
    CREATE,
    PROFILES,
    SEVERITIES,
    STATES,
    UPDATE,
    VERDICTS,
    malware,
    outcome,
)
from sentinelone_collector.normalize.devices import (
    address,
    agent,
    complete,
    known,
    machine,
    names,
    owner,
    scope,
    system,
)
from sentinelone_collector.normalize.files import FileFields, linked, observe_process, present, read_file
from sentinelone_collector.normalize.ocsf import OTHER, Observable, caption, observable
from sentinelone_collector.normalize.record import VENDOR, Context, stamp
from sentinelone_collector.normalize.sections import Section
from sentinelone_collector.normalize.states import base, choose, finish, fresh, put, readable
from sentinelone_collector.normalize.values import epoch_ms, text
from sentinelone_collector.normalize.workloads import ContainerFields, KubernetesFields, container, kubernetes
from sentinelone_collector.source.endpoint import Endpoint, Pass, Stream
from sentinelone_collector.source.graphql import GraphQL

__all__ = ["STREAM", "map_record"]

# All that clients of the service are known to ask for; a console leaves out what its release lacks.
_SELECTION: Final = """
id externalId name description createdAt detectedAt updatedAt firstSeenAt lastSeenAt severity status classification
confidenceLevel analystVerdict result storylineId ticketId noteExists exclusionHash
analytics { category name typeValue uid } detectionSource { product vendor } dataSources attackSurfaces
assignee { email fullName userId } aiInvestigation { status verdict purpleAiStatus }
assets {
  id name agentUuid agentVersion accessible assetTypeClassifier category subcategory connectivityToConsole
  decommissioned lastLoggedInUser origin osType osVersion pendingReboot policy role status
}
detectionTime {
  scope { accountId accountName siteName groupName } attacker { host ip } targetUser { domain emailAddress name }
  assets {
    accessible origin scope { accountId accountName siteName groupName }
    asset {
      agentVersion consoleIpAddress domain ipV4 ipV6 lastLoggedInUser osName osRevision osType policy subscriptionTime
    }
    cloud { accountId cloudProvider image instanceId instanceSize location network providerDetails tags }
    kubernetes {
      clusterName containerId containerImageName containerLabels containerName controllerLabels controllerName
      controllerType namespaceLabels namespaceName nodeLabels nodeName podLabels podName
    }
  }
}
realTime { scope { account { id name } site { id name } group { id name } } }
process { cmdLine parentName file { certSubject md5 sha1 sha256 name path } }
sloDetails {
  timeToResolveData { actionComplete actionDue completion completionTime status target targetTime }
  timeToResponseData { actionComplete actionDue completion completionTime status target targetTime }
}
"""
_ANALYTICS: Final[Mapping[str, int]] = {"rule": 1, "dynamic": 2}
_FILE: Final = FileFields("name", "path", "md5", "sha1", "sha256")
_CONTAINER: Final = ContainerFields("containerId", "containerName", "containerImageName", "containerLabels")
_KUBERNETES: Final = KubernetesFields(
    "clusterName",
    "nodeName",
    "nodeLabels",
    "namespaceName",
    "podName",
    "podLabels",
    "controllerName",
    "controllerType",
    "controllerLabels",
)


def map_record(record: Mapping[str, Any], raw: str, context: Context) -> Row:
    """Return the row of one state of an alert; raise `RecordError` where it has no readable time."""
    top = Section(record)
    row = Row()
    seen: list[Observable] = []
    now, then = top.inner("realTime").inner("scope"), top.inner("detectionTime")
    account = now.inner("account").peek("id") or then.inner("scope").peek("accountId")
    time = readable(top, "updatedAt", "createdAt", "detectedAt", "lastSeenAt", "firstSeenAt")
    told = {"id": text(top.peek("id")), "accountId": account}
    stamp(row, told, raw, context, time, version=text(top.peek("updatedAt")))
    top.text("id")
    snapshots, assets = then.items("assets"), top.items("assets")
    snapshot = snapshots[0] if snapshots else Section(None)
    in_cloud = _cloud(row, snapshot.inner("cloud"))
    _device(row, seen, assets[0] if assets else Section(None), snapshot.inner("asset"))
    if known(row):
        _scope(row, now, then.inner("scope"))
    complete(row)
    _finding(row, top)
    _evidence(row, top, snapshot, seen)
    _resources(row, assets, snapshot)
    _triage(row, top)
    row["is_alert"] = True
    row["message"] = f"{row['finding_info.title']} on {row.get('device.hostname', 'an unknown endpoint')}"
    severity = SEVERITIES.get(top.word("severity"), 0)
    top.choice("severity", SEVERITIES)
    profiles = (*PROFILES, "cloud") if in_cloud else PROFILES
    row.parts = (base(CLASS_UID, _activity(top), severity, profiles),)
    finish(row, top, seen)
    return row


def _activity(top: Section) -> int:
    status = top.word("status")
    if status == "resolved":
        return CLOSE
    times = (epoch_ms(top.peek(name)) for name in ("updatedAt", "createdAt", "detectedAt"))
    return CREATE if status in ("new", "") and fresh(*times) else UPDATE


def _device(row: Row, seen: list[Observable], asset: Section, then: Section) -> None:
    """Write the first asset: what it is now, with the addresses and the system that it had at the detection."""
    uuid = asset.text("agentUuid")
    names(row, seen, uid=None, uid_alt=uuid, hostname=asset.text("name"))
    address(row, seen, (*then.addresses("ipV4"), *then.addresses("ipV6"), *then.addresses("consoleIpAddress")))
    if not known(row):
        return
    machine(row, asset, "subcategory", "category")
    if then.word("osName") or then.word("osType"):
        system(row, then, "osType", "osName", "osRevision")
    else:
        system(row, asset, "osType", "", "osVersion")
    put(row, {"device.domain": then.text("domain")})
    version = then.text("agentVersion") or asset.text("agentVersion")
    if uuid is not None or version is not None:
        agent(row, uid=uuid, version=version)
    owner(row, seen, name=then.text("lastLoggedInUser") or asset.text("lastLoggedInUser"), email=None)
    asset.repeats(then)


def _scope(row: Row, now: Section, then: Section) -> None:
    """Write the scope as it is now, which has ids for all of it; else as it was."""
    if now.inner("account"):
        places = {level: (now.inner(level), "id", "name") for level in ("account", "site", "group")}
    else:
        places = {
            "account": (then, "accountId", "accountName"),
            "site": (then, "", "siteName"),
            "group": (then, "", "groupName"),
        }
    scope(row, places)


def _cloud(row: Row, section: Section) -> bool:
    provider = section.text("cloudProvider")
    if provider is None:
        return False
    put(
        row,
        {
            "cloud.provider": provider,
            "cloud.region": section.text("location"),
            "cloud.account.uid": section.text("accountId"),
            "device.instance_uid": section.text("instanceId"),
            "device.vpc_uid": section.text("network"),
            "device.image.uid": section.text("image"),
        },
    )
    return True


def _finding(row: Row, top: Section) -> None:
    """Write what was found; `externalId` is the id that the alert has in its own product, so it is the finding's."""
    uid, external = row["metadata.original_event_uid"], top.text("externalId")
    row["finding_info.uid"] = external or uid
    row["finding_info.title"] = top.text("name") or "Alert"
    put(
        row,
        {
            "finding_info.uid_alt": None if external is None else uid,
            "finding_info.desc": top.text("description"),
            "finding_info.created_time": top.time("createdAt"),
            "finding_info.modified_time": top.time("updatedAt"),
            "finding_info.first_seen_time": top.time("firstSeenAt"),
            "finding_info.last_seen_time": top.time("lastSeenAt"),
            "finding_info.data_sources": top.texts("dataSources") or None,
            "metadata.correlation_uid": top.text("storylineId"),
        },
    )
    analytic = top.inner("analytics")
    if text(analytic.peek("name")) is None and text(analytic.peek("uid")) is None:
        return
    put(
        row,
        {
            "finding_info.analytic.name": analytic.text("name"),
            "finding_info.analytic.uid": analytic.text("uid"),
            "finding_info.analytic.category": analytic.text("category"),
        },
    )
    kind = analytic.choice("typeValue", _ANALYTICS)
    word = analytic.text("typeValue") if kind is None else None
    row["finding_info.analytic.type_id"] = OTHER if word else kind or 0
    row["finding_info.analytic.type"] = word or caption("analytic", kind or 0)


def _evidence(row: Row, top: Section, snapshot: Section, seen: list[Observable]) -> None:
    process = top.inner("process")
    image = read_file(process.inner("file"), _FILE, "evidences.file", seen)
    vendor = text(top.inner("detectionSource").peek("vendor")) or VENDOR
    malware(row, top, image.get("name"), image.get("path"), vendor)
    then = top.inner("detectionTime")
    evidence = present(
        file=image,
        process=_process(process, image, row, seen),
        src_endpoint=_attacker(then.inner("attacker"), seen),
        user=_target(then.inner("targetUser"), seen),
    )
    if evidence:
        row["evidences"] = [evidence | present(container=container(snapshot.inner("kubernetes"), _CONTAINER))]


def _process(process: Section, image: Mapping[str, Any], row: Row, seen: list[Observable]) -> dict[str, Any]:
    if not image:
        return {}
    name, line, parent = image["name"], process.text("cmdLine"), process.text("parentName")
    ids = row.get("metadata.correlation_uid"), row["finding_info.uid"]
    above = {} if parent is None else {"uid": linked(*ids, parent), "name": parent}
    observe_process("evidences.process", name, line, seen)
    return present(uid=linked(*ids, name), name=name, cmd_line=line, file=dict(image), parent_process=above)


def _attacker(section: Section, seen: list[Observable]) -> dict[str, Any]:
    addresses, host = section.addresses("ip"), section.text("host")
    seen.extend(observable("evidences.src_endpoint.ip", 2, found) for found in addresses)
    return present(ip=addresses[0] if addresses else None, hostname=host)


def _target(section: Section, seen: list[Observable]) -> dict[str, Any]:
    name, mail = section.text("name"), section.email("emailAddress")
    if name is None and mail is None:
        return {}
    seen.append(observable("evidences.user.name", 4, name or mail or ""))
    if mail is not None:
        seen.append(observable("evidences.user.email_addr", 5, mail))
    return present(name=name or mail, domain=section.text("domain"), email_addr=mail)


def _resources(row: Row, assets: list[Section], snapshot: Section) -> None:
    """Write all assets that the alert names, and the place in Kubernetes."""
    found = [
        present(uid=asset.text("id"), name=text(asset.peek("name")), type=text(asset.peek("category")))
        for asset in assets
        if text(asset.peek("id")) is not None or text(asset.peek("name")) is not None
    ]
    found += kubernetes(snapshot.inner("kubernetes"), _KUBERNETES)
    if found:
        row["resources"] = found


def _triage(row: Row, top: Section) -> None:
    choose(row, top, "status", STATES, "status")
    _verdict(row, top)
    choose(row, top, "confidenceLevel", CONFIDENCES, "confidence")
    row.update(outcome(top.word("result"), frozenset()))
    put(row, {"ticket.uid": top.text("ticketId"), "status_detail": top.text("result")})
    person = top.inner("assignee")
    name, uid, mail = person.text("fullName"), person.text("userId"), person.email("email")
    if name is not None or uid is not None or mail is not None:
        put(row, {"assignee.uid": uid, "assignee.name": name or mail, "assignee.email_addr": mail})


def _verdict(row: Row, top: Section) -> None:
    """Write the verdict; of one with a reason (`TRUE_POSITIVE_BENIGN_…`) the whole word stays among the unmapped."""
    word = top.word("analystVerdict")
    kind = None
    if word not in VERDICTS:
        if word.startswith("false_positive"):
            kind = 1
        elif word.startswith("true_positive"):
            kind = 5 if word.startswith("true_positive_benign") else 2
    if kind is None:
        choose(row, top, "analystVerdict", VERDICTS, "verdict")
    else:
        row["verdict_id"], row["verdict"] = kind, caption("verdict", kind)


STREAM = Stream(
    name="unified_alerts",
    endpoint=Endpoint(
        path="/unifiedalerts/graphql",
        time_field="updatedAt",
        record_time=("updatedAt",),
        sort_by="updatedAt",
        permission="Unified Alerts.view",
        page_size=500,
        passes=(Pass("createdAt", ("createdAt",), "createdAt"),),
        record_version=("updatedAt",),
        graphql=GraphQL(_SELECTION),
    ),
    map_record=map_record,
)
