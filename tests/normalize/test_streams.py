"""The registry of streams."""

from __future__ import annotations

import subprocess
import sys

import pytest

from sentinelone_collector.errors import ConfigurationError
from sentinelone_collector.normalize.streams import get_stream, stream_names


def test_activities_are_a_stream() -> None:
    stream = get_stream("activities")
    assert "activities" in stream_names() == tuple(sorted(stream_names()))
    assert stream.endpoint.path == "/activities"
    assert stream.endpoint.record_time == ("createdAt",)
    assert not stream.endpoint.optional


def test_an_unknown_stream_is_refused_with_the_ones_there_are() -> None:
    with pytest.raises(ConfigurationError, match=r"'activites'; available: .*activities"):
        get_stream("activites")


def test_reading_the_registry_loads_nothing_heavy() -> None:
    script = """
import sys
from sentinelone_collector.normalize.streams import stream_names
stream_names()
heavy = {"pyarrow", "pandas", "duckdb", "boto3", "botocore", "sqlalchemy", "alembic", "numpy", "airflow"}
print(sorted(heavy & sys.modules.keys()))
"""
    found = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    assert found.stdout.strip() == "[]"
