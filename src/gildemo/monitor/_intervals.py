"""What each thread did and when, from the two timelines of a Monitor.

One timeline shows who held the GIL, and is precise. The other shows the state of each thread, from
samples that are some milliseconds apart, so it is used only while a thread does not hold the GIL.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from gildemo import _core

Interval = tuple[int, int, str]
_Span = tuple[int, int]


def thread_intervals(snapshot: _core.Snapshot) -> Mapping[int, list[Interval]]:
    """Return the (start, end, state) intervals of each thread, by its index in the snapshot.

    They are in order and disjoint. There is no interval while a thread has no thread state.
    """
    holds: dict[int, list[_Span]] = defaultdict(list)
    ends = [segment.begin for segment in snapshot.segments[1:]] + [snapshot.end]
    for segment, end in zip(snapshot.segments, ends, strict=True):
        if segment.holder >= 0 and end > segment.begin:
            holds[segment.holder].append((segment.begin, end))
    sampled: dict[int, list[Interval]] = defaultdict(list)
    since: dict[int, tuple[int, str]] = {}
    for change in snapshot.changes:
        _close(sampled[change.thread], since.pop(change.thread, None), change.time)
        if change.state is not None:
            since[change.thread] = (change.time, change.state)
    for thread, last in since.items():
        _close(sampled[thread], last, snapshot.end)
    return {
        thread: _merged(list(_overlaid(sampled[thread], holds[thread])))
        for thread in {*sampled, *holds}
    }


def _close(intervals: list[Interval], last: tuple[int, str] | None, end: int) -> None:
    if last is not None and last[0] < end:
        intervals.append((last[0], end, last[1]))


def _overlaid(sampled: Sequence[Interval], holds: Sequence[_Span]) -> Iterator[Interval]:
    """Yield the holds, and the parts of the sampled intervals that lie between them."""
    at = 0
    for start, end, state in sampled:
        # Between a hold and the next sample, the state is not known.
        rest = "not_observed" if state == "holds" else state
        while at < len(holds) and holds[at][1] <= start:
            yield (*holds[at], "holds")
            at += 1
        while at < len(holds) and holds[at][0] < end:
            if start < holds[at][0]:
                yield start, holds[at][0], rest
            start = holds[at][1]
            if start >= end:
                break
            yield (*holds[at], "holds")
            at += 1
        if start < end:
            yield start, end, rest
    for span in holds[at:]:
        yield (*span, "holds")


def _merged(intervals: Sequence[Interval]) -> list[Interval]:
    """Join neighbors with the same state."""
    merged: list[Interval] = []
    for start, end, state in intervals:
        if merged and merged[-1][1:] == (start, state):
            merged[-1] = (merged[-1][0], end, state)
        else:
            merged.append((start, end, state))
    return merged
