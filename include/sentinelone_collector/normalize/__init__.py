"""Raw records to OCSF 1.8.0 events: routing tables, one module per stream, one Arrow schema for all event files."""

from sentinelone_collector.normalize.columns import iter_events, to_event
from sentinelone_collector.normalize.pipeline import normalize
from sentinelone_collector.normalize.record import Context, decode_record
from sentinelone_collector.normalize.schema import event_schema
from sentinelone_collector.normalize.streams.activities import map_activity

__all__ = ["Context", "decode_record", "event_schema", "iter_events", "map_activity", "normalize", "to_event"]
