"""The lake: a tree of immutable-by-key objects in a folder or under an `s3://bucket/prefix`."""

from sentinelone_collector.lake.keys import PARTS, day_prefix, object_key, parse_key, part_prefix
from sentinelone_collector.lake.receipts import (
    Receipt,
    ReceiptWindow,
    read_receipt,
    receipts_between,
    windows_with_receipt,
    write_receipt,
)
from sentinelone_collector.lake.storage import FolderStorage, S3Storage, Storage, open_lake, sha256_of

__all__ = [
    "PARTS",
    "FolderStorage",
    "Receipt",
    "ReceiptWindow",
    "S3Storage",
    "Storage",
    "day_prefix",
    "object_key",
    "open_lake",
    "parse_key",
    "part_prefix",
    "read_receipt",
    "receipts_between",
    "sha256_of",
    "windows_with_receipt",
    "write_receipt",
]
