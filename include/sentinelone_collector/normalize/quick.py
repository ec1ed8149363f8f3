"""The quick way for regular activities, which are nearly all of them; every other one goes through `map_record`.

Both give the same event, which a test compares on all types. This one takes some thousand lines at once and makes
columns of them: what is a row's own is cut out of the text, and what comes again is looked up by its text.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from sentinelone_collector.addresses import AddressBook
from sentinelone_collector.normalize.blocks import Block, Part, scattered
from sentinelone_collector.normalize.columns import Row
from sentinelone_collector.normalize.layouts import REQUIRED, Layouts, known_layouts
from sentinelone_collector.normalize.lines import Lines
from sentinelone_collector.normalize.located import locate_source
from sentinelone_collector.normalize.members import Members, distinct, find_members, fixed_texts, numbered
from sentinelone_collector.normalize.messages import clean
from sentinelone_collector.normalize.objects import one_off
from sentinelone_collector.normalize.record import Context
from sentinelone_collector.normalize.rows import Rows
from sentinelone_collector.normalize.times import LENGTH, console_times

if TYPE_CHECKING:
    import numpy as np

__all__ = ["quick_reader"]

_ID, _ACCOUNT, _CREATED, _DESCRIPTION = range(1, len(REQUIRED))
_QUOTE: Final = ord('"')
_decode_text = msgspec.json.Decoder(str).decode


def quick_reader(context: Context, known: Layouts | None = None) -> Callable[[Lines], tuple[Rows, np.ndarray]]:
    """Return a function that turns those of raw lines that are regular activities into rows, and says which these are.

    An activity is regular if it has documented fields only and no nested ones but `data`; if its type is in the table;
    if id, account, time and description are texts as the API documents them; and if no field's name speaks of a secret.
    What is known about them is that of this process, where not given.
    """
    layouts = known_layouts(context.addresses) if known is None else known

    def read(lines: Lines) -> tuple[Rows, np.ndarray]:
        found = _regular(find_members(lines), layouts)
        ids = found.text(_ID)
        names = ids.to_pylist()
        uids = context.uids(names)
        parts, more = _one_offs(found, names, _parts(found), context.addresses) if names else ((), {})
        block = Block(_columns(found, uids, ids, context.stream) | scattered(more, len(names)), parts, listed=True)
        return Rows.of(block, found.times, uids), found.members.numbers

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
        return self.members.texts(_required(self.members, self.known, self.numbers)[:, field])

    def joined(self, name: str) -> Any:
        """Return the values of the members that an attribute of `Reading` gives the places of (see `Members`)."""
        return self.members.joined(self.known.pieces(name), self.numbers)


def _required(members: Members, known: Layouts, numbers: np.ndarray) -> np.ndarray:
    """Return which members are the required fields of each activity."""
    table = known.pieces("required").places.reshape(-1, len(REQUIRED))
    found: np.ndarray = table[numbers] + members.forms.first[:, None]
    return found


def _regular(members: Members, known: Layouts) -> _Activities:
    """Return those activities that are regular."""
    members, numbers = _read(members, known)
    required = _required(members, known, numbers)
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
    layouts = known.layouts(members.names())
    members, layouts = members.only(layouts >= 0), layouts[layouts >= 0]
    numbers = known.numbers(members.joined(known.types(), layouts))
    return members.only(numbers >= 0), numbers[numbers >= 0]


def _are_texts(members: Members, required: np.ndarray) -> np.ndarray:
    """Say which activities have a text where one has to be, and no odd letter in an id."""
    begins = members.lines.octets[members.places.values[required[:, _ID:]]]
    found: np.ndarray = (begins == _QUOTE).all(axis=1)
    for field in (_ID, _ACCOUNT):
        found &= members.plain(required[:, field])
    return found


def _times(members: Members, places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return times in epoch milliseconds, and which of them are in the console's own form."""
    import numpy as np

    starts, ends = members.places.values[places] + 1, members.places.value_ends[places] - 1
    octets = members.lines.octets
    right = ends - starts == LENGTH
    times, good = console_times(octets[np.where(right, starts, 0)[:, None] + np.arange(LENGTH)])
    return times, good & right


def _messages(members: Members, places: np.ndarray, good: np.ndarray) -> Any:
    """Return the descriptions as people read them; those of which nothing is left make `good` false."""
    import numpy as np
    import pyarrow as pa

    told = members.texts(places)
    others = np.flatnonzero(good & ~members.plain(places)).tolist()
    if not others:
        return told
    texts = told.to_pylist()
    for number in others:
        texts[number] = clean(_decode_text(f'"{texts[number]}"'))
        good[number] = bool(texts[number])
    return pa.array(texts, pa.string())


def _parts(found: _Activities) -> tuple[Part, ...]:
    """Return what rows share with others: route, who and what, endpoint, last observables."""
    import numpy as np

    texts, whose = distinct(found.joined("of_deed"))
    deeds = zip(*found.known.deeds(texts), strict=True)
    bases, attributes, seen_last = (Part(list(each), whose.copy()) for each in deeds)
    layouts = np.array([one.layout for one in found.known.readings])[found.numbers]
    texts, whose = distinct(found.members.joined(found.known.of_target(), layouts))
    return bases, attributes, Part(found.known.targets(texts), whose.copy()), seen_last


def _columns(found: _Activities, uids: np.ndarray, ids: Any, stream: str) -> dict[str, Any]:
    """Return what each row has for itself."""
    import pyarrow as pa

    members = found.members
    return {
        "time": pa.array(found.times, pa.int64()),
        "metadata.uid": fixed_texts(uids),
        "metadata.original_event_uid": ids,
        "metadata.log_name": pa.repeat(pa.scalar(stream, pa.string()), len(uids)),
        "metadata.original_time": found.text(_CREATED),
        "metadata.tenant_uid": found.text(_ACCOUNT),
        "raw_data": members.raw_texts(),
        "message": found.messages,
        "unmapped": members.objects(found.known.pieces("kept"), found.numbers),
    }


def _one_offs(
    found: _Activities, ids: Sequence[str], parts: tuple[Part, ...], addresses: AddressBook | None
) -> tuple[tuple[Part, ...], Mapping[int, Mapping[str, Any]]]:
    """Return the parts, and by number what the objects of some activities tell of these alone.

    Such an object may change a part, too: what was done to it may be known from the object only.
    """
    import numpy as np

    more: dict[int, Row] = {}
    readings = found.known.readings
    of_one = np.array([one.plan.one_off for one in readings], np.bool_)
    alone = np.flatnonzero(of_one[found.numbers]).tolist()
    if not alone:
        return parts, more
    texts = found.joined("of_one").to_pylist()
    numbers = found.numbers.tolist()
    before = list(zip(*(map(part.mappings.__getitem__, part.places[alone].tolist()) for part in parts), strict=True))
    for number, theirs in zip(alone, before, strict=True):
        reading = readings[numbers[number]]
        row = Row()
        row["metadata.original_event_uid"] = ids[number]  # it may be asked for, and is a column already
        row.parts = theirs
        one_off(reading.plan.route, row, *reading.alone(numbered(texts[number])[1]))
        locate_source(row, addresses)
        del row["metadata.original_event_uid"]
        more[number] = row
        if row.parts is not theirs:
            for part, mapping in zip(parts, row.parts, strict=True):
                part.places[number] = len(part.mappings)
                part.mappings.append(mapping)
    return parts, more
