"""Destination `s3`: one Parquet or NDJSON object of OCSF events per window, in Hive-style partitions of a bucket."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from sentinelone_collector.deliver.at_rest import deliver_object
from sentinelone_collector.deliver.payload import Payload
from sentinelone_collector.deliver.ports import Surroundings
from sentinelone_collector.lake import S3Storage
from sentinelone_collector.results import Delivery

__all__ = ["TYPE", "Options", "S3Destination", "build"]

TYPE = "s3"
_SUFFIXES = {"parquet": ".parquet", "ndjson": ".ndjson"}


class Options(BaseModel):
    """`connection_id` names an AWS connection; without it the standard AWS settings of the environment are used."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    bucket: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$")]
    prefix: Annotated[str, Field(pattern=r"^$|^[^/\x00-\x1f]([^\x00-\x1f]*[^/\x00-\x1f])?$", max_length=700)] = ""
    connection_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]+$", max_length=250)] | None = None
    format: Literal["parquet", "ndjson"] = "parquet"


class S3Destination:
    """Objects `<prefix>/instance=…/stream=…/day=…/<start>--<end>.parquet` (or `.ndjson`), each one atomic PUT."""

    def __init__(self, options: Options, surroundings: Surroundings) -> None:
        self._options = options
        self._surroundings = surroundings

    @property
    def name(self) -> str:
        """The type, the connection where there is one, bucket and prefix."""
        options = self._options
        owner = f"{options.connection_id}@" if options.connection_id else ""
        return f"{TYPE}:{owner}{options.bucket}/{options.prefix}".rstrip("/")

    def deliver(self, payload: Payload) -> Delivery:
        """Upload the window's object unless it lies there already."""
        options = self._options
        parquet = options.format == "parquet"
        return deliver_object(
            payload,
            name=self.name,
            suffix=_SUFFIXES[options.format],
            storage=S3Storage(options.bucket, options.prefix, self._surroundings.s3_client_for(options.connection_id)),
            write=payload.write_parquet if parquet else lambda path: payload.write_ndjson(path, compressed=False),
            surroundings=self._surroundings,
        )


def build(options: Options, surroundings: Surroundings) -> S3Destination:
    """Return the destination for one entry of an inventory file."""
    return S3Destination(options, surroundings)
