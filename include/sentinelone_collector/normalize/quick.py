"""The quick way for regular activities, which are nearly all of them; every other one goes through `map_record`.

Both give the same event, which a test compares on all types. This one takes some thousand lines at once and makes
columns of them: what is a row's own is cut out of the text, and what comes again is looked up by its text.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import repeat
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from sentinelone_collector.addresses import AddressBook
from sentinelone_collector.normalize.blocks import Block, PlacedRow, scattered
from sentinelone_collector.normalize.columns import Row
from sentinelone_collector.normalize.layouts import (
    ALONE,
    KEPT,
    OF_DEED,
    OF_TARGET,
    REQUIRED,
    Layouts,
    known_layouts,
)
from sentinelone_collector.normalize.located import locate_source
from sentinelone_collector.normalize.members import Members, find_members
from sentinelone_collector.normalize.messages import clean
from sentinelone_collector.normalize.objects import one_off
from sentinelone_collector.normalize.record import Context
from sentinelone_collector.normalize.times import LENGTH, console_times

if TYPE_CHECKING:
    import numpy as np

__all__ = ["quick_reader"]

_TEXTS: Final = tuple(REQUIRED.index(name) for name in ("id", "accountId", "createdAt", "primaryDescription"))
_ID, _ACCOUNT, _CREATED, _DESCRIPTION = _TEXTS
# A text that is its own message: printable at both ends, and nothing inside that a description is cleaned of.
_END: Final = r"[!#-%(-;=-\[\]-~]"
_CLEAN: Final = rf"""^{_END}([^<&'"\\]*{_END})?$"""
_QUOTE: Final = ord('"')
_decode_text = msgspec.json.Decoder(str).decode


def quick_reader(context: Context, known: Layouts | None = None) -> Callable[[Sequence[bytes]], list[PlacedRow | None]]:
    """Return a function that turns raw lines into the rows of those that are regular activities, None for any other.

    An activity is regular if it has documented fields only and no nested ones but `data`; if its type is in the table;
    if id, account, time and description are texts as the API documents them; and if no field's name speaks of a secret.
    What is known about them is that of this process, where not given.
    """
    layouts = known_layouts(context.addresses) if known is None else known

    def read(lines: Sequence[bytes]) -> list[PlacedRow | None]:
        found = _regular(find_members(lines), layouts)
        count = len(found.times)
        if not count:
            return [None] * len(lines)
        ids = found.text(_ID)
        names = ids.to_pylist()
        uids = context.uids(names)
        uses = found.uses()
        parts, more = _one_offs(found, uses, names, _parts(found, uses), context.addresses)
        block = Block(_columns(found, uses, uids, ids, context.stream) | scattered(more, count), parts, listed=True)
        placed = zip(found.times.tolist(), uids, repeat(block), range(count), strict=False)
        if count == len(lines):
            return list(placed)
        rows: list[PlacedRow | None] = [None] * len(lines)
        for number, row in zip(found.members.lines.tolist(), placed, strict=True):
            rows[number] = row
        return rows

    return read


class _Activities(NamedTuple):
    """Activities: their members, the numbers of their readings, and what was made of their times and descriptions."""

    members: Members
    known: Layouts
    numbers: np.ndarray
    times: np.ndarray
    messages: Any

    def text(self, field: int) -> Any:
        """Return a required field that is a text without a backslash."""
        return _inside(self.members, self.known.required(self.numbers)[:, field] + self.members.first[:-1])

    def uses(self) -> np.ndarray:
        """Return what each member is for, as bits."""
        import numpy as np

        uses, begins = self.known.uses()
        shifts = begins[self.numbers] - self.members.first[:-1]
        places = np.repeat(shifts, self.members.counts)
        places += np.arange(len(places))
        found: np.ndarray = uses[places]
        return found


def _regular(members: Members, known: Layouts) -> _Activities:
    """Return those activities that are regular."""
    members, numbers = _read(members, known)
    required = known.required(numbers) + members.first[:-1, None]
    good = _are_texts(members, required)
    times, dated = _times(members, required[:, _CREATED])
    good &= dated
    messages = _messages(members, required[:, _DESCRIPTION], good)
    if not good.all():
        members, numbers, times = members.only(good), numbers[good], times[good]
        messages = messages.filter(good)
    return _Activities(members, known, numbers, times, messages)


def _read(members: Members, known: Layouts) -> tuple[Members, np.ndarray]:
    """Return those activities for which there is a reading, and its number."""
    import numpy as np

    names = members.joined(np.arange(len(members.keys)), members.keys, members.key_ends, by="").to_pylist()
    keys = zip(names, members.outer.tolist(), members.inner.tolist(), strict=True)
    layouts = known.layouts(list(keys))
    members, layouts = members.only(layouts >= 0), layouts[layouts >= 0]
    types = known.types(layouts) + members.first[:-1]
    codes = members.slices(members.values[types], members.value_ends[types]).to_pylist()
    numbers = known.numbers(list(zip(layouts.tolist(), codes, strict=True)))
    return members.only(numbers >= 0), numbers[numbers >= 0]


def _inside(members: Members, places: np.ndarray) -> Any:
    """Return what stands between the quotes of texts; anything of values that are none."""
    import numpy as np

    starts = members.values[places] + 1
    return members.slices(starts, np.maximum(members.value_ends[places] - 1, starts))


def _are_texts(members: Members, required: np.ndarray) -> np.ndarray:
    """Say which activities have a text that is not empty where one has to be, and no backslash in an id."""
    import numpy as np
    import pyarrow.compute as pc

    places = required[:, _TEXTS]
    octets = np.frombuffer(members.text or b" ", np.uint8)
    good = (octets[members.values[places]] == _QUOTE) & (members.value_ends[places] - members.values[places] > 2)  # noqa: PLR2004
    found: np.ndarray = good.all(axis=1)
    if b"\\" in members.text:
        for field in (_ID, _ACCOUNT):
            found &= ~pc.match_substring(_inside(members, required[:, field]), "\\").to_numpy(zero_copy_only=False)
    return found


def _times(members: Members, places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return times in epoch milliseconds, and which of them are in the console's own form."""
    import numpy as np

    starts, ends = members.values[places] + 1, members.value_ends[places] - 1
    octets = np.frombuffer(members.text + b" " * LENGTH, np.uint8)
    times, good = console_times(octets[starts[:, None] + np.arange(LENGTH)])
    return times, good & (ends - starts == LENGTH)


def _messages(members: Members, places: np.ndarray, good: np.ndarray) -> Any:
    """Return the descriptions as people read them; those of which nothing is left make `good` false."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    told = _inside(members, places)
    clean_already = pc.match_substring_regex(told, _CLEAN).to_numpy(zero_copy_only=False)
    others = np.flatnonzero(good & ~clean_already).tolist()
    if not others:
        return told
    texts = told.to_pylist()
    for number in others:
        texts[number] = clean(_decode_text(f'"{texts[number]}"'))
        good[number] = bool(texts[number])
    return pa.array(texts, pa.string())


def _parts(found: _Activities, uses: np.ndarray) -> tuple[Sequence[Mapping[str, Any]], ...]:
    """Return what rows share with others: route, who and what, endpoint, last observables."""
    import numpy as np

    members = found.members
    each = found.numbers.tolist()
    known_deeds, new_deed, known_targets, new_target = (
        [getter(reading) for reading in found.known.readings]
        for getter in (attrgetter("deeds.get"), attrgetter("deed"), attrgetter("targets.get"), attrgetter("target"))
    )
    texts = members.joined(np.flatnonzero(uses & OF_DEED), members.values, members.value_ends).to_pylist()
    deeds = [known_deeds[one](text) or new_deed[one](text) for one, text in zip(each, texts, strict=True)]
    texts = members.joined(np.flatnonzero(uses & OF_TARGET), members.values, members.value_ends).to_pylist()
    targets = [known_targets[one](text) or new_target[one](text) for one, text in zip(each, texts, strict=True)]
    bases, attributes, seen_last = zip(*deeds, strict=True)
    return bases, attributes, targets, seen_last


def _columns(found: _Activities, uses: np.ndarray, uids: list[str], ids: Any, stream: str) -> dict[str, Any]:
    """Return what each row has for itself."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    members = found.members
    kept = np.flatnonzero((uses & KEPT).astype(np.bool_) & ~members.null)
    rest = members.joined(kept, members.keys, members.value_ends)
    return {
        "time": pa.array(found.times, pa.int64()),
        "metadata.uid": pa.array(uids, pa.string()),
        "metadata.original_event_uid": ids,
        "metadata.log_name": pa.repeat(pa.scalar(stream, pa.string()), len(uids)),
        "metadata.original_time": found.text(_CREATED),
        "metadata.tenant_uid": found.text(_ACCOUNT),
        "raw_data": members.slices(members.starts, members.ends),
        "message": found.messages,
        "unmapped": pc.binary_join_element_wise("{", rest, "}", ""),
    }


def _one_offs(
    found: _Activities,
    uses: np.ndarray,
    ids: Sequence[str],
    parts: tuple[Sequence[Mapping[str, Any]], ...],
    addresses: AddressBook | None,
) -> tuple[Sequence[Sequence[Mapping[str, Any]]], Mapping[int, Mapping[str, Any]]]:
    """Return the parts, and by number what the objects of some activities tell of these alone.

    Such an object may change a part, too: what was done to it may be known from the object only.
    """
    import numpy as np

    more: dict[int, Row] = {}
    alone = np.flatnonzero(found.known.one_off()[found.numbers]).tolist()
    if not alone:
        return parts, more
    members = found.members
    texts = members.joined(np.flatnonzero(uses & ALONE), members.values, members.value_ends).to_pylist()
    changed = [list(part) for part in parts]
    for number in alone:
        reading = found.known.readings[found.numbers[number]]
        row = Row()
        row["metadata.original_event_uid"] = ids[number]  # it may be asked for, and is a column already
        row.parts = tuple(part[number] for part in parts)
        one_off(reading.plan.route, row, *reading.alone(texts[number]))
        locate_source(row, addresses)
        del row["metadata.original_event_uid"]
        more[number] = row
        for part, mapping in zip(changed, row.parts, strict=True):
            part[number] = mapping
    return changed, more
