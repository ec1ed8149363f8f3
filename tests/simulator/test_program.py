from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from tests.simulator.conftest import ACTIVITIES

from sentinelone_collector.simulator import main

SMALL = ["--users", "3", "--records-per-day", "1500", "--days", "2", "--no-rate-limits"]


def test_the_program_serves_writes_the_truth_and_stops_on_a_signal(tmp_path: Path) -> None:
    import http.client

    file = tmp_path / "truth.ndjson"
    command = [sys.executable, "-m", "sentinelone_collector.simulator", *SMALL, "--seed", "9", "--truth", str(file)]
    command += ["--token", "chosen", "--faults", "429:at=2,503:at=2", "--scenario", "mass-uninstall"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        ready = json.loads(process.stdout.readline())
        assert ready["token"] == "chosen"
        connection = http.client.HTTPConnection(ready["url"].removeprefix("http://"))
        headers = {"Authorization": "ApiToken chosen"}
        statuses, rows = [], []
        for _ in range(3):
            connection.request("GET", f"{ACTIVITIES}?limit=1000&sortBy=createdAt&sortOrder=asc", headers=headers)
            response = connection.getresponse()
            statuses.append(response.status)
            rows.append(response.read())
        connection.close()
        process.send_signal(signal.SIGTERM)
        output, errors = process.communicate()
    assert process.returncode == 0, errors
    assert output == b""
    assert statuses == [200, 429, 200]
    lines = file.read_bytes().splitlines()
    assert b",".join(lines[:1000]) in rows[0]
    assert sum(json.loads(line)["activityType"] == 51 for line in lines) == 24


@pytest.mark.parametrize("arguments", [["--faults", "plague"], ["--scenario", "heist"], ["--users", "0"]])
def test_wrong_arguments_are_named(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*SMALL, *arguments]) == 2
    assert arguments[1] in capsys.readouterr().err


def test_a_taken_port_is_an_error_that_says_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        try:
            assert main([*SMALL, "--port", str(taken.getsockname()[1])]) == 1
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
    assert "choose another --port" in capsys.readouterr().err
