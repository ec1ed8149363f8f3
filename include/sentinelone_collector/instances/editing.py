"""Changes of a YAML text that leave everything else as it was written: comments, order, quotes, blank lines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from typing import Any, NamedTuple

import yaml

__all__ = ["edit_yaml"]

_ONE_LINE = 1 << 20


class _Splice(NamedTuple):
    start: int
    end: int
    text: str


def edit_yaml(text: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    """Return the text with what differs between two contents changed in place; keys that go are left empty.

    `before` is what the text means, defaults included; both hold plain values: texts, numbers, lists and mappings.
    Raise `ValueError` for a text that can't be changed piece by piece: no block mapping, or with anchors.
    """
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    if not isinstance(root, yaml.MappingNode) or root.flow_style or _has_anchors(text):
        raise ValueError("the text is no plain block mapping")
    text = text if text.endswith("\n") else f"{text}\n"
    splices = sorted(_of_mapping(text, root, before, after))
    for splice in reversed(splices):
        text = text[: splice.start] + splice.text + text[splice.end :]
    return text


def _has_anchors(text: str) -> bool:
    return any(isinstance(token, (yaml.AnchorToken, yaml.AliasToken)) for token in yaml.scan(text))


def _of_mapping(
    text: str, node: yaml.MappingNode, before: Mapping[str, Any], after: Mapping[str, Any]
) -> Iterator[_Splice]:
    values = {str(key.value): (key, value) for key, value in node.value}
    new: dict[str, Any] = {}
    for key in dict.fromkeys([*before, *after]):
        old, wanted = before.get(key), after.get(key)
        if old == wanted:
            continue
        if key in values:
            yield from _of_value(text, *values[key], old, wanted)
        elif wanted is not None:
            new[key] = wanted
    if new:
        end = _line_end(text, _last(node))
        yield _Splice(end, end, _block(new, node.start_mark.column))


def _of_value(text: str, key: yaml.Node, node: yaml.Node, old: Any, new: Any) -> Iterator[_Splice]:
    if isinstance(node, yaml.CollectionNode) and not node.flow_style:
        if isinstance(node, yaml.MappingNode) and isinstance(old, dict) and isinstance(new, dict):
            yield from _of_mapping(text, node, old, new)
        elif _is_list_of(node, old) and new:
            yield from _of_list(text, node, old, new)
        else:
            colon = text.index(":", key.end_mark.index) + 1
            yield _Splice(colon, colon, "" if new is None else f" {_flow(new)}")
            for item in node.value if isinstance(node, yaml.SequenceNode) else [node]:
                yield _lines_of(text, item)
        return
    start, end = node.start_mark.index, node.end_mark.index
    blank = "" if text[start - 1] in " \n" else " "  # an empty value begins at the colon
    line = "\n" if text[start:end].endswith("\n") else ""  # a block text reaches to the next line
    yield _Splice(start, end, "" if new is None else f"{blank}{_flow(new)}{line}")


def _is_list_of(node: yaml.Node, old: Any) -> bool:
    return isinstance(node, yaml.SequenceNode) and isinstance(old, list) and len(old) == len(node.value)


def _of_list(text: str, node: yaml.Node, old: Sequence[Any], new: Sequence[Any]) -> Iterator[_Splice]:
    """Yield the lines of items that come and go; those of the others stay, and comments on lines of their own."""
    column, inline = node.start_mark.column, _is_flow(node.value[0])
    keyed = [[yaml.safe_dump(item) for item in items] for items in (old, new)]
    for _, first, last, begin, end in _differences(*keyed):
        for item in node.value[first:last]:
            yield _lines_of(text, item)
        if begin < end:
            place = _line_end(text, _last(node.value[last - 1])) if last else _line_start(text, node.start_mark.index)
            yield _Splice(place, place, "".join(_item(item, column, inline=inline) for item in new[begin:end]))


def _lines_of(text: str, node: yaml.Node) -> _Splice:
    return _Splice(_line_start(text, node.start_mark.index), _line_end(text, _last(node)), "")


def _differences(old: list[str], new: list[str]) -> Iterator[tuple[str, int, int, int, int]]:
    return (found for found in SequenceMatcher(None, old, new, autojunk=False).get_opcodes() if found[0] != "equal")


def _is_flow(node: yaml.Node) -> bool:
    return isinstance(node, yaml.CollectionNode) and bool(node.flow_style)


def _last(node: yaml.Node) -> int:
    """Return where a node's own text ends: the end of a block lies behind the comments that follow it."""
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return max(_last(each) for each in (last if isinstance(last, tuple) else (last,)))
    return int(node.end_mark.index)


def _line_start(text: str, at: int) -> int:
    return text.rfind("\n", 0, at) + 1


def _line_end(text: str, at: int) -> int:
    """Return the begin of the line after; what ends with a line, as block texts do, is at its end already."""
    return at if at and text[at - 1] == "\n" else text.index("\n", at) + 1


def _flow(value: Any) -> str:
    """Return a value on one line."""
    dumped = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, allow_unicode=True, width=_ONE_LINE)
    return str(dumped).removesuffix("...\n").rstrip("\n")


def _item(value: Any, column: int, *, inline: bool) -> str:
    return f"{' ' * column}- {_flow(value)}\n" if inline else _block([value], column)


def _block(value: Any, column: int) -> str:
    dumped = yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=_ONE_LINE)
    return "".join(f"{' ' * column}{line}" for line in dumped.splitlines(keepends=True))
