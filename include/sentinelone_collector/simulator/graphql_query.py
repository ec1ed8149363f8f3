"""Read a GraphQL request: parse, check against a schema, and take from objects what a selection names."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLIncludeDirective,
    GraphQLSchema,
    GraphQLSkipDirective,
    InlineFragmentNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    parse,
    validate,
)
from graphql.execution.values import VariableValues, get_argument_values, get_directive_values, get_variable_values

from sentinelone_collector.simulator.messages import Refusal, json_response, validation

__all__ = ["Selection", "Wanted", "read_request", "take"]


@dataclass(frozen=True, slots=True)
class Wanted:
    """One field of a selection: its key in the answer, its name, its arguments, and what of it is wanted."""

    key: str
    name: str
    arguments: Mapping[str, Any]
    inner: Selection


Selection = tuple[Wanted, ...]


def _failed(errors: Sequence[GraphQLError], kind: str) -> Refusal:
    """Report what is wrong with a query: status 200, as the layer does."""
    rows = [
        {
            "extensions": {"classification": kind},
            "locations": [{"column": place.column, "line": place.line} for place in error.locations or ()],
            "message": error.message,
        }
        for error in errors
    ]
    return Refusal(json_response({"data": None, "errors": rows}))


def _body(raw: bytes) -> tuple[str, dict[str, Any], str | None]:
    try:
        body = json.loads(raw)
        query, variables, name = body["query"], body.get("variables") or {}, body.get("operationName")
    except (ValueError, TypeError, KeyError, AttributeError):
        raise validation("query: Missing data for required field.") from None
    if not isinstance(query, str) or not isinstance(variables, dict) or not isinstance(name, str | None):
        raise validation("data: Invalid input type.")
    return query, variables, name


def _operation(document: DocumentNode, name: str | None) -> OperationDefinitionNode:
    found = [
        node
        for node in document.definitions
        if isinstance(node, OperationDefinitionNode) and (name is None or (node.name and node.name.value == name))
    ]
    if len(found) != 1:
        raise _failed([GraphQLError("Must provide operation name of the one operation to run.")], "BAD_REQUEST")
    if found[0].operation is not OperationType.QUERY:
        raise _failed([GraphQLError("Only queries are allowed for this token.")], "FORBIDDEN")
    return found[0]


def read_request(schema: GraphQLSchema, raw: bytes) -> Selection:
    """Read a request's body into the fields of the query; Refusal where it is not good against the schema."""
    text, variables, name = _body(raw)
    try:
        document = parse(text)
    except GraphQLError as error:
        raise _failed([error], "InvalidSyntax") from None
    if errors := validate(schema, document):
        raise _failed(errors, "ValidationError")
    operation = _operation(document, name)
    values = get_variable_values(schema, operation.variable_definitions or (), variables)
    if not isinstance(values, VariableValues):
        raise _failed(values, "ValidationError")
    fragments = {node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)}
    try:
        return _Reader(schema, fragments, values).read([operation.selection_set], "Query")
    except GraphQLError as error:
        raise _failed([error], "ValidationError") from None


class _Reader:
    """Turns checked selection sets into what they name; equal keys are merged, fragments opened."""

    def __init__(
        self, schema: GraphQLSchema, fragments: Mapping[str, FragmentDefinitionNode], variables: VariableValues
    ) -> None:
        self._schema, self._fragments, self._variables = schema, fragments, variables

    def read(self, sets: Sequence[SelectionSetNode], type_name: str) -> Selection:
        grouped: dict[str, list[FieldNode]] = {}
        for chosen in sets:
            for node in self._fields(chosen):
                grouped.setdefault((node.alias or node.name).value, []).append(node)
        return tuple(self._wanted(key, nodes, type_name) for key, nodes in grouped.items())

    def _wanted(self, key: str, nodes: list[FieldNode], type_name: str) -> Wanted:
        first = nodes[0]
        name = first.name.value
        if name.startswith("__"):
            if name != "__typename":
                raise GraphQLError("Introspection is disabled.", [first])
            return Wanted(key, type_name, {}, ())
        field: Any = self._schema.type_map[type_name]
        field = field.fields[name]
        inner = [node.selection_set for node in nodes if node.selection_set]
        of = str(field.type).strip("[]!")
        arguments = get_argument_values(field, first, self._variables)
        return Wanted(key, name, arguments, self.read(inner, of) if inner else ())

    def _fields(self, chosen: SelectionSetNode) -> Iterator[FieldNode]:
        for node in chosen.selections:
            if not self._included(node):
                continue
            if isinstance(node, FieldNode):
                yield node
            elif isinstance(node, InlineFragmentNode):
                yield from self._fields(node.selection_set)
            elif isinstance(node, FragmentSpreadNode):
                yield from self._fields(self._fragments[node.name.value].selection_set)

    def _included(self, node: Any) -> bool:
        skip = get_directive_values(GraphQLSkipDirective, node, self._variables)
        include = get_directive_values(GraphQLIncludeDirective, node, self._variables)
        return not (skip and skip["if"]) and (include is None or bool(include["if"]))


def take(value: object, selection: Selection) -> object:
    """Take from an object (or each of a list) what a selection names, under its keys."""
    if isinstance(value, list):
        return [take(item, selection) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        wanted.key: take(value.get(wanted.name), wanted.inner) if wanted.inner else value.get(wanted.name, wanted.name)
        for wanted in selection
    }
