"""Window -> raw records, proven complete; see `fetch`. What the console calls activity types; see `catalogue`."""

from sentinelone_collector.fetch.catalogue import name_unknown_types, read_catalogue, refresh_catalogue
from sentinelone_collector.fetch.task import fetch

__all__ = ["fetch", "name_unknown_types", "read_catalogue", "refresh_catalogue"]
