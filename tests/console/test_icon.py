"""The icon in the navigation stands out from what lies behind it; Airflow shows it with colours of its own."""

from __future__ import annotations

import re
from importlib.resources import files

import pytest

# Airflow 3.3: the navigation's ground, and that of the entry which is chosen
GROUNDS = {"icon.svg": ("#dce7f5", "#3c5b89"), "icon-dark.svg": ("#1d3358", "#3c5b89")}
LEAST = 3.0  # WCAG 2.2, 1.4.11


def _luminance(colour: str) -> float:
    parts = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _contrast(one: str, other: str) -> float:
    dark, light = sorted(map(_luminance, (one, other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("name", GROUNDS)
def test_the_icon_has_contrast_on_every_ground(name: str) -> None:
    text = (files("sentinelone_collector.console") / "static" / name).read_text("utf-8")
    shield, bars = re.findall(r"<path [^>]*>", text)
    inside = re.findall(r'fill="(#\w{6})"', shield)
    drawn = re.findall(r'stroke="(#\w{6})"', bars)
    edge = re.findall(r'stroke="(#\w{6})"', shield)
    assert _contrast(inside[0], drawn[0]) >= LEAST, "the bars on the shield"
    for ground in GROUNDS[name]:
        assert max(_contrast(each, ground) for each in (*inside, *edge)) >= LEAST, f"the shield on {ground}"
