"""In what order activities have their fields, and which of them tell what: worked out once for each order and type."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

import msgspec

from sentinelone_collector.addresses import AddressBook
from sentinelone_collector.normalize.activity_record import ATTRIBUTES
from sentinelone_collector.normalize.members import MOST_MEMBERS, Pieces, distinct, numbered, pieces_of
from sentinelone_collector.normalize.parts import TARGET_READS, Deed, Plan, deed_of, plan_of, target_of
from sentinelone_collector.normalize.shapes import Declared, Fields, places_of
from sentinelone_collector.normalize.table import routes

if TYPE_CHECKING:
    import numpy as np

__all__ = ["REQUIRED", "Layouts", "Reading", "known_layouts"]

_TYPE: Final = "activityType"
REQUIRED: Final = (_TYPE, "id", "accountId", "createdAt", "primaryDescription")
"""Fields that every regular activity has, and that have a place in its event."""

_DATA: Final = "data"
_MOST: Final = 1 << 15  # parts of each sort that are remembered; a megabyte or two for each thousand
_MOST_LAYOUTS: Final = 1 << 12  # consoles send some hundred
_Part = TypeVar("_Part")

_decode = msgspec.json.Decoder().decode
_decode_list = msgspec.json.Decoder(list[Any]).decode


class _Known(dict[str, _Part], Generic[_Part]):
    """What was made of some values, by their JSON texts; forgets all when there are too many."""

    def keep(self, text: str, part: _Part) -> _Part:
        if len(self) >= _MOST:
            self.clear()
        self[text] = part
        return part


class _Layout:
    """The names of the members of an activity, in their order; `inner` are those of its `data`."""

    def __init__(self, names: tuple[str, ...], outer: int, inner: int) -> None:
        self.names = names
        self.inner = range(outer, outer + inner)
        own = [place for place in range(len(names)) if place not in self.inner]
        self.own = {names[place]: place for place in own}
        self.data = tuple(names[place] for place in self.inner)
        self.regular = (
            len(self.own) == len(own)
            and self.own.keys() <= ATTRIBUTES.keys()
            and self.own.keys() >= {*REQUIRED, _DATA}
            and outer > 0
            and names[outer - 1] == _DATA
        )
        self.target = _Reads(self, TARGET_READS)


class _Reads:
    """The fields that one thing is told by, as activities of one layout have them.

    `wanted` names those of the activity with a dot and those of `data` in lower case; `places` are those of the members
    that there are, the activity's own first.
    """

    def __init__(self, layout: _Layout, wanted: Iterable[str]) -> None:
        names = frozenset(wanted)
        own = frozenset(name[1:] for name in names if name.startswith("."))
        data = frozenset(name for name in names if not name.startswith("."))
        inside = {layout.names[place].lower(): place for place in layout.inner}
        told = [name for name in layout.own if name in own]
        inner = [name for name in inside if name in data]
        self._own, self._data = places_of(own, told), places_of(data, inner, begin=len(told))
        self.places = (*(layout.own[name] for name in told), *(inside[name] for name in inner))

    def fields(self, text: str) -> tuple[Fields, Fields]:
        """Return the activity's fields and those of `data` by the JSON texts of their values, joined by commas."""
        values = _decode_list(f"[{text}]")
        values.append(None)
        return Declared(self._own, values), Declared(self._data, values)


class Reading:
    """How activities of one layout, given with its number, and of one type are read.

    The places of members: `required` are those of the required fields, `kept` of what stays as it is, in the order in
    which the long way writes it; `of_deed` and `of_one` tell who did what, and what is said of one activity alone.
    """

    def __init__(self, number: int, layout: _Layout, plan: Plan) -> None:
        self.layout = number
        self.plan = plan
        self.required = tuple(layout.own[name] for name in REQUIRED)
        self.kept = tuple(layout.own[name] for name in ATTRIBUTES if name in layout.own and name not in REQUIRED)
        self._deed, self._one = _Reads(layout, plan.deed_reads), _Reads(layout, plan.one_off_reads)
        self.of_deed, self.of_one = self._deed.places, self._one.places

    def deed(self, text: str, addresses: AddressBook | None) -> Deed:
        """Return who did what by the JSON texts of the values that tell it, joined by commas."""
        return deed_of(self.plan.route, *self._deed.fields(text), addresses)

    def alone(self, text: str) -> tuple[Fields, Fields]:
        """Return the fields that tell of one activity alone by the JSON texts of their values, joined by commas."""
        return self._one.fields(text)


class Layouts:
    """The layouts and readings that are known, by number, and parts; -1 stands for activities that are not regular.

    Numbers hold until `layouts` is asked for the next time: when there are `most`, all are forgotten then.
    """

    def __init__(self, addresses: AddressBook | None, most: int = _MOST_LAYOUTS) -> None:
        self._addresses = addresses
        self._most = most
        self._forget()

    def _forget(self) -> None:
        self._layouts: list[_Layout] = []
        self._layout_numbers: dict[str, int] = {}
        self._reading_numbers: dict[str, int] = {}
        self._deeds: _Known[Deed] = _Known()
        self._targets: _Known[Mapping[str, Any]] = _Known()
        self._tables: dict[str, Pieces] = {}
        self.readings: list[Reading] = []

    def types(self) -> Pieces:
        """Return which member is the type, by layout."""
        return self._table("types", ((one.own[_TYPE],) for one in self._layouts))

    def of_target(self) -> Pieces:
        """Return which members tell of the endpoint, by layout."""
        return self._table("of_target", (one.target.places for one in self._layouts))

    def pieces(self, name: str) -> Pieces:
        """Return places of members by reading; the name is that of an attribute of `Reading`."""
        return self._table(name, (getattr(one, name) for one in self.readings))

    def _table(self, name: str, places: Iterable[tuple[int, ...]]) -> Pieces:
        if name not in self._tables:
            self._tables[name] = pieces_of(list(places))
        return self._tables[name]

    def layouts(self, names: Any) -> np.ndarray:
        """Return the numbers of the layouts of activities, each told by its names (see `Members.names`)."""
        if max(len(self._layout_numbers), len(self._reading_numbers)) > self._most:
            self._forget()
        return self._numbers(names, self._layout_numbers, self._new_layout)

    def numbers(self, codes: Any) -> np.ndarray:
        """Return the numbers of the readings of activities, each told by its layout's number and its type's JSON."""
        return self._numbers(codes, self._reading_numbers, self._new_reading)

    def _numbers(self, texts: Any, known: dict[str, int], new: Callable[[int, str], int]) -> np.ndarray:
        import numpy as np

        found, places = distinct(texts)
        for text in found:
            if text not in known:
                known[text] = new(*numbered(text))
        numbers: np.ndarray = np.array([known[text] for text in found], np.int64)[places]
        return numbers

    def _new_layout(self, arranged: int, names: str) -> int:
        layout = _Layout(tuple(_decode_list(f"[{names}]")), *divmod(arranged, MOST_MEMBERS))
        if not layout.regular:
            return -1
        self._layouts.append(layout)
        self._tables.clear()
        return len(self._layouts) - 1

    def _new_reading(self, number: int, code: str) -> int:
        layout, kind = self._layouts[number], _decode(code)
        route = routes().get(kind) if type(kind) is int else None
        plan = None if route is None else plan_of(route, layout.data)
        if plan is None or not plan.unique or plan.secrets:
            return -1
        self.readings.append(Reading(number, layout, plan))
        self._tables.clear()
        return len(self.readings) - 1

    def deeds(self, texts: Sequence[str]) -> list[Deed]:
        """Return who did what, each told by a reading's number and the JSON texts of the values that tell it."""
        return [self._deeds.get(text) or self._new_deed(text) for text in texts]

    def _new_deed(self, text: str) -> Deed:
        number, values = numbered(text)
        return self._deeds.keep(text, self.readings[number].deed(values, self._addresses))

    def targets(self, texts: Sequence[str]) -> list[Mapping[str, Any]]:
        """Return the endpoints, each told by a layout's number and the JSON texts of the values that tell of it."""
        return [self._targets.get(text) or self._new_target(text) for text in texts]

    def _new_target(self, text: str) -> Mapping[str, Any]:
        number, values = numbered(text)
        return self._targets.keep(text, target_of(*self._layouts[number].target.fields(values)))


@lru_cache(maxsize=4)
def known_layouts(addresses: AddressBook | None) -> Layouts:
    """Return the layouts known in this process; what they tell depends on the address book."""
    return Layouts(addresses)
