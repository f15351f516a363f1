"""Deadlines, on a clock that the test moves."""

from __future__ import annotations

import pytest

from hostkit.deadline import Deadline


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    moved = Clock()
    monkeypatch.setattr("time.monotonic", moved)
    return moved


def test_what_remains_shrinks_to_zero_and_not_below(clock: Clock) -> None:
    deadline = Deadline(2.5)
    assert (deadline.remaining(), deadline.expired) == (2.5, False)
    clock.now += 2
    assert (deadline.remaining(), deadline.expired) == (0.5, False)
    clock.now += 0.5
    assert (deadline.remaining(), deadline.expired) == (0.0, True)
    clock.now += 100
    assert (deadline.remaining(), deadline.expired) == (0.0, True)


def test_a_wait_is_bounded_by_what_remains(clock: Clock) -> None:
    deadline = Deadline(3)
    assert deadline.bounded(2) == 2
    clock.now += 2
    assert deadline.bounded(2) == 1
    clock.now += 2
    assert deadline.bounded(2) == 0


@pytest.mark.parametrize("seconds", [0, -1])
def test_a_deadline_of_no_time_is_expired_at_once(seconds: float, clock: Clock) -> None:
    assert Deadline(seconds).expired


@pytest.mark.parametrize("seconds", [float("inf"), float("-inf"), float("nan")])
def test_a_wait_without_an_end_is_a_bug(seconds: float) -> None:
    with pytest.raises(ValueError, match="finite"):
        Deadline(seconds)
