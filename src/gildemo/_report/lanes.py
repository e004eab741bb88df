"""What each thread of a record did and when, and which threads are shown. All drawings use this.

Times are integers in nanoseconds from the beginning of the record.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from gildemo.monitor.record import STATES, GilRecord, ThreadRecord

Interval = tuple[int, int]

# The state while a thread does not exist.
_ABSENT = ""

# A thread that is not a worker gets a lane if it held the GIL, or waited for it, for at least this
# fraction of the time.
_HELD_ENOUGH, _WAITED_ENOUGH = 0.01, 0.05


# The intervals of a thread by state: in order, and disjoint.
ThreadStates = Mapping[str, Sequence[Interval]]


def bounds(record: GilRecord) -> Interval:
    """Return the beginning and the end of a record, in ns of time.monotonic_ns()."""
    if not record.timeline:
        return 0, 0
    return record.timeline[0][0], record.timeline[-1][1]


def duration(record: GilRecord) -> int:
    """Return the nanoseconds from the beginning of the timeline to its end."""
    begin, end = bounds(record)
    return end - begin


def shown_threads(record: GilRecord) -> list[int]:
    """Return the indexes of the threads that get a lane: workers first, by their numbers.

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
    """Return what each thread of the record did, in the order of `record.threads`."""
    begin, _ = bounds(record)
    found: list[ThreadStates] = []
    for thread in record.threads:
        states: dict[str, list[Interval]] = {state: [] for state in STATES}
        for start, end, state in thread.intervals:
            states[state].append((start - begin, end - begin))
        found.append(states)
    return found


def held_by_any(record: GilRecord) -> list[Interval]:
    """Return when some thread held the GIL."""
    begin, _ = bounds(record)
    return [
        (start - begin, stop - begin) for start, stop, who in record.timeline if who is not None
    ]


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
    if sum(map(len, states.values())) <= steps:
        return states
    covered = {state: coverage(parts, duration, steps) for state, parts in states.items()}
    intervals: dict[str, list[Interval]] = {state: [] for state in states}
    owed = dict.fromkeys((*states, _ABSENT), 0.0)
    for step in range(steps):
        shares = {state: parts[step] for state, parts in covered.items()}
        shares[_ABSENT] = 1.0 - sum(shares.values())
        owed = {state: owed[state] + share for state, share in shares.items()}
        largest = max(owed, key=lambda state: owed[state])
        owed[largest] -= 1
        if largest != _ABSENT:
            start, end = duration * step // steps, duration * (step + 1) // steps
            intervals[largest].append((start, end))
    return intervals
