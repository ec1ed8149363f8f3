"""One query in one index: only the windows that count, only the range of time; and how the index is asked."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import Any, NamedTuple

from sentinelone_collector.errors import LakeError, UsageError
from sentinelone_collector.search.compiling import compile_query
from sentinelone_collector.search.documents import FACETS, index_schema
from sentinelone_collector.search.listing import Scope
from sentinelone_collector.search.query import Node
from sentinelone_collector.search.shard import Snapshot
from sentinelone_collector.windows import DAY, parse_time

__all__ = ["Part", "count", "in_range", "milliseconds", "narrowed", "run"]

_MOST_FACETS = 200


class Part(NamedTuple):
    """Some windows of a day in one index: the windows' numbers there."""

    snapshot: Snapshot
    numbers: list[int]


def run(work: Any, *arguments: Any, **options: Any) -> Any:
    """Call the index; raise `UsageError` for a query that is too much for it, `LakeError` for a broken index."""
    try:
        return work(*arguments, **options)
    except ValueError as error:
        if "expansion" in str(error).lower() or "too many" in str(error).lower():
            raise UsageError(
                "the last word before the * fits too many words of the index; write more of it, or name the field, "
                "like ip:192.0.2.1*"
            ) from error
        raise LakeError(f"the search index can't be read ({error}); delete its folder, it is made anew") from error


def narrowed(part: Part, query: Node, scope: Scope, day: str) -> Any:
    """Return the index's query for a tree, within the part's windows and the scope's range of time."""
    import tantivy

    must = [compile_query(query, part.snapshot.searcher)]
    if len(part.numbers) != part.snapshot.size:
        must.append(tantivy.Query.term_set_query(index_schema(), "window", part.numbers))
    begin = parse_time(day)
    first = scope.start if scope.start is not None and scope.start > begin else None
    end = scope.end if scope.end is not None and scope.end < begin + DAY else None
    if first is not None or end is not None:
        must.append(in_range("moment", _ms_up(first), None if end is None else _ms_up(end) - 1))
    return must[0] if len(must) == 1 else tantivy.Query.boolean_query([(tantivy.Occur.Must, one) for one in must])


def in_range(name: str, first: int | None, last: int | None) -> Any:
    """Return the index's query for a number between two, both inclusive, None where there is no bound."""
    import tantivy

    kind = tantivy.FieldType.Unsigned if name == "rank" else tantivy.FieldType.Integer
    return tantivy.Query.range_query(index_schema(), name, kind, first, last)


def milliseconds(moment: datetime) -> int:
    """Return a moment in milliseconds since 1970."""
    return int(moment.timestamp() * 1000)


def _ms_up(moment: Any) -> Any:
    """Return the first whole millisecond that is not before a moment."""
    return None if moment is None else -(-int(moment.timestamp() * 1_000_000) // 1000)


def count(part: Part, query: Any, width: int, buckets: Counter[int], facets: dict[str, Counter[str]]) -> int:
    """Add to the counters what matches in a part, over time and by attribute; return how many events that are."""
    if not part.numbers:
        return 0
    asked: dict[str, Any] = {
        "time": {"histogram": {"field": "moment", "interval": float(width), "min_doc_count": 1}},
        **{name: {"terms": {"field": name, "size": _MOST_FACETS}} for name in FACETS},
    }
    found = run(part.snapshot.searcher.aggregate, query, asked)
    for bucket in found["time"]["buckets"]:
        buckets[int(bucket["key"])] += bucket["doc_count"]
    for name, counter in facets.items():
        for bucket in found[name]["buckets"]:
            counter[bucket["key"]] += bucket["doc_count"]
    return int(sum(bucket["doc_count"] for bucket in found["time"]["buckets"]))
