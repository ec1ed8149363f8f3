"""The commands of README: each is run here in the order of the page, or by the test that is named for it."""

from __future__ import annotations

import os
import re
import subprocess
from datetime import timedelta
from pathlib import Path

import pytest

from sentinelone_collector.instances import Instance, write_instance
from sentinelone_collector.local.layout import Layout
from sentinelone_collector.local.start import _write_shell_file
from sentinelone_collector.pipeline import utc_now
from sentinelone_collector.simulator import Simulator

from .conftest import ROOT, blocks, page

TOKEN = "eyJreadme0token"
# what needs a whole Airflow: the target is checked here, the start itself by the tests in tests/e2e
ELSEWHERE = {
    "make up": "-m sentinelone_collector.local up",
    "make up DEMO=0": "-m sentinelone_collector.local up",
    "make down": "-m sentinelone_collector.local down",
    "make clean": "rm -rf .run",
}
# what is run here, and what it must say
HERE = {
    ". .run/env.sh": "",
    ".venv/bin/s1c coverage emea": "windows:",
    ".venv/bin/s1c incidents list": "0 open",
    ".venv/bin/s1c rules list": "aa-010",
    '.venv/bin/s1c instances add prod --name "EMEA production" --deliver-to delivered': "Registered prod",
    'export AIRFLOW_CONN_SENTINELONE_PROD=\'{"conn_type":"sentinelone",'
    '"host":"https://usea1-example.sentinelone.net","password":"<API token>"}\'': "",
    ".venv/bin/s1c instances check prod": "The stream activities can be read.",
    ".venv/bin/s1c collect prod --from 2026-11-22T10:00:00Z --to 2026-11-22T10:30:00Z --json": '"state": ',
}


def _sections() -> list[list[str]]:
    """Return the commands of each section of README; a section is one shell."""
    found = [
        [line[2:] for block in blocks(section, "console") for line in block.splitlines() if line.startswith("$ ")]
        for section in re.split(r"^## ", page("README.md"), flags=re.MULTILINE)
    ]
    return [commands for commands in found if commands]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder that looks like the checked-out repository after the first start."""
    (tmp_path / ".venv").symlink_to(ROOT / ".venv")
    layout = Layout.from_environment(tmp_path, {})
    instances = tmp_path / ".run" / "instances"
    now = utc_now()
    emea = Instance(
        slug="emea", name="EMEA", connection_id="sentinelone_emea", live_since=now, collection_start=now - timedelta(1)
    )
    write_instance(instances, emea, now=now)
    root = tmp_path / ".run"
    settings = {"LAKE": root / "lake", "STORE": f"sqlite:///{root / 's1c.db'}", "INSTANCES": instances}
    _write_shell_file(layout, {f"S1C_{name}": str(value) for name, value in settings.items()})
    return tmp_path


def test_every_command_of_the_page_is_known() -> None:
    commands = [command for section in _sections() for command in section]
    assert set(commands) == set(HERE) | set(ELSEWHERE)


def test_every_shell_block_is_a_console_block() -> None:
    text = page("README.md")
    assert re.findall(r"^```(\S*)$", text, re.MULTILINE)[::2] == ["console"] * len(blocks(text, "console"))
    for block in blocks(text, "console"):
        assert block.startswith("$ ")


@pytest.mark.parametrize("command", ELSEWHERE)
def test_the_make_targets_do_what_the_page_says(command: str) -> None:
    _, target, *variables = command.split()
    shown = subprocess.run(
        ["make", "--dry-run", "--assume-old=.venv/.installed", target, *variables],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert ELSEWHERE[command] in shown
    if variables:
        assert variables[0] in shown


def test_the_commands_run_in_the_order_of_the_page(checkout: Path) -> None:
    environment = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    with Simulator(seed=3, users=5, records_per_day=400, days=2, token=TOKEN) as console:
        for section in _sections():
            commands = [command for command in section if command in HERE]
            lines = [
                f"echo '@@'; {command}".replace("https://usea1-example.sentinelone.net", console.url).replace(
                    "<API token>", TOKEN
                )
                for command in commands
            ]
            done = subprocess.run(
                ["bash", "-e", "-c", "exec 2>&1\n" + "\n".join(lines)],
                cwd=checkout,
                env=environment,
                capture_output=True,
                text=True,
                check=False,
            )
            said = done.stdout.split("@@\n")[1:]
            assert done.returncode == 0, said[-1]
            assert len(said) == len(commands)
            for command, answer in zip(commands, said, strict=True):
                assert HERE[command] in answer, command
