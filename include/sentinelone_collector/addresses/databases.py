"""Address databases in MaxMind's file format, which the operator supplies."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any, Final

from sentinelone_collector.addresses.facts import Address, Edition, Facts
from sentinelone_collector.addresses.layouts import facts_of
from sentinelone_collector.errors import ConfigurationError

__all__ = ["Database"]

_LOOKED_AT: Final = 1000  # records; the first ones of an anonymizer database say something each
_CURE: Final = "download it again whole, or take it out of S1C_ADDRESSES"


class Database:
    """One MMDB file, mapped into memory.

    Raise `ConfigurationError` where it is missing or broken, or holds nothing that is looked for. The digest is that of
    the file's bytes: two builds of one edition differ in it, copies of one do not.
    """

    def __init__(self, path: Path) -> None:
        import maxminddb

        self._path = path
        self._broken = (maxminddb.InvalidDatabaseError, ValueError, OSError, EOFError)
        try:
            self._reader = maxminddb.open_database(path)
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            self._check_layout()
        except FileNotFoundError:
            raise ConfigurationError(
                "this address database does not exist; correct S1C_ADDRESSES or put the file there", path=path
            ) from None
        except self._broken as error:
            raise ConfigurationError(f"no readable address database (MMDB): {error}; {_CURE}", path=path) from None
        told = self._reader.metadata()
        self._versions = {4, told.ip_version}  # a tree for IPv6 holds IPv4 too
        built = datetime.fromtimestamp(told.build_epoch, UTC)
        self.edition = Edition(told.database_type or path.stem, f"{built:%Y-%m-%dT%H:%M:%SZ}", digest, told.build_epoch)

    def find(self, address: Address) -> Facts | None:
        """Return what the file says of an address, None where nothing; raise `ConfigurationError` if it is damaged."""
        if address.version not in self._versions:
            return None
        try:
            return facts_of(self._reader.get(address))
        except self._broken as error:
            raise ConfigurationError(f"damaged at {address}: {error}; {_CURE}", path=self._path) from None

    def _check_layout(self) -> None:
        seen: Any = None
        for _, record in islice(self._reader, _LOOKED_AT):
            if facts_of(record) is not None:
                return
            seen = record
        keys = ", ".join(sorted(seen)) if isinstance(seen, dict) else "none"
        raise ConfigurationError(
            f"an address database ({self._reader.metadata().database_type!r}) without country, network or kind of an "
            f"address; its keys are: {keys}; use one of MaxMind, DB-IP, IPinfo or IP2Location",
            path=self._path,
        )
