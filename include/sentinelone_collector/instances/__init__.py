"""Who is collected: instances, their inventory files and connections."""

from sentinelone_collector.instances.connection import Connection, check_console_url, connection_from_environment
from sentinelone_collector.instances.inventory import (
    Inventory,
    dump_instance,
    load_instance,
    load_inventory,
    write_instance,
)
from sentinelone_collector.instances.model import STREAMS, Destination, Instance, RuleSettings, Scope

__all__ = [
    "STREAMS",
    "Connection",
    "Destination",
    "Instance",
    "Inventory",
    "RuleSettings",
    "Scope",
    "check_console_url",
    "connection_from_environment",
    "dump_instance",
    "load_instance",
    "load_inventory",
    "write_instance",
]
