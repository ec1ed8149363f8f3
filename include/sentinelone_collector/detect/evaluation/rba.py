"""Read the public data set of risk-based authentication (Wiefling et al. 2022) as logins that can be scored.

Its file is not part of the product: https://zenodo.org/records/6782156, CC BY 4.0. Columns that are read: `Login
Timestamp`, `User ID`, `IP Address`, `Country`, `ASN`, `Login Successful`, `Is Attack IP`, `Is Account Takeover`.
"""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from sentinelone_collector.detect.evaluation.run import Evaluation, evaluate_frames
from sentinelone_collector.errors import UsageError

if TYPE_CHECKING:
    from pandas import DataFrame, Series  # for the type checker

__all__ = ["evaluate_rba", "read_rba"]

_TIME: Final = "Login Timestamp"
_READ: Final = (
    _TIME,
    "User ID",
    "IP Address",
    "Country",
    "ASN",
    "Login Successful",
    "Is Attack IP",
    "Is Account Takeover",
)
_SATURDAY = 5
_ROLE = "user"


def read_rba(path: Path) -> DataFrame:
    """Return the successful logins of the file as rows like those of a `World`, and `attack` (bool), ordered by time.

    A login is an attack where the file calls it an account takeover; other logins from attack addresses are left out,
    since whose they are is not known. Raise `UsageError` where a column is missing or the file can't be read.
    """
    import pandas as pd

    try:
        header = pd.read_csv(path, nrows=0).columns
        missing = [name for name in _READ if name not in header]
        if missing:
            raise UsageError(f"{path} is no RBA data set: column {missing[0]!r} is missing")
        frame = pd.read_csv(path, usecols=list(_READ), parse_dates=[_TIME])
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} can't be read as CSV: {error}") from error
    takeover = _true(frame["Is Account Takeover"])
    frame = frame[_true(frame["Login Successful"]) & (takeover | ~_true(frame["Is Attack IP"]))]
    times = frame[_TIME].dt
    days = frame[_TIME].dt.floor("D")
    made = pd.DataFrame(
        {
            "entity": frame["User ID"].astype(str),
            "day": (days - days.min()).dt.days,
            "slot": times.hour * 4 + times.minute // 15,
            "weekend": times.day_of_week >= _SATURDAY,
            "country": frame["Country"].astype(object).where(frame["Country"].notna(), None),
            "asn": frame["ASN"].map(lambda number: str(int(number)), na_action="ignore").astype(object),
            "network": frame["IP Address"].map(_network),
            "ip": frame["IP Address"],
            "kind": None,
            "method": None,
            "role": _ROLE,
            "n": 1,
            "attack": takeover[frame.index],
        }
    )
    return (
        made.assign(at=frame[_TIME]).sort_values(["at", "entity"], kind="stable", ignore_index=True).drop(columns="at")
    )


def evaluate_rba(path: Path, *, baseline_days: int, seed: int) -> Evaluation:
    """Evaluate on the file: its takeovers against its other logins, from the first day with a whole baseline on.

    Raise `UsageError` where the file spans no more days than the baseline.
    """
    frame = read_rba(path)
    last = int(frame["day"].max()) if len(frame) else -1
    if last < baseline_days:
        raise UsageError(f"{path} spans {last + 1} days; a baseline of {baseline_days} leaves none to test (--days)")
    return evaluate_frames(
        frame[~frame["attack"]],
        {"takeover": frame[frame["attack"]]},
        baseline_days=baseline_days,
        test_days=range(baseline_days, last + 1),
        seed=seed,
    )


def _true(column: Series[Any]) -> Series[bool]:
    return column.astype(str).str.lower().eq("true")


def _network(address: str) -> str:
    width = 24 if ip_address(address).version == 4 else 48  # noqa: PLR2004  # version of the protocol
    return str(ip_network(f"{address}/{width}", strict=False))
