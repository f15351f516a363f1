"""Values that try to break out of where they are put, for the tests."""

from __future__ import annotations

from hypothesis import strategies as st

# What some format takes for its own, and what ends a line for somebody.
_SPECIAL = "\"'\\$`%{}[]()<>#;=:,&|!*?~^-. \t\n\r\0\v\f\x1b\x7f\x85\xa0\u2028\u2029\ufeff\ufffe\ud800aén\U0001f600"
_PHRASES = (
    '"',
    "'",
    '"""',
    "'''",
    '" #',
    "\\",
    "\\\n",
    "\n[section]\n",
    "\nkey = 1\n",
    "x\r\nUser=root",
    "$(touch /no)",
    "`id`",
    "${HOME}",
    "$HOME",
    "$$",
    "%n %% %h",
    "{{ 7 * 7 }}",
    "{% raw %}",
    " # comment",
    " ; comment",
    "; id",
    "[x]",
    "]]>",
    "</a>",
    "*",
    "../../x",
    "true",
    "null",
    "1",
    "\\u0041",
    "\\x41",
    "=",
    "-",
)
HOSTILE = st.lists(st.sampled_from(_PHRASES) | st.text(_SPECIAL, max_size=8) | st.text(max_size=4), max_size=4).map(
    "".join
)
SCALARS = HOSTILE | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(HOSTILE, inner, max_size=3), max_leaves=8
)
