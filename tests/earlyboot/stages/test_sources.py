"""Where the faults of a source are."""

from __future__ import annotations

import pytest

from earlyboot.stages.sources import Source
from hostkit import toml
from hostkit.errors import Fault


def test_the_lines_of_a_document_are_looked_up_in_one_index(monkeypatch: pytest.MonkeyPatch) -> None:
    built = []

    class Counted(toml.Index):
        def __init__(self, text: str) -> None:
            built.append(text)
            super().__init__(text)

    monkeypatch.setattr(toml, "Index", Counted)
    text = "[settings]\n" + "".join(f"k{number} = 1\n" for number in range(50))
    source = Source("local-file", "f", {}, text)
    placed = source.place((Fault("unknown-key", "what"), (f"k{number}",)) for number in range(50))
    assert [fault.where.line for fault in placed] == list(range(2, 52))
    assert built == [text]
