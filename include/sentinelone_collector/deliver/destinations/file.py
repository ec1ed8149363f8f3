"""Destination `file`: one NDJSON file of OCSF events per window, for any shipper that watches a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from sentinelone_collector.deliver.at_rest import deliver_object
from sentinelone_collector.deliver.payload import Payload
from sentinelone_collector.deliver.ports import Surroundings
from sentinelone_collector.lake import FolderStorage
from sentinelone_collector.results import Delivery

__all__ = ["TYPE", "FileDestination", "Options", "build"]

TYPE = "file"
_SUFFIXES = {"none": ".ndjson", "gzip": ".ndjson.gz"}


class Options(BaseModel):
    """`path` is a folder; a relative one begins at the folder that the installation delivers to."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: Annotated[str, Field(min_length=1, pattern=r"^[^\x00]*\S[^\x00]*$")]
    format: Literal["ndjson"] = "ndjson"
    compression: Literal["none", "gzip"] = "none"


class FileDestination:
    """Files `<path>/instance=…/stream=…/day=…/<start>--<end>.ndjson[.gz]`, each written whole or not at all."""

    def __init__(self, options: Options, surroundings: Surroundings) -> None:
        self._options = options
        self._surroundings = surroundings

    @property
    def name(self) -> str:
        """The type and the path as the inventory file writes it."""
        return f"{TYPE}:{self._options.path}"

    def deliver(self, payload: Payload) -> Delivery:
        """Write the window's file unless it lies there already."""
        compressed = self._options.compression == "gzip"
        return deliver_object(
            payload,
            name=self.name,
            suffix=_SUFFIXES[self._options.compression],
            storage=FolderStorage((self._surroundings.base / Path(self._options.path).expanduser()).absolute()),
            write=lambda path: payload.write_ndjson(path, compressed=compressed),
            surroundings=self._surroundings,
        )


def build(options: Options, surroundings: Surroundings) -> FileDestination:
    """Return the destination for one entry of an inventory file."""
    return FileDestination(options, surroundings)
