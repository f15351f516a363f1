"""Generations: list them, compare two, go back to one."""

from __future__ import annotations

from earlyboot.api import pending, query
from earlyboot.api.core import Core, Request
from earlyboot.api.problem import Problem
from earlyboot.api.store import UnknownGenerationError
from earlyboot.api.transactions import commit
from hostkit.errors import Fault, Where


class History:
    def __init__(self, core: Core) -> None:
        self._core = core

    def list_generations(self, request: Request) -> list[dict[str, object]]:
        with self._core.reading() as reader:
            return [row._asdict() for row in reader.generations(query.number(request.query, "limit"))]

    def diff_generations(self, request: Request) -> list[dict[str, object]]:
        old, new = query.number(request.query, "from"), query.number(request.query, "to")
        assert old is not None
        try:
            with self._core.reading() as reader:
                found = reader.diff(old, new)
        except UnknownGenerationError:
            raise _unknown() from None
        return [
            {
                "key": key,
                "before": self._core.shown_value(request, key, before),
                "after": self._core.shown_value(request, key, after),
            }
            for key, before, after in found
        ]

    def rollback(self, request: Request) -> list[str]:
        generation = query.number(request.query, "generation")
        assert generation is not None
        with self._core.writing(request.if_match) as store:
            try:
                proposal = pending.proposed_rollback(store, generation)
            except UnknownGenerationError:
                raise _unknown() from None
            try:
                return commit(self._core, store, proposal, request.peer)
            except Problem as problem:
                raise _unreachable(problem) from None


def _unknown() -> Problem:
    fix = "GET /generations lists those that are remembered"
    return Problem(404, Fault("no-generation", "there is no such generation, or it is forgotten", Where(), fix))


def _unreachable(problem: Problem) -> Problem:
    """Nobody wrote the settings of a generation just now: for a group that went with its drop-in the way is another."""
    fix = "install the drop-in again, or set the other keys by hand"
    faults = [fault._replace(fix=fix) if fault.code == "unknown-group" else fault for fault in problem.faults]
    return Problem(problem.status, *faults, paths=problem.paths, headers=problem.headers)
