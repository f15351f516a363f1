"""Plain tables for a terminal or a pipe."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from hostkit.errors import printable


def table(title: str, rows: Iterable[Sequence[str]], width: int) -> list[str]:
    """Rows under a title, columns aligned, the last one cut at `width` characters; empty without rows."""
    cells = [[printable(cell) for cell in row] for row in rows]
    if not cells:
        return []
    widths = [max(len(cell) for cell in column) for column in zip(*cells, strict=True)]
    lines = ["  ".join(cell.ljust(size) for cell, size in zip(row, widths, strict=True)).rstrip() for row in cells]
    return ["", title, *(f"  {_cut(line, width - 2)}" for line in lines)]


def _cut(line: str, width: int) -> str:
    return line if len(line) <= width else line[: max(0, width - 1)] + "…"
