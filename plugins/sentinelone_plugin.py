"""Registers the collector's timetable with every Airflow component."""

from airflow.plugins_manager import AirflowPlugin

from sentinelone_collector.airflow.timetable import WindowTimetable


class SentinelOnePlugin(AirflowPlugin):
    """What Airflow loads."""

    name = "sentinelone"
    timetables = [WindowTimetable]  # noqa: RUF012  # the attribute's form is Airflow's
