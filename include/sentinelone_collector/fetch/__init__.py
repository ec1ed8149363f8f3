"""Window -> raw records, proven complete; see `fetch`."""

from sentinelone_collector.fetch.task import fetch

__all__ = ["fetch"]
