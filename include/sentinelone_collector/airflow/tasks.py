"""The four tasks as Airflow runs them: they find their window, call the library and say errors in Airflow's terms."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import Asset, BaseHook, get_current_context
from airflow.sdk.exceptions import AirflowFailException, AirflowRescheduleException, AirflowSkipException

from sentinelone_collector.airflow.hook import connection_of
from sentinelone_collector.errors import (
    AccessError,
    ConfigurationError,
    DeliveryError,
    NotLicensed,
    UsageError,
    WindowOpen,
)
from sentinelone_collector.instances import Connection, Instance
from sentinelone_collector.pipeline import Installation
from sentinelone_collector.results import Fetched, Normalized, Tagged
from sentinelone_collector.settings import Settings, number
from sentinelone_collector.windows import Calendar, Window

__all__ = [
    "FETCHES_AT_ONCE",
    "asset_of",
    "deliver_task",
    "fetch_task",
    "installation",
    "normalize_task",
    "tag_task",
    "window_of",
]

FETCHES_AT_ONCE = 2
_RETRY_SECONDS = 300.0


def asset_of(slug: str, stream: str) -> Asset:
    """Return the asset whose events say that a window of a stream was collected."""
    return Asset(name=f"sentinelone_{slug}_{stream}", uri=f"x-sentinelone://{slug}/{stream}", group="sentinelone")


def installation() -> Installation:
    """Return the installation with connections looked up in Airflow."""
    return Installation(
        Settings.from_environment(),
        connection_for=_connection,
        s3_client_for=_s3_client,
        rate_share=1 / FETCHES_AT_ONCE,
        retry_seconds=number("S1C_RETRY_SECONDS", _RETRY_SECONDS),
    )


def _connection(connection_id: str) -> Connection:
    return connection_of(BaseHook.get_connection(connection_id))


def _s3_client(connection_id: str | None) -> Any:
    from airflow.providers.amazon.aws.hooks.s3 import S3Hook
    from airflow.sdk.exceptions import AirflowNotFoundException

    from sentinelone_collector.lake import new_s3_client, s3_client_config

    if connection_id is None:
        return new_s3_client()
    try:
        return S3Hook(aws_conn_id=connection_id, config=s3_client_config()).get_conn()
    except AirflowNotFoundException as error:
        raise ConfigurationError(
            f"there is no AWS connection {connection_id!r}; create it in Airflow, type Amazon Web Services"
        ) from error


def window_of(context: Mapping[str, Any], calendar: Calendar) -> Window:
    """Return the calendar window that a run is about.

    The data interval is taken where it is one of the calendar's windows. A manual run with any other interval takes the
    window that holds its logical date if that had ended when it was triggered, else (also without a logical date) the
    last one that had. Raise `ConfigurationError` for an automated run whose interval is no window of today's calendar.
    """
    run = context["dag_run"]
    start, end = run.data_interval_start, run.data_interval_end
    # the interval of a run that another DAG triggered is inferred from the time of the trigger
    if start is not None and run.run_type != "operator_triggered":
        held = calendar.window_at(start)
        if (held.start, held.end) == (start, end):
            return held
    if run.run_type in {"scheduled", "backfill"}:
        raise ConfigurationError(
            f"run {run.run_id} covers [{start}, {end}), which is no window of the calendar any more: every or "
            "live_since was changed since; restore it, or delete this run and let the audit collect the new windows"
        )
    asked = run.logical_date or run.run_after
    return calendar.for_manual_run(_utc(asked), _utc(run.run_after))


def _utc(moment: datetime) -> datetime:
    return datetime.fromtimestamp(moment.timestamp(), UTC)


@contextmanager
def _in_airflow_terms() -> Iterator[None]:
    """Fail without a retry where a retry can't help, and wait outside the worker for a window that is still open.

    A stream that the console has no licence for is skipped with the reason: nobody can mend that run. A missing right
    fails, since somebody should grant it. The instance's other streams go on in both cases.
    """
    try:
        yield
    except WindowOpen as error:
        raise AirflowRescheduleException(datetime.now(UTC) + timedelta(seconds=error.ready_in)) from error
    except NotLicensed as error:
        raise AirflowSkipException(str(error)) from error
    except (AccessError, ConfigurationError, UsageError) as error:
        raise AirflowFailException(str(error)) from error
    except DeliveryError as error:
        if error.retryable:
            raise
        raise AirflowFailException(str(error)) from error


def _run(slug: str, work: Callable[[Installation, Instance], Any]) -> dict[str, Any]:
    with _in_airflow_terms():
        site = installation()
        result: dict[str, Any] = work(site, site.inventory.get(slug)).to_dict()
        return result


def fetch_task(slug: str, stream: str) -> dict[str, Any]:
    """Fetch the run's window of one stream; the later tasks take the window from what this one returns."""

    def work(site: Installation, instance: Instance) -> Fetched:
        return site.fetch(instance, stream, window_of(get_current_context(), instance.calendar))

    return _run(slug, work)


def normalize_task(slug: str, stream: str, fetched: dict[str, Any]) -> dict[str, Any]:
    """Normalize the fetched records."""
    known = Fetched.from_dict(fetched)
    return _run(slug, lambda site, instance: site.normalize(instance, stream, known.window, known))


def tag_task(slug: str, stream: str, fetched: dict[str, Any], normalized: dict[str, Any]) -> dict[str, Any]:
    """Tag the events with rules and raise incidents."""
    known = Fetched.from_dict(fetched)
    Normalized.from_dict(normalized)
    return _run(slug, lambda site, instance: site.tag(instance, stream, known.window, known))


def deliver_task(
    slug: str,
    stream: str,
    fetched: dict[str, Any],
    normalized: dict[str, Any],
    tagged: dict[str, Any],
) -> dict[str, Any]:
    """Deliver the events, write the receipt, and emit the asset event with counts and window."""
    known, events, hits = Fetched.from_dict(fetched), Normalized.from_dict(normalized), Tagged.from_dict(tagged)
    delivered = _run(
        slug,
        lambda site, instance: site.deliver(
            instance, stream, known.window, fetched=known, normalized=events, tagged=hits
        ),
    )
    get_current_context()["outlet_events"][asset_of(slug, stream)].extra = {
        "instance": slug,
        "stream": stream,
        "window": {"start": known.start, "end": known.end},
        "events": events.events,
        "quarantined": events.quarantined,
        "duplicates": known.duplicates,
        "hits": hits.hits,
        "receipt": delivered["receipt"],
    }
    return delivered
