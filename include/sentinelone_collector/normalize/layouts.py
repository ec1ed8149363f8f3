"""In what order activities have their fields, and which of them tell what: worked out once for each order and type."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

import msgspec

from sentinelone_collector.addresses import AddressBook
from sentinelone_collector.normalize.activity_record import ATTRIBUTES
from sentinelone_collector.normalize.parts import TARGET_READS, Deed, Plan, deed_of, plan_of, target_of
from sentinelone_collector.normalize.shapes import Declared, Fields
from sentinelone_collector.normalize.table import routes

if TYPE_CHECKING:
    import numpy as np

__all__ = ["ALONE", "KEPT", "OF_DEED", "OF_TARGET", "REQUIRED", "Layouts", "Reading", "known_layouts"]

_TYPE: Final = "activityType"
REQUIRED: Final = (_TYPE, "id", "accountId", "createdAt", "primaryDescription")
"""Fields that every regular activity has, and that have a place in its event."""

KEPT, OF_DEED, OF_TARGET, ALONE = 1, 2, 4, 8
"""What a member is for, as bits: it is kept as it is; it tells who did what; it tells of the endpoint; it tells what is
said of this activity alone."""

_DATA: Final = "data"
_MOST: Final = 1 << 13  # parts of each sort that are remembered; a megabyte or two for each thousand
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
        self.targets: _Known[Mapping[str, Any]] = _Known()

    def picked(self, wanted: frozenset[str]) -> tuple[tuple[int, str], ...]:
        """Return places and names of the wanted fields, those of `data` in lower case and the others with a dot."""
        names = [name.lower() if place in self.inner else f".{name}" for place, name in enumerate(self.names)]
        return tuple((place, name) for place, name in enumerate(names) if name in wanted)


class Reading:
    """How activities of one layout and one type are read.

    `places` are those of the required fields, `uses` says what each member is for, as bits.
    """

    def __init__(self, layout: _Layout, plan: Plan, addresses: AddressBook | None) -> None:
        import numpy as np

        self.plan = plan
        self.places = tuple(layout.own[name] for name in REQUIRED)
        self.deeds: _Known[Deed] = _Known()
        self.targets = layout.targets
        self._addresses = addresses
        self._deed, self._target = layout.picked(plan.deed_reads), layout.picked(TARGET_READS)
        self._deed_names = _declared(plan.deed_reads)
        self._alone, self._alone_names = layout.picked(plan.one_off_reads), _declared(plan.one_off_reads)
        self.uses = np.zeros(len(layout.names), np.uint8)
        self.uses[[place for name, place in layout.own.items() if name not in REQUIRED]] |= KEPT
        self.uses[[place for place, _ in self._deed]] |= OF_DEED
        self.uses[[place for place, _ in self._target]] |= OF_TARGET
        self.uses[[place for place, _ in self._alone]] |= ALONE

    def deed(self, text: str) -> Deed:
        """Return who did what by the JSON texts of the values that tell it, joined by commas."""
        record, data = _fields(self._deed, self._deed_names, text)
        return self.deeds.keep(text, deed_of(self.plan.route, record, data, self._addresses))

    def target(self, text: str) -> Mapping[str, Any]:
        """Return the endpoint by the JSON texts of the values that tell of it, joined by commas."""
        return self.targets.keep(text, target_of(*_fields(self._target, _TARGET_NAMES, text)))

    def alone(self, text: str) -> tuple[Fields, Fields]:
        """Return the fields that tell of one activity alone by the JSON texts of their values, joined by commas."""
        return _fields(self._alone, self._alone_names, text)


_Names = tuple[frozenset[str], frozenset[str]]


def _declared(wanted: Iterable[str]) -> _Names:
    """Return the wanted names of the activity's own fields, without their dots, and those of `data`."""
    own = frozenset(name[1:] for name in wanted if name.startswith("."))
    return own, frozenset(name for name in wanted if not name.startswith("."))


_TARGET_NAMES = _declared(TARGET_READS)


def _fields(picked: tuple[tuple[int, str], ...], names: _Names, text: str) -> tuple[Declared, Declared]:
    values = dict(zip((name for _, name in picked), _decode_list(f"[{text}]"), strict=True))
    own = {name[1:]: value for name, value in values.items() if name.startswith(".")}
    return Declared(names[0], own), Declared(names[1], {n: v for n, v in values.items() if not n.startswith(".")})


class Layouts:
    """The layouts and readings that are known, by number; -1 stands for those of activities that are not regular.

    Numbers hold until `layouts` is asked for the next time: when there are `most`, all are forgotten then.
    """

    def __init__(self, addresses: AddressBook | None, most: int = _MOST_LAYOUTS) -> None:
        self._addresses = addresses
        self._most = most
        self._forget()

    def _forget(self) -> None:
        self._layouts: list[_Layout] = []
        self._layout_numbers: dict[tuple[str, int, int], int] = {}
        self._reading_numbers: dict[tuple[int, str], int] = {}
        self._tables: dict[str, Any] = {}
        self.readings: list[Reading] = []

    def types(self, layouts: np.ndarray) -> np.ndarray:
        """Return which member is the type, for each layout."""
        import numpy as np

        if "types" not in self._tables:
            self._tables["types"] = np.array([one.own[_TYPE] for one in self._layouts], np.int64)
        found: np.ndarray = self._tables["types"][layouts]
        return found

    def required(self, readings: np.ndarray) -> np.ndarray:
        """Return which members are the required fields, for each reading."""
        import numpy as np

        if "required" not in self._tables:
            places = np.array([one.places for one in self.readings], np.int64)
            self._tables["required"] = places.reshape(-1, len(REQUIRED))
        found: np.ndarray = self._tables["required"][readings]
        return found

    def uses(self) -> tuple[np.ndarray, np.ndarray]:
        """Return what members are for, those of all readings one after the other, and where those of each begin."""
        import numpy as np

        if "uses" not in self._tables:
            uses = [one.uses for one in self.readings]
            begins = np.cumsum([0, *map(len, uses)])
            self._tables["uses"] = np.concatenate([*uses, np.zeros(0, np.uint8)]), begins
        tables: tuple[np.ndarray, np.ndarray] = self._tables["uses"]
        return tables

    def one_off(self) -> np.ndarray:
        """Say for each reading whether its activities' objects tell of one of them alone."""
        import numpy as np

        if "one_off" not in self._tables:
            self._tables["one_off"] = np.array([one.plan.one_off for one in self.readings], np.bool_)
        table: np.ndarray = self._tables["one_off"]
        return table

    def layouts(self, keys: Sequence[tuple[str, int, int]]) -> np.ndarray:
        """Return the numbers of the layouts of activities.

        Each is told by all keys, each with its opening quote, and how many of them stand before and inside of `data`.
        """
        import numpy as np

        if max(len(self._layout_numbers), len(self._reading_numbers)) > self._most:
            self._forget()
        found = map(self._layout_numbers.get, keys)
        numbers = [self._new_layout(key) if one is None else one for one, key in zip(found, keys, strict=True)]
        return np.array(numbers, np.int64)

    def _new_layout(self, key: tuple[str, int, int]) -> int:
        text, outer, inner = key
        number = -1
        if "\\" not in text:
            layout = _Layout(tuple(text.split('"')[1:]), outer, inner)
            if layout.regular:
                number = len(self._layouts)
                self._layouts.append(layout)
                self._tables.clear()
        self._layout_numbers[key] = number
        return number

    def numbers(self, keys: Sequence[tuple[int, str]]) -> np.ndarray:
        """Return the numbers of the readings of activities, each told by its layout and its type as JSON text."""
        import numpy as np

        found = map(self._reading_numbers.get, keys)
        numbers = [self._new_reading(key) if one is None else one for one, key in zip(found, keys, strict=True)]
        return np.array(numbers, np.int64)

    def _new_reading(self, key: tuple[int, str]) -> int:
        number, code = key
        layout = self._layouts[number]
        type_id = _decode(code)
        route = routes().get(type_id) if type(type_id) is int else None
        found = -1
        if route is not None:
            plan = plan_of(route, layout.data)
            if plan.unique and not plan.secrets:
                found = len(self.readings)
                self.readings.append(Reading(layout, plan, self._addresses))
                self._tables.clear()
        self._reading_numbers[key] = found
        return found


@lru_cache(maxsize=4)
def known_layouts(addresses: AddressBook | None) -> Layouts:
    """Return the layouts known in this process; what they tell depends on the address book."""
    return Layouts(addresses)
