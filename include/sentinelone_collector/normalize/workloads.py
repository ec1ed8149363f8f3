"""Containers, Kubernetes and ECS: what a finding's process ran in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from sentinelone_collector.normalize.files import present
from sentinelone_collector.normalize.sections import Section

__all__ = ["CONTAINER", "KUBERNETES", "ContainerFields", "KubernetesFields", "container", "ecs", "kubernetes"]


@dataclass(frozen=True, slots=True)
class ContainerFields:
    """The names of a container's fields."""

    uid: str = "id"
    name: str = "name"
    image: str = "image"
    labels: str = "labels"


@dataclass(frozen=True, slots=True)
class KubernetesFields:
    """The names of the fields of a place in Kubernetes."""

    cluster: str = "cluster"
    node: str = "node"
    node_labels: str = "nodeLabels"
    namespace: str = "namespace"
    pod: str = "pod"
    pod_labels: str = "podLabels"
    controller: str = "controllerName"
    controller_kind: str = "controllerKind"
    controller_labels: str = "controllerLabels"


CONTAINER: Final = ContainerFields()
KUBERNETES: Final = KubernetesFields()


def container(section: Section, fields: ContainerFields = CONTAINER) -> dict[str, Any]:
    """Return the container; empty where it has neither id nor name."""
    known = present(uid=section.text(fields.uid), name=section.text(fields.name))
    if not known:
        return {}
    image = section.text(fields.image)
    return present(**known, image=None if image is None else {"uid": image}, labels=section.texts(fields.labels))


def kubernetes(section: Section, fields: KubernetesFields = KUBERNETES) -> list[dict[str, Any]]:
    """Return cluster, node, controller and pod as resources, those that are named."""
    found: list[dict[str, Any]] = []
    for name, labels, sort in (
        (fields.cluster, "", "Cluster"),
        (fields.node, fields.node_labels, "Node"),
        (fields.controller, fields.controller_labels, ""),
        (fields.pod, fields.pod_labels, "Pod"),
    ):
        called = section.text(name)
        if called is None:
            continue
        kind = sort or section.text(fields.controller_kind) or "Controller"
        within = section.text(fields.namespace) if name in (fields.controller, fields.pod) else None
        found.append(present(name=called, type=f"Kubernetes {kind}", namespace=within, labels=section.texts(labels)))
    return found


def ecs(section: Section) -> list[dict[str, Any]]:
    """Return cluster, service and task of Amazon's container service as resources, those that are named."""
    found = (
        ("ECS Cluster", None, section.text("clusterName")),
        ("ECS Service", section.text("serviceArn"), section.text("serviceName")),
        ("ECS Task", section.text("taskArn"), section.text("taskDefinitionFamily")),
    )
    return [present(uid=uid, name=name, type=kind) for kind, uid, name in found if uid is not None or name is not None]
