"""Descriptions as people read them: consoles put HTML and the printed forms of internal objects into some.

Source: descriptions of published activity records (`<ManagementUser at 0x… with id=…, email='…'>`, type 23).
"""

from __future__ import annotations

import re
from html import unescape
from html.entities import html5
from typing import Final

__all__ = ["clean"]

# Named, since `<name>` may also be part of a path or of a rule's name.
_TAGS: Final = (
    "a|abbr|b|big|blockquote|body|br|center|code|dd|div|dl|dt|em|font|h[1-6]|head|hr|html|i|img|li|ol|p|pre|s|small|"
    "span|strike|strong|sub|sup|table|tbody|td|tfoot|th|thead|tr|tt|u|ul"
)
_TAG = re.compile(rf"</?(?:{_TAGS})(?:\s[^<>]*)?/?>", re.IGNORECASE)
_BREAK = re.compile(r"</?(?:br|dd|div|dt|h[1-6]|hr|li|ol|p|table|td|th|tr|ul)\b", re.IGNORECASE)
_COMMENT = re.compile(r"<!--(?:(?!<!--).)*?-->", re.DOTALL)
_ENTITY = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|(?P<name>[A-Za-z][A-Za-z0-9]{1,31}));")
# Without angle brackets, so that no search runs on beyond the next object: time stays in proportion to the length.
_QUOTED = r"'(?:[^'\\<>]|\\.)*'|\"(?:[^\"\\<>]|\\.)*\""
_OBJECT = re.compile(
    rf"<(?:[\w.]+ )?[A-Za-z_][\w.]*(?: object)? at 0x\w+(?: with (?P<of>(?:{_QUOTED}|[^'\"<>])*))?>"
    rf"|<[A-Za-z_][\w.]* with (?P<with>(?:{_QUOTED}|[^'\"<>])*)>"
)
_ENUM = re.compile(rf"<[A-Za-z_]\w*\.(?P<member>\w+): (?:(?P<text>{_QUOTED})|-?[\w.]+)>")
_FIELD = re.compile(rf"\b(?P<name>email|full_name|name|title|id)=(?P<value>{_QUOTED}|[^\s,'\"]+)")
_BEST = ("full_name", "name", "email", "title", "id")
_MADE = re.compile(rf"\b(?:UUID|Decimal|ObjectId)\((?P<text>{_QUOTED})\)")
_PREFIXED = re.compile(rf"(?<![\w'\"])[ub](?P<text>{_QUOTED})(?![\w'\"])")
_SPACES = re.compile(r"\s+")


def clean(text: str) -> str:
    """Return a description without HTML and without the printed forms of Python objects; empty where nothing is left.

    Tags become nothing or a space, entities their character (once: `&amp;lt;` becomes `&lt;`), and inside of a sentence
    an object becomes its name, address or id. A text without any of these stays as it is, but for spaces at its ends.
    """
    if "<" not in text and "&" not in text and "'" not in text and '"' not in text:
        return text.strip()
    told = _without_objects(text)
    if "<" in told:
        told = _COMMENT.sub("", told)
        told = _TAG.sub(lambda tag: " " if _BREAK.match(tag[0]) else "", told)
    told = _ENTITY.sub(_character, told)
    return (told if told == text else _SPACES.sub(" ", told)).strip()


def _character(entity: re.Match[str]) -> str:
    name = entity["name"]
    return unescape(entity[0]) if name is None or f"{name};" in html5 else entity[0]


def _without_objects(text: str) -> str:
    alone = _OBJECT.fullmatch(text.strip())
    if alone is not None:  # it says who acted, not what happened
        return ""
    told = _OBJECT.sub(_object_name, text) if "<" in text else text
    told = _ENUM.sub(lambda found: _unquoted(found["text"]) if found["text"] else found["member"], told)
    told = _MADE.sub(lambda found: _unquoted(found["text"]), told)
    return _PREFIXED.sub(lambda found: _unquoted(found["text"]), told)


def _object_name(found: re.Match[str]) -> str:
    fields = {field["name"]: _unquoted(field["value"]) for field in _FIELD.finditer(found["of"] or found["with"] or "")}
    return next((fields[name] for name in _BEST if fields.get(name)), "")


def _unquoted(text: str) -> str:
    return re.sub(r"\\(['\"\\])", r"\1", text[1:-1]) if text[:1] in {"'", '"'} else text
