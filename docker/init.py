"""Prepare once what all services need: both databases, the log-in of the UI, the bucket of the lake.

Repeatable: whatever is there already is left as it is, but the password follows `AIRFLOW_ADMIN_PASSWORD`.
"""

# ruff: noqa: INP001  # a program, no module of a package

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

_ADMIN = "admin"
_MISSING = {"404", "NoSuchBucket"}
_OURS_ALREADY = "BucketAlreadyOwnedByYou"


def migrate_airflow() -> None:
    """Bring Airflow's database to its newest schema."""
    subprocess.run([sys.executable, "-m", "airflow", "db", "migrate"], check=True)


def migrate_store(url: str) -> None:
    """Bring the store to its newest schema."""
    from sentinelone_collector.store import open_store

    open_store(url).close()


def write_password(path: Path, password: str) -> None:
    """Write the file that Airflow's simple auth manager reads, for its owner and group alone."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o660)
    path.write_text(json.dumps({_ADMIN: password}), encoding="utf-8")


def make_bucket(lake: str, client: Any) -> bool:
    """Make the bucket of an s3 URL where there is none; say whether it was made."""
    from botocore.exceptions import ClientError

    parts = urlsplit(lake)
    if parts.scheme != "s3":
        return False
    bucket = parts.netloc.rsplit("@", 1)[-1]
    try:
        client.head_bucket(Bucket=bucket)
    except ClientError as error:
        if error.response["Error"]["Code"] not in _MISSING:
            raise
    else:
        return False
    region = client.meta.region_name
    place = {} if region in {None, "us-east-1"} else {"CreateBucketConfiguration": {"LocationConstraint": region}}
    try:
        client.create_bucket(Bucket=bucket, **place)
    except ClientError as error:
        if error.response["Error"]["Code"] != _OURS_ALREADY:
            raise
    return True


def main(environment: Mapping[str, str] = os.environ) -> None:
    """Prepare everything."""
    from sentinelone_collector.lake import new_s3_client

    migrate_airflow()
    migrate_store(environment["S1C_STORE"])
    passwords = environment["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE"]
    write_password(Path(passwords), environment["AIRFLOW_ADMIN_PASSWORD"])
    make_bucket(environment["S1C_LAKE"], new_s3_client())


if __name__ == "__main__":
    main()
