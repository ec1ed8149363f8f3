"""Keyword search over the lake's events: a query language, one index a day that follows the lake, exact results."""

from sentinelone_collector.search.budget import Budget
from sentinelone_collector.search.cache import ShardCache
from sentinelone_collector.search.engine import LogSearch, SearchTooWide
from sentinelone_collector.search.evidence import read_event, related_hits, whole_events
from sentinelone_collector.search.export import csv_lines, ndjson_lines
from sentinelone_collector.search.listing import Scope, scope_of
from sentinelone_collector.search.parsing import QueryError, field_query, parse_query
from sentinelone_collector.search.query import both
from sentinelone_collector.search.results import Bucket, Counts, Cursor, Page, Row, row_dict

__all__ = [
    "Bucket",
    "Budget",
    "Counts",
    "Cursor",
    "LogSearch",
    "Page",
    "QueryError",
    "Row",
    "Scope",
    "SearchTooWide",
    "ShardCache",
    "both",
    "csv_lines",
    "field_query",
    "ndjson_lines",
    "parse_query",
    "read_event",
    "related_hits",
    "row_dict",
    "scope_of",
    "whole_events",
]
