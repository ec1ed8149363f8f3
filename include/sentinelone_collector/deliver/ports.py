"""What deliver needs from outside, and what a destination is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from sentinelone_collector.deliver.payload import Payload
from sentinelone_collector.results import Delivery
from sentinelone_collector.windows import Window

__all__ = ["Destination", "DestinationFactory", "Ledger", "Surroundings"]


class Ledger(Protocol):
    """The part of the store that knows what was delivered where."""

    def ledger_digest(self, destination: str, target: str) -> str | None:
        """Return the sha256 of what was last delivered to a target, None where nothing was."""

    def record_delivery(
        self,
        *,
        destination: str,
        target: str,
        instance: str,
        stream: str,
        window: Window,
        sha256: str,
        records: int,
        now: datetime,
    ) -> None:
        """Note what was delivered to a target; the latest delivery replaces an earlier one."""

    def lock(self, name: str) -> AbstractContextManager[None]:
        """Hold a lock that one holder in all processes has at a time."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What every destination is given beside its options.

    `base` is the folder that relative paths begin at; `s3_client_for` maps an AWS connection id (None: the standard
    settings of the environment) to a boto3 S3 client and raises `ConfigurationError` where it can't.
    """

    base: Path
    ledger: Ledger
    s3_client_for: Callable[[str | None], Any]
    now: Callable[[], datetime]


class Destination(Protocol):
    """A place that takes the events of a window; `name` is the same on every machine and in every run."""

    @property
    def name(self) -> str:
        """What people and the ledger call the destination."""

    def deliver(self, payload: Payload) -> Delivery:
        """Bring the window's events there, so that the place holds them once; raise `DeliveryError` where it can't."""


DestinationFactory = Callable[[Mapping[str, Any], Surroundings], Destination]
