"""What each thread of a record did when, and which threads are shown: the base of every drawing.

Times are integers in nanoseconds from the begin of the record.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from gildemo.monitor.record import GilRecord, ThreadRecord

Interval = tuple[int, int]

# A thread that held or waited for less of the time, and is not a worker, gets no lane.
_HELD_ENOUGH, _WAITED_ENOUGH = 0.01, 0.05


class ThreadStates(NamedTuple):
    """When a thread held the GIL and when it waited for it: disjoint intervals, in order."""

    holds: list[Interval]
    waits: list[Interval]


def bounds(record: GilRecord) -> Interval:
    """Return the begin and the end of a record, in ns of time.monotonic_ns()."""
    if not record.timeline:
        return 0, 0
    return record.timeline[0][0], record.timeline[-1][1]


def duration(record: GilRecord) -> int:
    """Return the nanoseconds from the first interval of the timeline to the last."""
    begin, end = bounds(record)
    return end - begin


def shown_threads(record: GilRecord) -> list[int]:
    """Return the indices of the threads that get a lane: workers first, by their numbers.

    Other threads follow if they held the GIL or waited for it for a noticeable time.
    """
    found = []
    for index, thread in enumerate(record.threads):
        is_worker = thread.name.startswith("worker_")
        if is_worker or _is_noticeable(thread):
            numbers = [int(digits) for digits in re.findall(r"\d+", thread.name)]
            found.append((not is_worker, numbers, index))
    return [index for *_, index in sorted(found)]


def _is_noticeable(thread: ThreadRecord) -> bool:
    return thread.held >= _HELD_ENOUGH or (thread.waiting or 0.0) >= _WAITED_ENOUGH


def thread_states(record: GilRecord) -> list[ThreadStates]:
    """Return what each of `record.threads` did, in their order.

    Waiting is sampled less often than holding, so the two may overlap in a record. The more
    precise one wins: a thread does not wait while it holds the GIL.
    """
    begin, end = bounds(record)
    holds: list[list[Interval]] = [[] for _ in record.threads]
    for start, stop, holder in record.timeline:
        if holder is not None:
            holds[holder].append((start - begin, stop - begin))
    found = []
    for thread, held in zip(record.threads, holds, strict=True):
        waits = ((max(a, begin) - begin, min(b, end) - begin) for a, b in thread.waits)
        found.append(ThreadStates(held, list(_difference(waits, held))))
    return found


def held_by_any(record: GilRecord) -> list[Interval]:
    """Return when some thread held the GIL."""
    begin, _ = bounds(record)
    return [
        (start - begin, stop - begin) for start, stop, who in record.timeline if who is not None
    ]


def _difference(intervals: Iterable[Interval], others: Sequence[Interval]) -> Iterator[Interval]:
    """Yield the parts of the intervals outside of the others; both are in order and disjoint."""
    first = 0
    for start, end in intervals:
        while first < len(others) and others[first][1] <= start:
            first += 1
        index = first
        while index < len(others) and others[index][0] < end:
            if start < others[index][0]:
                yield start, others[index][0]
            start = others[index][1]
            index += 1
        if start < end:
            yield start, end


def coverage(intervals: Iterable[Interval], duration: int, bins: int) -> list[float]:
    """Return the fraction of each of `bins` equal bins of `duration` that the intervals cover."""
    width = duration / bins
    covered = [0.0] * bins
    for start, end in intervals:
        first, last = min(int(start / width), bins - 1), min(int(end / width), bins - 1)
        if first == last:
            covered[first] += end - start
            continue
        covered[first] += (first + 1) * width - start
        for index in range(first + 1, last):
            covered[index] = width
        covered[last] += end - last * width
    return [min(max(part / width, 0.0), 1.0) for part in covered]


def coarsened(states: ThreadStates, duration: int, steps: int) -> ThreadStates:
    """Return the states with at most `steps` intervals, each one step of `duration` long.

    States with no more intervals than that are returned as they are. Each step takes the state
    with the most time still to be shown, so a thread that holds the GIL for a tenth of every
    millisecond is shown as the holder in a tenth of the steps, not in none.
    """
    if len(states.holds) + len(states.waits) <= steps:
        return states
    intervals: tuple[list[Interval], ...] = ([], [], [])
    owed = [0.0, 0.0, 0.0]
    held, waited = (coverage(part, duration, steps) for part in states)
    for step, (h, w) in enumerate(zip(held, waited, strict=True)):
        owed = [owed[0] + h, owed[1] + w, owed[2] + 1 - h - w]
        largest = owed.index(max(owed))
        owed[largest] -= 1
        intervals[largest].append((duration * step // steps, duration * (step + 1) // steps))
    return ThreadStates(intervals[0], intervals[1])
