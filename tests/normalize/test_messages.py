"""Descriptions are cleaned for people, and nothing else in them is touched."""

from __future__ import annotations

import string
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentinelone_collector.normalize.messages import clean

OBJECT = "<ManagementUser at 0x7f00ab with id=41, email='ada@example.com', user_scope='site'>"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The user <b>Ada</b> logged in.", "The user Ada logged in."),
        ('See <a href="https://example.com/?a=1&amp;b=2">the rule</a>.', "See the rule."),
        ("first<br/>second<BR>third", "first second third"),
        ("<p>one</p><p>two</p>", "one two"),
        ("before<!-- hidden -->after", "beforeafter"),
        ("Tom &amp; Jerry &quot;x&quot; &#39;y&#x27;", "Tom & Jerry \"x\" 'y'"),
        ("&lt;b&gt; and &amp;lt;", "<b> and &lt;"),
        (OBJECT, ""),
        (f"  {OBJECT} ", ""),
        ("<ManagementUser with id=, email='ada@example.com', user_scope='account'>", ""),
        (f"The user {OBJECT} was added.", "The user ada@example.com was added."),
        ("Created by <User at 0x1 with id=7, full_name='Ada O\\'Neil'>", "Created by Ada O'Neil"),
        ("Created by <User at 0x1 with id=7>", "Created by 7"),
        ("Created by <console.models.User object at 0x7f1c>.", "Created by ."),
        ("Scope <ScopeLevel.SITE: 'site'> and <State.ON: 1>", "Scope site and ON"),
        ("Rule u'No macros' of UUID('0f4e1c2d')", "Rule No macros of 0f4e1c2d"),
        ("", ""),
        ("  spaces at the ends  ", "spaces at the ends"),
    ],
)
def test_html_and_printed_objects_are_cleaned(text: str, expected: str) -> None:
    assert clean(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "R&D moved to AT&T; see https://example.com/?x=1&copy=2",
        "The path C:\\<user>\\a.exe is excluded",
        "5 < 6 and 7 > 2",
        "Rule <script>alert(1)</script> was created",
        "It's Ada's rule 'b' and \"u\"",
        "two  spaces\nand a line stay where nothing was cleaned",
        "<b",
        "&notanentity; &;",
        "Ünïcødé – 日本",
    ],
)
def test_what_only_looks_like_markup_stays(text: str) -> None:
    assert clean(text) == text


@settings(max_examples=100)
@given(text=st.text(alphabet=string.ascii_letters + string.digits + " .,:;-_/\\()[]{}=+*%$#@!?äß日", max_size=60))
def test_plain_texts_stay(text: str) -> None:
    assert clean(text) == text.strip()


@settings(max_examples=100)
@given(text=st.text(alphabet="<>&;/bpr='\"u at0xwith .,\\#39", max_size=80))
def test_any_text_is_cleaned_in_the_end_and_never_grows_by_markup(text: str) -> None:
    assert len(clean(text)) <= len(text)


def test_long_texts_take_no_time_out_of_proportion() -> None:
    start = time.process_time()
    for part in ("<a ", "<A with '", "u'", " u'\\'", "<!--", "&", "<x at 0x1 with ", "<E.m: '", "<b x='"):
        clean(part * 20_000)
    assert time.process_time() - start < 5
