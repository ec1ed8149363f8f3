"""`s1c collect`, `s1c coverage`, `s1c audit`: the windows of one instance."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

import msgspec
import typer
from rich.console import Console
from rich.progress import track

from sentinelone_collector.commands.output import AsJson, Moment, emit, say, table
from sentinelone_collector.errors import (
    AccessError,
    CollectorError,
    NotLicensed,
    PermissionDenied,
    TokenError,
    WindowOpen,
)
from sentinelone_collector.instances import Instance
from sentinelone_collector.lake import Receipt, read_receipt, windows_with_receipt
from sentinelone_collector.pipeline import Installation
from sentinelone_collector.windows import Window

__all__ = ["audit", "collect", "coverage"]


class Task(StrEnum):
    """The four tasks, by the names that the DAG gives them."""

    FETCH = "fetch"
    NORMALIZE = "normalize"
    TAG = "tag"
    DELIVER = "deliver"


def collect(
    slug: str,
    from_: Annotated[Any, typer.Option("--from", parser=Moment.parser, metavar="TIME")],
    to: Annotated[Any, typer.Option("--to", parser=Moment.parser, metavar="TIME")],
    stream: Annotated[list[str] | None, typer.Option(help="Only this stream; repeatable.")] = None,
    reprocess: Annotated[
        Task, typer.Option(help="Begin with this task and take the earlier ones' results from the lake.")
    ] = Task.FETCH,
    as_json: AsJson = False,
) -> None:
    """Run every window of the calendar that touches the range, oldest first."""
    site = Installation.from_environment()
    instance = site.inventory.get(slug)
    streams = site.streams_of(instance, stream or ())
    if reprocess is Task.FETCH:
        site.connection_for(instance.connection_id)  # a missing one is one error, not one for every window
    work = [(name, window) for window in instance.calendar.touching(from_, to) for name in streams]
    _report(_collect_all(site, instance, work, reprocess.value), as_json=as_json)


def _collect_all(
    site: Installation, instance: Instance, work: Sequence[tuple[str, Window]], start_at: str
) -> list[dict[str, Any]]:
    """Run the windows one after the other.

    End early where the token is refused, since it is for all of them; go on without a stream that is not available.
    """
    rows: list[dict[str, Any]] = []
    left_out: Counter[str] = Counter()
    shown = track(
        work,
        description=f"Collecting {instance.slug}",
        console=Console(stderr=True),
        disable=len(work) < 2,  # noqa: PLR2004
    )
    for number, (stream, window) in enumerate(shown, start=1):
        if stream in left_out:
            left_out[stream] += 1
            continue
        try:
            rows.append(_collect_one(site, instance, stream, window, start_at))
        except TokenError as error:
            rows.append(_failed(_row(instance, stream, window.start, window.end), error))
            if number < len(work):
                say(f"{len(work) - number} more windows were not tried with this token.")
            break
        except AccessError as error:
            rows.append(_failed(_row(instance, stream, window.start, window.end), error))
            left_out[stream] = 0
    for stream, count in left_out.items():
        if count:
            say(f"{count} more windows of {stream} were not tried: the console does not give this stream.")
    return rows


def _row(instance: Instance, stream: str, start: datetime, end: datetime) -> dict[str, Any]:
    return {"instance": instance.slug, "stream": stream, "window": {"start": start, "end": end}}


def _failed(row: dict[str, Any], error: CollectorError) -> dict[str, Any]:
    """Complete the row of what an error ended; a stream that the console does not give is told from a failure."""
    told = row | {"state": "failed", "error": str(error)}
    if isinstance(error, NotLicensed | PermissionDenied):
        told |= {"state": "unavailable", "reason": "licence" if isinstance(error, NotLicensed) else "permission"}
    return told


def _collect_one(site: Installation, instance: Instance, stream: str, window: Window, start_at: str) -> dict[str, Any]:
    row = _row(instance, stream, window.start, window.end)
    try:
        site.collect(instance, stream, window, start_at=start_at)
    except WindowOpen as error:
        return row | {"state": "open", "ready_at": instance.calendar.ready_at(window), "error": str(error)}
    except AccessError:
        raise
    except CollectorError as error:
        return _failed(row, error)
    receipt = read_receipt(site.lake, instance.slug, stream, window)
    return row | {"state": "complete"} | (msgspec.to_builtins(receipt) if receipt else {})


def _report(rows: list[dict[str, Any]], *, as_json: bool) -> None:
    if as_json:
        emit(rows)
    else:
        table(rows, ["stream", "window", "state", "fetched", "duplicates", "events", "quarantined", "hits", "error"])
    refused = [row for row in rows if row["state"] in ("failed", "unavailable")]
    for row in refused:
        say(f"{row['instance']}/{row['stream']}: {row['error']}", style="red")
    # a licence is not the work's fault, a missing right should be granted
    if any(row["state"] == "failed" or row["reason"] == "permission" for row in refused):
        raise typer.Exit(1)


def coverage(
    slug: str,
    from_: Annotated[Any, typer.Option("--from", parser=Moment.parser, metavar="TIME")] = None,
    to: Annotated[Any, typer.Option("--to", parser=Moment.parser, metavar="TIME")] = None,
    as_json: AsJson = False,
) -> None:
    """Say for every window whether it is complete; the default range begins with the collection and ends now."""
    site = Installation.from_environment()
    instance = site.inventory.get(slug)
    rows = list(_coverage(site, instance, from_ or instance.calendar.begin, to or site.now()))
    if as_json:
        emit(rows)
    else:
        table(rows, ["stream", "window", "state", "fetched", "events", "quarantined", "hits", "note"])
    missing = [row for row in rows if row["state"] == "missing"]
    say(f"{len(rows)} windows: {sum(row['state'] == 'complete' for row in rows)} complete, {len(missing)} missing.")
    for name, note in {row["stream"]: row["note"] for row in rows if row["state"] == "unavailable"}.items():
        count = sum(row["state"] == "unavailable" and row["stream"] == name for row in rows)
        say(f"{count} windows of {name} can't be had now: {note}", style="red")
    for new in site.new_types(instance):
        say(
            f"Activity type {new.type} ({new.name or 'without a name'}) is new to this version: windows from "
            f"{new.first} to {new.last} hold its records as events of class API Activity; a newer version may map them."
        )
    if missing:
        say(
            f"Missing windows are collected by {instance.dag_id} and by sentinelone__audit every hour. While "
            f"{instance.dag_id} is paused nothing of it runs: a backfill of a paused DAG waits for ever and blocks the "
            f"next one; unpause it first. By hand: s1c audit {slug} --from … --to …"
        )


def _coverage(site: Installation, instance: Instance, start: datetime, end: datetime) -> Iterator[dict[str, Any]]:
    for stream in instance.streams:
        complete = set(windows_with_receipt(site.lake, instance.slug, stream))
        missing = set(site.missing(instance, stream, complete=complete))
        refused = site.unavailable(instance, stream)
        for window in instance.calendar.touching(start, end):
            row = _row(instance, stream, window.start, window.end)
            receipt = read_receipt(site.lake, instance.slug, stream, window) if window in complete else None
            if window in missing and refused is not None and receipt is None:
                yield row | {"state": "unavailable", "reason": refused.reason, "note": str(refused)}
            elif window in missing:
                note = f"collected from {receipt.collected_from} on only" if receipt else "no receipt"
                yield row | {"state": "missing", "note": note}
            elif receipt is not None:
                yield row | {"state": "complete"} | _facts(receipt)
            elif window.end <= instance.calendar.begin:
                yield row | {"state": "outside", "note": "before the begin of the collection"}
            else:
                yield row | {"state": "open", "note": f"settles at {instance.calendar.ready_at(window):%H:%M:%SZ}"}


def _facts(receipt: Receipt) -> dict[str, Any]:
    partial = receipt.collected_from != receipt.window.start
    return {
        "expected": receipt.expected,
        "fetched": receipt.fetched,
        "duplicates": receipt.duplicates,
        "events": receipt.events,
        "quarantined": receipt.quarantined,
        "hits": receipt.hits,
        "kept": receipt.kept,
        "later": receipt.later,
        "proof": receipt.proof,
        "fetched_at": receipt.fetched_at,
        "collected_from": receipt.collected_from,
        "note": f"from {receipt.collected_from} on: the collection begins there" if partial else None,
    }


def audit(
    slug: str,
    from_: Annotated[Any, typer.Option("--from", parser=Moment.parser, metavar="TIME")],
    to: Annotated[Any, typer.Option("--to", parser=Moment.parser, metavar="TIME")],
    as_json: AsJson = False,
) -> None:
    """Collect every settled window of the range that has no receipt, or of which the console has more by now."""
    site = Installation.from_environment()
    instance = site.inventory.get(slug)
    site.connection_for(instance.connection_id)
    missing = [
        (stream, window)
        for stream in instance.streams
        for window in _missing(site, instance, stream, instance.calendar.touching(from_, to))
    ]
    grown, failures = _recounted(site, instance, from_, to)
    rows = _collect_all(site, instance, list(dict.fromkeys(missing + grown)), "fetch")
    _report(rows + failures, as_json=as_json)
    say(
        f"{len(missing)} windows of {slug} had no receipt."
        if missing
        else f"No window of {slug} is missing in the range."
    )
    if grown:
        say(f"{len(grown)} windows of {slug} had fewer records than the console counts now.")


def _recounted(
    site: Installation, instance: Instance, start: datetime, end: datetime
) -> tuple[list[tuple[str, Window]], list[dict[str, Any]]]:
    """Return the complete windows that have grown, and a row for each stream that could not be counted again."""
    grown: list[tuple[str, Window]] = []
    failures: list[dict[str, Any]] = []
    for stream in instance.streams:
        try:
            found = site.recount(instance, stream, start, end)
        except CollectorError as error:
            failures.append(_failed(_row(instance, stream, start, end), error))
            continue
        for one in found:
            if one.grown:
                grown.append((stream, one.window))
            else:
                say(f"{instance.slug}/{stream} {one}", style="yellow")
    return grown, failures


def _missing(site: Installation, instance: Instance, stream: str, windows: Iterable[Window]) -> Iterator[Window]:
    """Yield the settled windows of a range that are not complete, also those before the begin of the collection."""
    complete = set(windows_with_receipt(site.lake, instance.slug, stream))
    missing = set(site.missing(instance, stream, complete=complete))
    now = site.now()
    for window in windows:
        if window in missing or (window not in complete and instance.calendar.ready_at(window) <= now):
            yield window
