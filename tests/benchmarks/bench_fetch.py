"""Time and memory of fetching one window of a million records.

Run `python tests/benchmarks/bench_fetch.py [--records N] [--limit MB]`. The console is generated in this process and
does not pace its client, so that the figures are those of the collector: records per second, and the peak of resident
memory of a fresh process, generator included. Exit 1 above the limit.
"""

from __future__ import annotations

import argparse
import io
import json
import resource
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import requests
import urllib3

from sentinelone_collector.fetch import fetch
from sentinelone_collector.instances import Connection, Instance
from sentinelone_collector.lake import FolderStorage
from sentinelone_collector.source.console import Console
from sentinelone_collector.source.endpoint import Endpoint, Stream
from sentinelone_collector.source.rate import Limits
from sentinelone_collector.source.transport import Transport
from sentinelone_collector.windows import Window

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DAY = datetime(2026, 11, 22, tzinfo=UTC)
SPAN = 86_400_000_000
MICROSECOND = timedelta(microseconds=1)
DETAILS = {
    "accountName": "Example", "siteName": "Berlin", "groupName": "Servers", "fullScopeDetails": "Group Servers in Site "
    "Berlin of Account Example", "fullScopeDetailsPath": "Global / Example / Berlin / Servers", "scopeLevel": "Group",
    "scopeName": "Servers", "username": "a.person@example.net", "role": "Admin", "ipAddress": "192.0.2.7",
    "sourceType": "UI", "computerName": "srv-0815", "externalIp": "198.51.100.9", "uuid": "0" * 32,
}  # fmt: skip
TEMPLATE = json.dumps({
    "accountId": "225494730938493804", "accountName": "Example", "activityType": 27, "agentId": "225494730938493999",
    "agentUpdatedVersion": None, "comments": None, "createdAt": "@time", "data": DETAILS, "description": None,
    "groupId": "225494730938493915", "groupName": "Servers", "hash": None, "id": "@id", "osFamily": None,
    "primaryDescription": "The management user A Person logged in to the management console with IP 192.0.2.7.",
    "secondaryDescription": None, "siteId": "225494730938493804", "siteName": "Berlin", "threatId": None,
    "updatedAt": "@time", "userId": "225494730938493111",
}).replace("%", "%%").replace("@time", "%(time)s").replace("@id", "%(id)d")  # fmt: skip


class Generated(requests.adapters.BaseAdapter):
    """A console whose record number n lies at n equal steps after midnight."""

    def __init__(self, records: int) -> None:
        super().__init__()
        self.records = records
        self.step = SPAN // records

    def send(self, request: requests.PreparedRequest, **_: Any) -> requests.Response:  # type: ignore[override]
        query = dict(parse_qsl(urlsplit(str(request.url)).query))
        first = int(query.get("cursor") or self._index(query["createdAt__gte"]))
        last = self._index(query["createdAt__lt"])
        if query.get("countOnly"):
            body = self._page([], None, min(last - first, 50_000))
        else:
            end = min(first + int(query["limit"]), last)
            body = self._page(range(first, end), str(end) if end < last else None, last - first)
        raw = urllib3.HTTPResponse(
            io.BytesIO(body), headers={"Content-Length": str(len(body))}, status=200, preload_content=False
        )
        return requests.adapters.HTTPAdapter().build_response(request, raw)

    def close(self) -> None:
        """Hold nothing."""

    def _index(self, text: str) -> int:
        passed = (datetime.fromisoformat(text) - DAY) // MICROSECOND
        return min(-(-passed // self.step), self.records)

    def _page(self, numbers: Any, cursor: str | None, total: int) -> bytes:
        records = ",".join(self._record(number) for number in numbers)
        end = json.dumps({"nextCursor": cursor, "totalItems": total})
        return f'{{"data":[{records}],"pagination":{end}}}'.encode()

    def _record(self, number: int) -> str:
        moment = (DAY + number * self.step * MICROSECOND).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        return TEMPLATE % {"id": 10**18 + number, "time": moment}


def run(records: int) -> dict[str, Any]:
    """Fetch one day into a temporary lake and return the figures."""
    connection = Connection("https://console.example.net", "x" * 80)
    transport = Transport(connection, adapter=Generated(records))
    console = Console(connection, transport=transport, limits=Limits(), sleep=lambda _: None)
    endpoint = Endpoint(
        "/activities", "createdAt", ("createdAt",), "createdAt", "Activity Page.view", count_cap=50_000, rate=1e9
    )
    instance = Instance(slug="bench", name="Bench", connection_id="bench", live_since=DAY + timedelta(days=2))
    window = Window(DAY, DAY + timedelta(days=1))
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        result = fetch(
            instance, Stream("activities", endpoint, print), window,
            console=console, lake=FolderStorage(Path(folder)), now=lambda: DAY + timedelta(days=3),
        )  # fmt: skip
        seconds = time.perf_counter() - started
    return {
        "records": result.expected,
        "record_bytes": len(TEMPLATE),
        "raw_bytes": result.raw_bytes,
        "requests": result.requests,
        "seconds": round(seconds, 1),
        "records_per_second": round(records / seconds),
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }


def main() -> int:
    """Measure in a fresh process and print one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--limit", type=int, default=300, help="MB of resident memory")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.inside:
        sys.stdout.write(json.dumps(run(options.records)) + "\n")
        return 0
    command = [sys.executable, __file__, "--inside", "--records", str(options.records)]
    figures = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    sys.stdout.write(json.dumps(figures, indent=2) + "\n")
    return 0 if figures["records"] == options.records and figures["peak_mb"] <= options.limit else 1


if __name__ == "__main__":
    sys.exit(main())
