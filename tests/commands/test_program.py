"""The program itself: help, version, and the simulator behind `s1c simulate`."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import requests

from sentinelone_collector import __version__

from .conftest import Desk


def test_version_and_help_name_every_command(desk: Desk) -> None:
    assert desk.run("--version").out.strip() == f"s1c {__version__}"
    shown = desk.run("--help").out
    for command in ("instances", "collect", "coverage", "audit", "incidents", "rules", "simulate"):
        assert command in shown
    assert "--reprocess" in desk.run("collect", "--help").out
    assert "--scenario" in desk.run("simulate", "--help").out


def test_the_simulator_is_started_with_its_own_options(desk: Desk) -> None:
    assert "unknown scenario" in desk.run("simulate", "--port", "0", "--scenario", "boredom", code=2).err
    process = subprocess.Popen(
        [Path(sys.executable).with_name("s1c"), "simulate", "--port", "0", "--records-per-day", "500", "--days", "1"],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        told = json.loads(process.stdout.readline())
        answer = requests.get(f"{told['url']}/web/api/v2.1/system/status", timeout=300)
        assert answer.status_code == 200
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait() == 0
        process.stdout.close()
