"""The four tasks of a window, wired to one installation: the same for the scheduler and for the command line."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from sentinelone_collector import __version__
from sentinelone_collector.errors import (
    AccessError,
    CollectorError,
    ConfigurationError,
    NotLicensed,
    PermissionDenied,
    TokenError,
    UsageError,
)
from sentinelone_collector.instances import Connection, Instance, Inventory, load_inventory
from sentinelone_collector.instances.connection import connection_from_environment
from sentinelone_collector.lake import (
    NewType,
    Storage,
    Unavailable,
    available_again,
    note_new_types,
    open_lake,
    read_new_types,
    read_receipt,
    read_unavailable,
    set_unavailable,
)
from sentinelone_collector.reprocessing import fetched_before, normalized_before
from sentinelone_collector.results import Delivered, Fetched, Normalized, Tagged
from sentinelone_collector.settings import Settings
from sentinelone_collector.windows import Window

if TYPE_CHECKING:
    from sentinelone_collector.addresses import AddressBook
    from sentinelone_collector.detect import Ruleset
    from sentinelone_collector.fetch import Recounted
    from sentinelone_collector.search import LogSearch
    from sentinelone_collector.source import Console
    from sentinelone_collector.store import Store

__all__ = ["Installation", "utc_now"]


def utc_now() -> datetime:
    """Return the present moment in UTC."""
    return datetime.now(UTC)


@dataclass
class Installation:
    """One lake, one store, one inventory, and how connections are looked up.

    `connection_for` maps a connection id to a console connection; `s3_client_for` maps an AWS connection id (None: the
    standard settings of the environment) to a boto3 S3 client; `rate_share` is this process's part of a token's rate.
    """

    settings: Settings
    connection_for: Callable[[str], Connection] = connection_from_environment
    s3_client_for: Callable[[str | None], Any] | None = None
    now: Callable[[], datetime] = utc_now
    rate_share: float = 1.0
    retry_seconds: float = 900.0

    @classmethod
    def from_environment(cls) -> Installation:
        """Return the installation that the environment's settings describe."""
        return cls(Settings.from_environment())

    @property
    def inventory(self) -> Inventory:
        """The inventory as it is on disk now."""
        return load_inventory(self.settings.instances, now=self.now())

    @cached_property
    def lake(self) -> Storage:
        """The lake."""
        client = self._lake_client() if self.settings.lake.startswith("s3://") else None
        return open_lake(self.settings.lake, s3_client=client)

    def _lake_client(self) -> Any:
        # s3://connection@bucket/prefix names the Airflow connection, as ObjectStoragePath does
        authority = self.settings.lake.removeprefix("s3://").split("/", 1)[0]
        return self.s3_client(authority.rsplit("@", 1)[0] if "@" in authority else None)

    def s3_client(self, connection_id: str | None) -> Any:
        """Return a boto3 S3 client for an AWS connection; raise `ConfigurationError` where none can be looked up."""
        if self.s3_client_for is not None:
            return self.s3_client_for(connection_id)
        if connection_id is not None:
            raise ConfigurationError(
                f"AWS connection {connection_id!r} can be looked up inside Airflow only; leave connection_id out and "
                "set the AWS_* variables of the environment"
            )
        from sentinelone_collector.lake import new_s3_client

        return new_s3_client()

    @cached_property
    def store(self) -> Store:
        """The store, migrated to the newest schema."""
        from sentinelone_collector.store import open_store

        return open_store(self.settings.store)

    @cached_property
    def search(self) -> LogSearch:
        """The log search, with indexes in the folder that the settings name."""
        from sentinelone_collector.search import LogSearch, ShardCache

        folder, most = self.settings.search_cache, self.settings.search_cache_bytes
        return LogSearch(self.lake, ShardCache(folder, self.lake.url, most_bytes=most))

    @cached_property
    def ruleset(self) -> Ruleset:
        """All rules that can be read: the built-in ones and those of the own folder."""
        from sentinelone_collector.detect import load_ruleset
        from sentinelone_collector.detect.compiled import cache_folder
        from sentinelone_collector.rules import BUILT_IN

        folders = [BUILT_IN] if self.settings.rules is None else [BUILT_IN, self.settings.rules]
        return load_ruleset(*folders, cache=cache_folder())

    @cached_property
    def addresses(self) -> AddressBook | None:
        """Where addresses are, by the installation's databases and its own table of networks; None without any."""
        from sentinelone_collector.addresses import open_book

        return open_book(self.settings.addresses, self.settings.networks)

    def console(self, instance: Instance) -> Console:
        """Return a session with the instance's console."""
        from sentinelone_collector.source import Console

        return Console(
            self.connection_for(instance.connection_id),
            share=self.rate_share,
            patience=self.retry_seconds,
        )

    def fetch(self, instance: Instance, stream: str, window: Window) -> Fetched:
        """Fetch the window's raw records, proven complete; note it in the lake if the console does not give them."""
        from sentinelone_collector.fetch import fetch, refresh_catalogue
        from sentinelone_collector.normalize.streams import get_stream

        try:
            with self.console(instance) as console:
                fetched = fetch(instance, get_stream(stream), window, console=console, lake=self.lake, now=self.now)
                refresh_catalogue(instance.slug, stream, console=console, lake=self.lake, now=self.now)
        except (NotLicensed, PermissionDenied) as error:
            self._refused(instance, stream, error)
            raise
        available_again(self.lake, instance.slug, stream)
        return fetched

    def _refused(self, instance: Instance, stream: str, error: AccessError) -> Unavailable:
        seen = self.now().isoformat(timespec="seconds").replace("+00:00", "Z")
        note = Unavailable(
            instance=instance.slug,
            stream=stream,
            reason="licence" if isinstance(error, NotLicensed) else "permission",
            detail=str(error),
            since=seen,
            seen_at=seen,
        )
        return set_unavailable(self.lake, note)

    def unavailable(self, instance: Instance, stream: str) -> Unavailable | None:
        """Return why the console does not give the stream, as far as the lake knows; None where nothing is known."""
        return read_unavailable(self.lake, instance.slug, stream)

    def still_unavailable(self, instance: Instance, stream: str) -> Unavailable | None:
        """Ask the console for one record of a stream that it refused before; return why it still can't be read.

        None where it can be read, or could be all the time. An answer that says neither leaves it as it was.
        """
        from sentinelone_collector.normalize.streams import get_stream
        from sentinelone_collector.source.scope import scope_filters

        known = self.unavailable(instance, stream)
        if known is None:
            return None
        try:
            with self.console(instance) as console:
                console.first_page(get_stream(stream).endpoint, scope_filters(instance.scope))
        except (NotLicensed, PermissionDenied, TokenError) as error:
            return known if isinstance(error, TokenError) else self._refused(instance, stream, error)
        except CollectorError:
            return known
        available_again(self.lake, instance.slug, stream)
        return None

    def normalize(self, instance: Instance, stream: str, window: Window, fetched: Fetched) -> Normalized:
        """Turn the raw records into OCSF events; note types that are new to the product as the console names them."""
        from sentinelone_collector.fetch import name_unknown_types
        from sentinelone_collector.normalize import normalize

        result = normalize(
            instance.slug, stream, window, console=fetched.console, lake=self.lake, addresses=self.addresses
        )
        named = name_unknown_types(result, self.lake)
        if named.unknown_types:
            with self.store.lock(f"new-types.{instance.slug}"):
                note_new_types(self.lake, named)
        return named

    def new_types(self, instance: Instance) -> list[NewType]:
        """Return the activity types that the instance has sent and that this version does not know."""
        from sentinelone_collector.normalize.table import routes

        known = {str(number) for number in routes()}
        return [noted for noted in read_new_types(self.lake, instance.slug) if noted.type not in known]

    def tag(self, instance: Instance, stream: str, window: Window, fetched: Fetched) -> Tagged:
        """Find the hits of the window and raise their incidents."""
        from sentinelone_collector.detect import tag

        return tag(
            instance,
            stream,
            window,
            console=fetched.console,
            lake=self.lake,
            store=self.store,
            ruleset=self.ruleset,
            now=self.now,
        )

    def deliver(
        self,
        instance: Instance,
        stream: str,
        window: Window,
        *,
        fetched: Fetched,
        normalized: Normalized,
        tagged: Tagged,
    ) -> Delivered:
        """Deliver the window's events and write its receipt."""
        from sentinelone_collector.deliver import deliver

        return deliver(
            instance,
            stream,
            window,
            fetched=fetched,
            normalized=normalized,
            tagged=tagged,
            lake=self.lake,
            store=self.store,
            base=self.settings.delivered,
            code_version=__version__,
            s3_client_for=self.s3_client,
            now=self.now,
        )

    def collect(self, instance: Instance, stream: str, window: Window, *, start_at: str = "fetch") -> Delivered:
        """Run the tasks of a window from `start_at` (the name of a task) on.

        Later tasks than fetch take what they need of the earlier ones from the window's receipt; raise `UsageError`
        where it has none.
        """
        normalized = None
        if start_at == "fetch":
            fetched = self.fetch(instance, stream, window)
        else:
            fetched = fetched_before(self.lake, instance.slug, stream, window, start_at=start_at)
        if start_at in {"tag", "deliver"}:
            addresses = "" if self.addresses is None else self.addresses.digest
            normalized = normalized_before(self.lake, instance.slug, stream, window, addresses=addresses)
        # All that follows fetch is cheap, and running it whole keeps digests and counts in step.
        if normalized is None:
            normalized = self.normalize(instance, stream, window, fetched)
        tagged = self.tag(instance, stream, window, fetched)
        return self.deliver(instance, stream, window, fetched=fetched, normalized=normalized, tagged=tagged)

    def missing(
        self, instance: Instance, stream: str, *, complete: Collection[Window] | None = None
    ) -> Iterator[Window]:
        """Yield, in order, the settled windows since the begin of the collection that lack a (matching) receipt.

        `complete` are the windows with a receipt, where the caller has listed them already.
        """
        from sentinelone_collector.lake import windows_with_receipt

        if complete is None:
            complete = set(windows_with_receipt(self.lake, instance.slug, stream))
        for window in instance.calendar.due(self.now()):
            if window not in complete or not self._reaches_back(instance, stream, window):
                yield window

    def _reaches_back(self, instance: Instance, stream: str, window: Window) -> bool:
        # An earlier collection_start than at collection time makes the first window of then incomplete today.
        if window != instance.calendar.first:
            return True
        receipt = read_receipt(self.lake, instance.slug, stream, window)
        wanted = instance.collected_from(window)
        return receipt is not None and datetime.fromisoformat(receipt.collected_from) <= wanted

    def recount(self, instance: Instance, stream: str, start: datetime, end: datetime) -> list[Recounted]:
        """Return the complete windows that touch `[start, end)` of which the console counts more or fewer records now.

        None for a stream whose records change: a later count tells nothing there. Windows of an earlier calendar are
        left out, since they can't be collected again. Raise the errors of `Console`.
        """
        from sentinelone_collector.fetch import can_recount, recount
        from sentinelone_collector.lake import receipts_between
        from sentinelone_collector.normalize.streams import get_stream

        source = get_stream(stream)
        if not can_recount(source):
            return []
        found = [
            receipt
            for receipt in receipts_between(self.lake, instance.slug, stream, start, end)
            if instance.calendar.window_at(receipt.span.start) == receipt.span
        ]
        if not found:
            return []
        with self.console(instance) as console:
            return recount(instance, source, found, console=console)

    def count_incidents(self, slug: str) -> int:
        """Return how many incidents of an instance are open."""
        from sentinelone_collector.store import IncidentFilter, Overview

        return Overview(self.store).counts(IncidentFilter(instance=slug), now=self.now())["open"][0]

    def streams_of(self, instance: Instance, only: Sequence[str] = ()) -> tuple[str, ...]:
        """Return the instance's streams, or those of them that are asked for; raise `UsageError` for others."""
        unknown = [name for name in only if name not in instance.streams]
        if unknown:
            raise UsageError(
                f"{instance.slug} does not collect {', '.join(unknown)}; its streams are {', '.join(instance.streams)}"
            )
        return tuple(only) or instance.streams
