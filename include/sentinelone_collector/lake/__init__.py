"""The lake: a tree of immutable-by-key objects in a folder or under an `s3://bucket/prefix`."""

from sentinelone_collector.lake.availability import Unavailable, available_again, read_unavailable, set_unavailable
from sentinelone_collector.lake.files import FolderStorage, replace_file, sha256_of
from sentinelone_collector.lake.keys import (
    PARTS,
    ParsedKey,
    catalogue_key,
    day_prefix,
    new_types_key,
    object_key,
    parse_key,
    part_prefix,
)
from sentinelone_collector.lake.new_types import NewType, note_new_types, read_new_types
from sentinelone_collector.lake.receipts import (
    Receipt,
    ReceiptWindow,
    read_receipt,
    receipts_between,
    windows_with_receipt,
    write_receipt,
)
from sentinelone_collector.lake.s3 import S3Storage, new_s3_client, put_s3_object, s3_client_config
from sentinelone_collector.lake.s3_faults import S3Fault, is_missing_object, s3_errors, s3_fault
from sentinelone_collector.lake.storage import Storage, open_lake
from sentinelone_collector.lake.versions import ObjectVersion

__all__ = [
    "PARTS",
    "FolderStorage",
    "NewType",
    "ObjectVersion",
    "ParsedKey",
    "Receipt",
    "ReceiptWindow",
    "S3Fault",
    "S3Storage",
    "Storage",
    "Unavailable",
    "available_again",
    "catalogue_key",
    "day_prefix",
    "is_missing_object",
    "new_s3_client",
    "new_types_key",
    "note_new_types",
    "object_key",
    "open_lake",
    "parse_key",
    "part_prefix",
    "put_s3_object",
    "read_new_types",
    "read_receipt",
    "read_unavailable",
    "receipts_between",
    "replace_file",
    "s3_client_config",
    "s3_errors",
    "s3_fault",
    "set_unavailable",
    "sha256_of",
    "windows_with_receipt",
    "write_receipt",
]
