"""The console: server-rendered pages and a JSON API over one installation; imports no Airflow.

A page is one file in `pages/` with a template in `templates/`, a part of the API one file in `api/`: both are found by
listing. `airflow/console.py` binds the whole to Airflow's users, rights, connections and runs.
"""

from sentinelone_collector.console.app import create_app
from sentinelone_collector.console.context import Context, Ctx
from sentinelone_collector.console.errors import Refused
from sentinelone_collector.console.listing import Nav
from sentinelone_collector.console.ports import Airflow, Backfill, DagState, Ports, Right, Run, User
from sentinelone_collector.console.routing import new_router

__all__ = [
    "Airflow",
    "Backfill",
    "Context",
    "Ctx",
    "DagState",
    "Nav",
    "Ports",
    "Refused",
    "Right",
    "Run",
    "User",
    "create_app",
    "new_router",
]
