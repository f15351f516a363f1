"""The syntax of keys."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from earlyboot.model.key import MAX_KEY_CHARS, format_key, parse_key

SEGMENT = st.text("abcXYZ019_-/.", min_size=1, max_size=40)
STRAY = "letters, digits, '_', '-' and '/' are allowed, '.' in quotes"


@pytest.mark.parametrize(
    ("text", "segments"),
    [
        ("settings", ("settings",)),
        ("settings.ntp.time-servers", ("settings", "ntp", "time-servers")),
        ('settings.kernel.sysctl."net.core.rmem_max"', ("settings", "kernel", "sysctl", "net.core.rmem_max")),
        ("settings.kernel.sysctl.net/core/rmem_max", ("settings", "kernel", "sysctl", "net/core/rmem_max")),
        ('"a.b"."c.d".e', ("a.b", "c.d", "e")),
        ('"."', (".",)),
    ],
)
def test_a_key_is_its_segments(text: str, segments: tuple[str, ...]) -> None:
    assert parse_key(text) == segments
    assert format_key(segments) == text


def test_quotes_that_are_not_needed_are_read_and_not_written() -> None:
    assert parse_key('settings."ntp"') == ("settings", "ntp")
    assert format_key(parse_key('settings."ntp"')) == "settings.ntp"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the key '' has an empty segment"),
        (".a", "the key '.a' has an empty segment"),
        ("a.", "the key 'a.' has an empty segment"),
        ("a..b", "the key 'a..b' has an empty segment"),
        ('a.""', "the key 'a.\"\"' has an empty segment"),
        ('a."b', "the key 'a.\"b' has a double quote that is not closed"),
        ('a."b"c', "the key 'a.\"b\"c' needs a dot after a closing quote"),
        ('a.b"c"', f"the key 'a.b\"c\"' has '\"'; {STRAY}"),
        ("a b", f"the key 'a b' has ' '; {STRAY}"),
        ("a\n", f"the key 'a\\n' has '\\n'; {STRAY}"),
        ("é", f"the key 'é' has 'é'; {STRAY}"),
        ("٣", f"the key '٣' has '٣'; {STRAY}"),
        ("a" * 256, "a key has at most 255 characters, this one has 256"),
    ],
)
def test_a_bad_key_says_what_is_wrong(text: str, message: str) -> None:
    with pytest.raises(ValueError) as caught:
        parse_key(text)
    assert str(caught.value) == message


@pytest.mark.parametrize("segments", [(), ("",), ("a", ""), ("a b",), ('"',), ("a" * 256,), ("a" * 200, "b" * 55)])
def test_segments_that_no_key_can_hold_are_refused(segments: tuple[str, ...]) -> None:
    with pytest.raises(ValueError):
        format_key(segments)


@given(st.lists(SEGMENT, min_size=1, max_size=5).map(tuple))
def test_what_was_formatted_parses_to_the_same_segments(segments: tuple[str, ...]) -> None:
    assert parse_key(format_key(segments)) == segments


@given(st.text('ab."/ -', max_size=30) | st.text(max_size=MAX_KEY_CHARS + 1))
def test_any_text_is_a_key_or_refused(text: str) -> None:
    try:
        segments = parse_key(text)
    except ValueError:
        return
    assert parse_key(format_key(segments)) == segments


def test_keys_and_trees_do_not_import_msgspec() -> None:
    program = (
        "import sys, earlyboot.model.key, earlyboot.model.tree; "
        "print(sorted(m for m in sys.modules if m.startswith(('msgspec', 'earlyboot.'))))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['earlyboot.model', 'earlyboot.model.key', 'earlyboot.model.tree']"
