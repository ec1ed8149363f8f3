"""The state of an instance in words, from what lake, store and Airflow know."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sentinelone_collector.console.context import Context
from sentinelone_collector.console.ports import ACTIVE, DagState, Run
from sentinelone_collector.console.receipts import index_of
from sentinelone_collector.console.rendering import ago
from sentinelone_collector.instances import Instance
from sentinelone_collector.store import InstanceCheck
from sentinelone_collector.windows import Window, parse_time

__all__ = ["Facts", "Health", "State", "healths", "state_of"]

_SOON = timedelta(days=14)
_LEAST_ALLOWANCE = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class State:
    """A word for people, its tone (good, info, warn, bad or off), and a sentence that says why and what to do."""

    word: str
    tone: str
    why: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of one instance; windows count once, however many streams they have.

    `dag` is None where Airflow has not read the file yet. `behind` are the settled windows without a receipt, `failed`
    those of them whose last run failed.
    """

    instance: Instance
    now: datetime
    dag: DagState | None
    active: int = 0
    due: int = 0
    behind: tuple[Window, ...] = ()
    failed: tuple[Window, ...] = ()
    last_complete: Window | None = None
    expires_at: datetime | None = None
    unavailable: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Health:
    """One row of the registry."""

    instance: Instance
    state: State
    facts: Facts
    records_today: int
    open_incidents: int
    check: InstanceCheck | None
    notes: tuple[str, ...] = field(default=())

    @property
    def lag(self) -> timedelta | None:
        """How long ago the last complete window ended."""
        return None if self.facts.last_complete is None else self.facts.now - self.facts.last_complete.end


def state_of(facts: Facts) -> State:
    """Return the state; the first that applies of what stops the collection, then of what is worth knowing."""
    return _stopped(facts) or _beginning(facts) or _late(facts) or _expiring(facts) or _collecting(facts)


def _at(moment: datetime, now: datetime) -> str:
    return moment.strftime("%H:%M UTC" if moment.date() == now.date() else "%Y-%m-%d, %H:%M UTC")


def _due_at(instance: Instance, window: Window) -> datetime:
    """Return the first moment when the window could be collected: history waited for nobody before `live_since`."""
    return max(instance.calendar.ready_at(window), instance.live_since)


def _stopped(facts: Facts) -> State | None:
    if facts.dag is not None and facts.dag.is_paused:
        return State("Paused", "off", "Nothing is collected. Resume makes up every window since.")
    if facts.expires_at is not None and facts.expires_at <= facts.now:
        day = facts.expires_at.strftime("%Y-%m-%d")
        return State("Token expired", "bad", f"The token expired on {day}. Rotate it; what was missed is made up.")
    if facts.failed:
        first = min(facts.failed)
        words = "window has" if len(facts.failed) == 1 else "windows have"
        return State(
            "Failing", "bad", f"{len(facts.failed)} {words} failed, the first begins {_at(first.start, facts.now)}."
        )
    return None


def _beginning(facts: Facts) -> State | None:
    if facts.dag is None:
        return State("Configured", "info", "Airflow reads the new file within half a minute.")
    if facts.last_complete is not None:
        return None
    if facts.active:
        return State("Collecting", "info", f"{facts.active} of {facts.due} first windows are being collected.")
    due = _due_at(facts.instance, facts.instance.calendar.first)
    if not facts.due:
        return State("Configured", "info", f"The first window is collected at {_at(due, facts.now)}.")
    if facts.now - due < _LEAST_ALLOWANCE:
        return State("Configured", "info", f"Airflow begins with the first of {facts.due:,} windows.")
    return State(
        "Not yet collected", "warn", f"The first window was due at {_at(due, facts.now)}; look at the DAG's runs."
    )


def _late(facts: Facts) -> State | None:
    allowance = max(2 * facts.instance.every, _LEAST_ALLOWANCE)
    late = [window for window in facts.behind if _due_at(facts.instance, window) < facts.now - allowance]
    if not late:
        return None
    done = facts.due - len(facts.behind)
    beginning = facts.last_complete is not None and facts.last_complete.end <= facts.instance.live_since
    if beginning and facts.active:
        return State(
            "Collecting", "info", f"Catching up with the history: {done:,} of {facts.due:,} windows are complete."
        )
    since = ago(facts.now - _due_at(facts.instance, min(late)))
    cure = "They are being made up." if facts.active else "The hourly audit collects them."
    return State("Late", "warn", f"{len(late):,} windows are missing, the oldest for {since}. {cure}")


def _expiring(facts: Facts) -> State | None:
    if facts.expires_at is None or facts.expires_at - facts.now > _SOON:
        return None
    days = (facts.expires_at - facts.now).days
    left = "today" if days == 0 else f"in {days} day{'' if days == 1 else 's'}"
    return State(f"Token expires {left}", "warn", "Make a new one in the console and rotate it here.")


def _collecting(facts: Facts) -> State:
    calendar = facts.instance.calendar
    following = calendar.ready_at(calendar.window_at(facts.now))
    return State("Collecting", "good", f"The next window is collected at {_at(following, facts.now)}.")


def healths(ctx: Context, instances: Sequence[Instance]) -> list[Health]:
    """Return the rows of the registry for these instances, with three questions to Airflow in all."""
    dag_ids = [instance.dag_id for instance in instances]
    known = ctx.airflow.dags() if instances else {}
    active = ctx.airflow.runs(dag_ids, states=ACTIVE)
    failed = ctx.airflow.runs(dag_ids, states={"failed"})
    checks = ctx.site.store.get_checks()
    return [
        _health(
            ctx,
            each,
            dag=known.get(each.dag_id),
            active=_of(active, each),
            failed=_of(failed, each),
            check=checks.get(each.slug),
        )
        for each in instances
    ]


def _of(runs: Iterable[Run], instance: Instance) -> list[Run]:
    return [run for run in runs if run.dag_id == instance.dag_id]


def _health(
    ctx: Context,
    instance: Instance,
    *,
    dag: DagState | None,
    active: Sequence[Run],
    failed: Sequence[Run],
    check: InstanceCheck | None,
) -> Health:
    now, calendar = ctx.now(), instance.calendar
    index = index_of(ctx.site)
    refused = {stream: ctx.site.unavailable(instance, stream) for stream in instance.streams}
    streams = [stream for stream, note in refused.items() if note is None] or list(instance.streams)
    due = list(calendar.due(now))
    complete = set.intersection(*(index.windows(instance, stream, now) for stream in streams))
    behind = [window for window in due if window not in complete]
    failed_starts = {run.logical_date for run in failed} - {run.logical_date for run in active}
    facts = Facts(
        instance=instance,
        now=now,
        dag=dag,
        active=len(active),
        due=len(due),
        behind=tuple(behind),
        failed=tuple(window for window in behind if window.start in failed_starts),
        last_complete=max(complete, default=None),
        expires_at=parse_time(check.expires_at) if check is not None and check.expires_at else None,
        unavailable=tuple(stream for stream, note in refused.items() if note is not None),
    )
    return Health(
        instance=instance,
        state=state_of(facts),
        facts=facts,
        records_today=index.records(instance, now),
        open_incidents=ctx.site.count_incidents(instance.slug),
        check=check,
        notes=tuple(f"{stream}: {note}" for stream, note in refused.items() if note is not None),
    )
