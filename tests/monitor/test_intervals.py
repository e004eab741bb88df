"""What a thread did when, from a timeline of holders and samples of states."""

from __future__ import annotations

from gildemo import _core
from gildemo.monitor._intervals import Interval, thread_intervals

NOBODY = -1


def intervals(
    segments: list[tuple[int, int]], changes: list[tuple[int, int, str | None]], end: int
) -> dict[int, list[Interval]]:
    """segments: (begin, holder); changes: (time, thread, state)."""
    fields = {
        "end": end,
        "segments": [_core.Segment((*segment, None)) for segment in segments],
        "changes": [_core.StateChange(change) for change in changes],
    }
    snapshot = _core.Snapshot([fields.get(name) for name in _core.Snapshot.__match_args__])
    return dict(thread_intervals(snapshot))


def test_a_thread_is_in_a_state_until_it_is_seen_in_another() -> None:
    changes: list[tuple[int, int, str | None]] = [
        (0, 1, "not_observed"),
        (10, 1, "computes"),
        (30, 1, "in_system_call"),
    ]
    assert intervals([(0, NOBODY)], changes, 100) == {
        1: [(0, 10, "not_observed"), (10, 30, "computes"), (30, 100, "in_system_call")]
    }


def test_holding_wins() -> None:
    segments = [(0, 1), (20, NOBODY), (40, 1), (50, 2), (60, NOBODY)]
    found = intervals(segments, [(0, 1, "waits"), (55, 1, "computes")], 100)
    assert found[1] == [
        (0, 20, "holds"),
        (20, 40, "waits"),
        (40, 50, "holds"),
        (50, 55, "waits"),
        (55, 100, "computes"),
    ]
    assert found[2] == [(50, 60, "holds")]


def test_a_hold_may_reach_over_several_samples() -> None:
    changes: list[tuple[int, int, str | None]] = [(0, 1, "waits"), (20, 1, "locked"), (30, 1, None)]
    found = intervals([(0, NOBODY), (10, 1), (25, NOBODY)], changes, 40)
    assert found[1] == [(0, 10, "waits"), (10, 25, "holds"), (25, 30, "locked")]


def test_nothing_is_known_after_a_hold_until_the_next_sample() -> None:
    found = intervals([(0, 1), (10, NOBODY)], [(0, 1, "holds"), (15, 1, "idle")], 20)
    assert found[1] == [(0, 10, "holds"), (10, 15, "not_observed"), (15, 20, "idle")]


def test_a_thread_that_ended_does_nothing_until_it_comes_back() -> None:
    changes: list[tuple[int, int, str | None]] = [
        (0, 1, "computes"),
        (10, 1, None),
        (50, 1, "computes"),
    ]
    found = intervals([(0, NOBODY)], changes, 60)
    assert found[1] == [(0, 10, "computes"), (50, 60, "computes")]


def test_neighbours_of_the_same_state_are_one() -> None:
    changes: list[tuple[int, int, str | None]] = [(0, 1, "idle"), (10, 1, "idle")]
    assert intervals([(0, NOBODY)], changes, 60) == {1: [(0, 60, "idle")]}
