"""Delivery of one object per window to a place that keeps it: a folder or a bucket.

The object's key and bytes follow from the window and its lake objects alone, and it is written whole or not at all. So
however often a delivery is begun, killed and begun again, the place ends with the same object, once.
"""

from __future__ import annotations

import errno
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sentinelone_collector.deliver.payload import Payload
from sentinelone_collector.deliver.ports import Surroundings
from sentinelone_collector.errors import DeliveryError, LakeError
from sentinelone_collector.lake import Storage, s3_errors, s3_fault, sha256_of
from sentinelone_collector.results import Delivery

__all__ = ["deliver_object"]

_LOG = logging.getLogger(__name__)
_LASTING = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG}
_FORBIDDEN = 403


def deliver_object(
    payload: Payload,
    *,
    name: str,
    suffix: str,
    storage: Storage,
    write: Callable[[Path], int],
    surroundings: Surroundings,
) -> Delivery:
    """Make the window's object with `write`, put it where it belongs unless it lies there already, and note it.

    Raise `DeliveryError` that names destination, object, window and cure.
    """
    key = payload.key(suffix)
    target = f"{storage.url}/{key}"
    ledger = surroundings.ledger
    with _explained(name, payload), storage.scratch() as folder:
        made = folder / "object"
        records = write(made)
        sha256 = sha256_of(made)
        # The place is asked, not the ledger alone: what was deleted or damaged there is written again
        written = _held(storage, key, lambda: ledger.ledger_digest(name, target)) != sha256
        if written:
            storage.put(key, made)
    if written or ledger.ledger_digest(name, target) != sha256:
        ledger.record_delivery(
            destination=name,
            target=target,
            instance=payload.instance,
            stream=payload.stream,
            window=payload.window,
            sha256=sha256,
            records=records,
            now=surroundings.now(),
        )
    _LOG.info(
        "delivered window=%s destination=%s target=%s records=%d written=%s", payload, name, target, records, written
    )
    return Delivery(destination=name, target=target, records=records, sha256=sha256, written=written)


def _held(storage: Storage, key: str, remembered: Callable[[], str | None]) -> str | None:
    """Return the digest of what the place holds; where it lets us write only, of what the ledger remembers."""
    try:
        return storage.digest(key)
    except LakeError as error:
        if _status(error.__cause__) == _FORBIDDEN:
            return remembered()
        raise


def _status(error: BaseException | None) -> int | None:
    response = getattr(error, "response", None) or {}
    status: int | None = response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    return status


@contextmanager
def _explained(name: str, payload: Payload) -> Iterator[None]:
    try:
        yield
    except LakeError as error:
        raise DeliveryError(
            f"{payload} did not reach destination {name}: {error}", retryable=_may_pass(error.__cause__)
        ) from error
    except OSError as error:
        raise DeliveryError(
            f"{payload} did not reach destination {name}: {error.strerror or error}; check space and rights there",
            retryable=_may_pass(error),
        ) from error


def _may_pass(error: BaseException | None) -> bool:
    if isinstance(error, OSError):
        return error.errno not in _LASTING
    return isinstance(error, s3_errors()) and s3_fault(error).retryable
