"""Registers the collector's timetable with every Airflow component, and its console with the UI."""

from airflow.plugins_manager import AirflowPlugin

from sentinelone_collector.airflow.mounted import PREFIX, ConsoleMount, console_view
from sentinelone_collector.airflow.timetable import WindowTimetable


class SentinelOnePlugin(AirflowPlugin):
    """What Airflow loads."""

    name = "sentinelone"
    timetables = [WindowTimetable]  # noqa: RUF012  # the attributes' form is Airflow's
    fastapi_apps = [{"app": ConsoleMount(), "url_prefix": PREFIX, "name": "SentinelOne"}]  # noqa: RUF012
    external_views = [console_view()]  # noqa: RUF012
