"""The schema of the unified alerts service, as far as clients in the field use it."""

from __future__ import annotations

from functools import cache
from typing import Any, Final

from graphql import GraphQLError, GraphQLScalarType, GraphQLSchema, build_schema

__all__ = ["COLUMNS", "unified_schema"]

COLUMNS: Final[dict[str, str]] = {
    "accountId": "realTime.scope.account.id",
    "agentUuid": "assets.agentUuid",
    "analystVerdict": "analystVerdict",
    "assetName": "assets.name",
    "classification": "classification",
    "confidenceLevel": "confidenceLevel",
    "createdAt": "createdAt",
    "detectedAt": "detectedAt",
    "detectionProduct": "detectionSource.product",
    "detectionVendor": "detectionSource.vendor",
    "externalId": "externalId",
    "firstSeenAt": "firstSeenAt",
    "id": "id",
    "lastSeenAt": "lastSeenAt",
    "name": "name",
    "noteExists": "noteExists",
    "result": "result",
    "severity": "severity",
    "siteId": "realTime.scope.site.id",
    "status": "status",
    "storylineId": "storylineId",
    "updatedAt": "updatedAt",
}
"""The columns that filters and sorting may name, with their places in a node."""

_SDL = """
scalar Long

enum ViewType { ALL ENDPOINT IDENTITY CLOUD THIRD_PARTY CUSTOM_ALERTS }
enum SortOrderType { ASC DESC }
enum ScopeType { ACCOUNT SITE GROUP }

input RangeFilterLongInput { start: Long, startInclusive: Boolean, end: Long, endInclusive: Boolean }
input RangeFilterIntegerInput { start: Int, startInclusive: Boolean, end: Int, endInclusive: Boolean }
input EqualFilterBooleanInput { value: Boolean }
input EqualFilterIntegerInput { value: Int }
input EqualFilterLongInput { value: Long }
input EqualFilterStringInput { value: String }
input InFilterBooleanInput { values: [Boolean!]! }
input InFilterIntegerInput { values: [Int!]! }
input InFilterLongInput { values: [Long!]! }
input InFilterStringInput { values: [String!]! }
input FulltextFilterInput { values: [String!]! }
input FilterInput {
  fieldId: String!
  isNegated: Boolean
  booleanEqual: EqualFilterBooleanInput
  booleanIn: InFilterBooleanInput
  dateTimeRange: RangeFilterLongInput
  intEqual: EqualFilterIntegerInput
  intIn: InFilterIntegerInput
  intRange: RangeFilterIntegerInput
  longEqual: EqualFilterLongInput
  longIn: InFilterLongInput
  longRange: RangeFilterLongInput
  stringEqual: EqualFilterStringInput
  stringIn: InFilterStringInput
  match: FulltextFilterInput
}
input SortInput { by: String!, order: SortOrderType! }
input ScopeSelectorInput { scopeIds: [ID!]!, scopeType: ScopeType! }

type Query {
  alerts(
    filters: [FilterInput!], sort: SortInput, first: Int, after: String, viewType: ViewType, scope: ScopeSelectorInput
  ): AlertConnection
  alert(id: ID!, scope: ScopeSelectorInput): Alert
}
type AlertConnection { edges: [AlertEdge!]!, pageInfo: PageInfo!, totalCount: Long }
type AlertEdge { cursor: String!, node: Alert! }
type PageInfo { hasNextPage: Boolean!, hasPreviousPage: Boolean!, startCursor: String, endCursor: String }
type Alert {
  id: ID!, externalId: String, name: String, description: String, createdAt: String, detectedAt: String
  updatedAt: String, firstSeenAt: String, lastSeenAt: String, severity: String, status: String, classification: String
  confidenceLevel: String, analystVerdict: String, result: String, storylineId: String, ticketId: String
  noteExists: Boolean, exclusionHash: String, analytics: Analytics, detectionSource: DetectionSource
  dataSources: [String!], attackSurfaces: [String!], availableActionIds: [String!], assignee: User
  aiInvestigation: AiInvestigation, asset: AssetSummary, assets: [Asset!], detectionTime: DetectionTime
  realTime: RealTime, process: Process, sloDetails: SloDetails
}
type Analytics { category: String, name: String, typeValue: String, uid: String }
type DetectionSource { product: String, vendor: String }
type User { email: String, fullName: String, userId: ID }
type AiInvestigation { status: String, verdict: String, purpleAiStatus: String }
type AssetSummary { id: ID, name: String, type: String }
type Asset {
  id: ID, name: String, type: String, agentUuid: String, agentVersion: String, accessible: Boolean
  assetTypeClassifier: String, category: String, subcategory: String, connectivityToConsole: String
  decommissioned: Boolean, lastLoggedInUser: String, origin: String, osType: String, osVersion: String
  pendingReboot: Boolean, policy: String, role: String, status: String
}
type DetectionScope { accountId: ID, accountName: String, siteName: String, groupName: String }
type Attacker { host: String, ip: String }
type TargetUser { domain: String, emailAddress: String, name: String }
type DetectionTime {
  scope: DetectionScope, attacker: Attacker, targetUser: TargetUser, assets: [DetectionAsset!]
}
type DetectionAsset {
  accessible: Boolean, origin: String, scope: DetectionScope, asset: DetectedAsset, cloud: Cloud, kubernetes: Kubernetes
}
type DetectedAsset {
  agentVersion: String, consoleIpAddress: String, domain: String, ipV4: String, ipV6: String, lastLoggedInUser: String
  osName: String, osRevision: String, osType: String, policy: String, subscriptionTime: String
}
type Cloud {
  accountId: ID, cloudProvider: String, image: String, instanceId: ID, instanceSize: String, location: String
  network: String, providerDetails: String, tags: [String!]
}
type Kubernetes {
  clusterName: String, containerId: ID, containerImageName: String, containerLabels: [String!], containerName: String
  controllerLabels: [String!], controllerName: String, controllerType: String, namespaceLabels: [String!]
  namespaceName: String, nodeLabels: [String!], nodeName: String, podLabels: [String!], podName: String
}
type RealTime { scope: RealTimeScope }
type RealTimeScope { account: ScopeLevel, site: ScopeLevel, group: ScopeLevel }
type ScopeLevel { id: ID, name: String }
type Process { cmdLine: String, parentName: String, file: ProcessFile }
type ProcessFile { certSubject: String, md5: String, sha1: String, sha256: String, name: String, path: String }
type SloDetails { timeToResolveData: SloData, timeToResponseData: SloData }
type SloData {
  actionComplete: Boolean, actionDue: Int, completion: Int, completionTime: String, status: String, target: Int
  targetTime: String
}
"""


def _whole(value: Any) -> int:
    if type(value) is not int:
        raise GraphQLError(f"Long cannot represent non-integer value: {value!r}")
    return value


@cache
def unified_schema() -> GraphQLSchema:
    """Build the schema; `Long` takes integers beyond 32 bits, as milliseconds are."""
    schema = build_schema(_SDL)
    long = schema.type_map["Long"]
    if not isinstance(long, GraphQLScalarType):
        raise TypeError("Long is no scalar")
    long.coerce_input_value = _whole
    return schema
