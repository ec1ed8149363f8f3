"""The list of activity types that the console publishes: ids, names, sentence templates."""

from __future__ import annotations

import re
from functools import cache
from typing import Final

from sentinelone_collector.simulator.kinds import BY_TYPE
from sentinelone_collector.simulator.kinds.unknown import UNLISTED

__all__ = ["LISTED_TYPES", "types_document"]

_RANGES = (
    "2 5-8 15-99 101-163 200-201 203-204 221 300-306 701-703 1001-1002 1023-1025 1100-1105 1501-1504 2001-2018 "
    "2021-2043 2100-2101 2110-2111 3001-3023 3031-3034 3050-3053 3100-3103 3200-3204 3400 3500-3507 3520-3527 "
    "3530-3534 3600-3608 3610-3618 3620-3642 3650-3656 3660-3670 3701-3702 3710-3712 3714-3715 3720-3721 3730 "
    "3750-3758 3767-3788 3801-3806 4001-4013 4020-4022 4100-4113 5000-5013 5020-5030 5040-5046 5120-5129 "
    "5220-5222 5225-5244 5250-5259 6000-6002 6010-6013 6030-6032 6050-6055 6999 7100-7101 7200-7215 7256 "
    "7300-7302 7500-7507 7600-7604 7700-7702 7800-7803 7830-7841 7853-7863 7870-7872 7880-7882 7900-7903 "
    "8001-8002 9001-9002 9100-9104 9106-9113 9200-9214 10000 11001-11003 12001-12009 13000 13010-13011 "
    "13020-13031 13041-13047 14000-14002 15000-15004 16000-16008 17000-17001 18000-18002 19000 20000-20009 "
    "21000-21005 22000-22006 22051-22054 22071-22073"
)
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def _numbers(ranges: str) -> frozenset[int]:
    numbers: set[int] = set()
    for item in ranges.split():
        first, _, last = item.partition("-")
        numbers.update(range(int(first), int(last or first) + 1))
    return frozenset(numbers)


LISTED_TYPES: Final = _numbers(_RANGES)
"""The ids that the catalogue lists; the log holds a few that it doesn't."""

if clash := LISTED_TYPES & {kind.type for kind in UNLISTED}:
    raise AssertionError(f"types meant to be unlisted are listed: {sorted(clash)}")


def _template(sentence: str) -> str | None:
    """Turn a sentence of ours into the console's notation: `{{ snake_case }}`."""
    if not sentence:
        return None
    return re.sub(r"\{(\w+)\}", lambda found: "{{ " + _CAMEL.sub("_", found[1]).lower() + " }}", sentence)


@cache
def types_document() -> tuple[dict[str, object], ...]:
    """List all types as /activities/types does; many have neither name nor template."""
    return tuple(
        {
            "action": BY_TYPE[number].name if number in BY_TYPE else "",
            "descriptionTemplate": _template(BY_TYPE[number].text) if number in BY_TYPE else None,
            "id": number,
        }
        for number in sorted(LISTED_TYPES)
    )
