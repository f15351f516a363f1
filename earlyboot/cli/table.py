"""Plain tables for a terminal or a pipe."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from hostkit.errors import printable


def table(title: str, rows: Iterable[Sequence[str]], width: int) -> list[str]:
    """Rows under a title, columns aligned, the last one cut at `width` characters; empty without rows."""
    lines = aligned(rows, width - 2)
    return ["", title, *(f"  {line}" for line in lines)] if lines else []


def aligned(rows: Iterable[Sequence[str]], width: int) -> list[str]:
    """Rows with their columns aligned, each cut at `width` characters."""
    cells = [[printable(cell) for cell in row] for row in rows]
    widths = [max(len(cell) for cell in column) for column in zip(*cells, strict=True)]
    lines = ("  ".join(cell.ljust(size) for cell, size in zip(row, widths, strict=True)).rstrip() for row in cells)
    return [_cut(line, width) for line in lines]


def _cut(line: str, width: int) -> str:
    return line if len(line) <= width else line[: max(0, width - 1)] + "…"
