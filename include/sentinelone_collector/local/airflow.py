"""Airflow's processes and settings in the local start."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import sys
from collections.abc import Mapping

from sentinelone_collector.local.layout import HOST, Layout, write_private

__all__ = ["COMPONENTS", "USER", "airflow_environment", "migrate_command", "store_password"]

USER = "admin"
COMPONENTS: Mapping[str, tuple[str, ...]] = {
    "api-server": ("api-server", "--host", HOST),
    # Tasks log to this machine's disk, where the api-server reads them: no log server needs a port.
    "scheduler": ("scheduler", "--skip-serve-logs"),
    "dag-processor": ("dag-processor",),
    "triggerer": ("triggerer", "--skip-serve-logs"),
}


def airflow_command(*arguments: str) -> list[str]:
    """Return the command line of Airflow in this virtual environment."""
    return [sys.executable, "-m", "airflow", *arguments]


def migrate_command() -> list[str]:
    """Return the command that brings Airflow's database to its newest schema."""
    return airflow_command("db", "migrate")


def store_password(layout: Layout) -> str:
    """Write the password file of the UI, and return the password of `admin`."""
    password = layout.secret("airflow-admin", 12)
    if not layout.passwords_file.exists():
        write_private(layout.passwords_file, json.dumps({USER: password}))
    return password


def airflow_environment(layout: Layout, *, database: str, extra: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of every Airflow process; what the caller's environment sets itself is kept.

    `database` is the SQLAlchemy URL of Airflow's own database.
    """
    workers = 2 * (os.cpu_count() or 1)
    fernet = base64.urlsafe_b64encode(hashlib.sha256(layout.secret("fernet").encode()).digest()).decode()
    ours = {
        "AIRFLOW_HOME": str(layout.airflow_home),
        "AIRFLOW__API__HOST": HOST,
        "AIRFLOW__API__PORT": str(layout.api_port),
        "AIRFLOW__API__BASE_URL": layout.url,
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__API__SECRET_KEY": layout.secret("api"),
        "AIRFLOW__API_AUTH__JWT_SECRET": layout.secret("jwt"),
        "AIRFLOW__CORE__AUTH_MANAGER": (
            "airflow.api_fastapi.auth.managers.simple.simple_auth_manager.SimpleAuthManager"
        ),
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(layout.project / "dags"),
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{layout.url}/execution/",
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__FERNET_KEY": fernet,
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__PARALLELISM": str(workers),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(layout.project / "plugins"),
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(layout.passwords_file),
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{USER}:admin",
        "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",
        "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "10",
        "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "10",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": database,
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(layout.airflow_home / "logs"),
        "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "1",
        "PYTHONWARNINGS": "ignore",
    }
    return ours | dict(os.environ) | dict(extra)
