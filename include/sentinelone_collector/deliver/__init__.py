"""Events to destinations: one object per window at a key that only the window decides, then the receipt."""

from sentinelone_collector.deliver.payload import Payload
from sentinelone_collector.deliver.ports import Destination, DestinationFactory, Ledger, Surroundings
from sentinelone_collector.deliver.registry import check_destinations, known_destinations
from sentinelone_collector.deliver.task import deliver

__all__ = [
    "Destination",
    "DestinationFactory",
    "Ledger",
    "Payload",
    "Surroundings",
    "check_destinations",
    "deliver",
    "known_destinations",
]
