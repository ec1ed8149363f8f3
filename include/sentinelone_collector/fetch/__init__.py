"""Window -> raw records, proven complete; see `fetch`. What the console calls activity types; see `catalogue`.

Windows that have grown since they were collected; see `recount`.
"""

from sentinelone_collector.fetch.catalogue import name_unknown_types, read_catalogue, refresh_catalogue
from sentinelone_collector.fetch.recount import Recounted, can_recount, recount
from sentinelone_collector.fetch.task import fetch

__all__ = [
    "Recounted",
    "can_recount",
    "fetch",
    "name_unknown_types",
    "read_catalogue",
    "recount",
    "refresh_catalogue",
]
