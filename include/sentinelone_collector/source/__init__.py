"""The SentinelOne management API: session, retries, rate, paging, check of a connection."""

from sentinelone_collector.source.endpoint import Endpoint, Stream

__all__ = ["Endpoint", "Stream"]
