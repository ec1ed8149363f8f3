"""The DAG files as Airflow parses them, each time in a fresh process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("airflow.sdk")
pytestmark = pytest.mark.airflow

PROJECT = Path(__file__).resolve().parents[2]
FILE = "name: {0}\nlive_since: 2026-11-22T09:30:00Z\ndestinations: [{{type: file, path: delivered}}]\n"
PARSE = """
import hashlib, json, os, sys
from airflow.dag_processing.dagbag import DagBag
from airflow.serialization.serialized_objects import DagSerialization
bag = DagBag(os.environ["DAGS"])
def digest(dag):
    return hashlib.sha256(json.dumps(DagSerialization.to_dict(dag), sort_keys=True).encode()).hexdigest()
print(json.dumps({
    "dags": {i: digest(d) for i, d in bag.dags.items()},
    "tasks": {i: {t.task_id: sorted(t.downstream_task_ids) for t in d.tasks} for i, d in bag.dags.items()},
    "tags": {i: sorted(d.tags) for i, d in bag.dags.items()},
    "errors": bag.import_errors,
    "heavy": [m for m in ("pandas", "pyarrow", "duckdb", "boto3", "sigma") if m in sys.modules],
}))
"""


def parse(tmp_path: Path, *, dags: Path = PROJECT / "dags", **environment: str) -> dict[str, Any]:
    settings = {
        "AIRFLOW_HOME": str(tmp_path / "airflow"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(PROJECT / "plugins"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(PROJECT / "dags"),
        "AIRFLOW__CORE__DAGBAG_IMPORT_TIMEOUT": "600",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{tmp_path}/none.db",
        "S1C_INSTANCES": str(tmp_path / "instances"),
        "DAGS": str(dags),
    }
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "_AIRFLOW"))}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PARSE],
        env=kept | settings | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


@pytest.fixture
def inventory(tmp_path: Path) -> Path:
    folder = tmp_path / "instances"
    folder.mkdir()
    for slug in ("emea", "apac", "latam"):
        (folder / f"{slug}.yaml").write_text(FILE.format(slug.upper()))
    return folder


def test_each_instance_is_a_dag_with_the_four_tasks(tmp_path: Path, inventory: Path) -> None:
    found = parse(tmp_path)
    assert found["errors"] == {}
    assert set(found["dags"]) == {
        "sentinelone__emea",
        "sentinelone__apac",
        "sentinelone__latam",
        "sentinelone__audit",
    }
    assert found["tags"]["sentinelone__emea"] == ["instance:emea", "sentinelone"]
    tasks = found["tasks"]["sentinelone__emea"]
    chain = ["activities.fetch", "activities.normalize", "activities.tag", "activities.deliver"]
    assert sorted(tasks) == sorted(chain)
    for upstream, downstream in pairwise(chain):
        assert downstream in tasks[upstream]


def test_parsing_imports_nothing_heavy(tmp_path: Path, inventory: Path) -> None:
    assert parse(tmp_path)["heavy"] == []


def test_serialized_dags_are_equal_under_different_hash_seeds(tmp_path: Path, inventory: Path) -> None:
    """Equal up to the order of keys, which Airflow itself takes from sets and sorts before it compares versions."""
    first, second = (parse(tmp_path, PYTHONHASHSEED=seed)["dags"] for seed in ("1", "4242"))
    assert first == second


def test_a_task_process_builds_only_its_own_dag(tmp_path: Path, inventory: Path) -> None:
    found = parse(
        tmp_path,
        dags=PROJECT / "dags" / "sentinelone_instances.py",
        _AIRFLOW_PARSING_CONTEXT_DAG_ID="sentinelone__emea",
        _AIRFLOW_PARSING_CONTEXT_TASK_ID="activities.fetch",
    )
    assert set(found["dags"]) == {"sentinelone__emea"}


def test_bad_files_are_import_errors_that_hide_no_other_instance(tmp_path: Path, inventory: Path) -> None:
    (inventory / "bad.yaml").write_text(FILE.format("BAD") + "every: 7m\n")
    (inventory / "worse.yaml").write_text(FILE.format("WORSE").replace("path", "paht"))
    (inventory / "later.yaml").write_text(FILE.format("LATER") + "streams: [dreams]\n")
    found = parse(tmp_path)
    assert {"sentinelone__emea", "sentinelone__apac", "sentinelone__latam", "sentinelone__audit"} == set(found["dags"])
    (text,) = found["errors"].values()
    assert f"{inventory / 'bad.yaml'}:4" in text
    assert "does not divide a day" in text
    assert f"{inventory / 'worse.yaml'}:3" in text
    assert "path is missing" in text
    assert f"{inventory / 'later.yaml'}:4" in text
    assert "dreams" in text


def test_an_empty_inventory_is_no_error(tmp_path: Path) -> None:
    found = parse(tmp_path)
    assert found["errors"] == {}
    assert set(found["dags"]) == {"sentinelone__audit"}
