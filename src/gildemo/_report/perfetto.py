"""What a GilMonitor saw as a trace for https://ui.perfetto.dev, a track a thread.

The format is Chrome's "trace event" JSON, which needs no library to write. Perfetto calls it
legacy, but opens it, as chrome://tracing and Speedscope do.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TextIO

from gildemo.monitor import GilRecord

HOLDS = "holds the GIL"
WAITS = "waits for the GIL"

Interval = tuple[int, int]
Event = dict[str, Any]

# A bin of the counter is to stand for some samples: with one alone it is either 0 or 100 %.
_MOST_BINS = 500
_SAMPLES_A_BIN = 10


class ThreadStates(NamedTuple):
    """When a thread held the GIL, and when it waited for it: disjoint, in ns from the begin."""

    holds: list[Interval]
    waits: list[Interval]


def states(record: GilRecord) -> list[ThreadStates]:
    """What each of `record.threads` did, in their order; times are ns since the first sample.

    Who waits is looked at less often than who holds, so that a thread may seem to do both. Who
    holds is known better, so there a thread does not wait.
    """
    begin, end = _bounds(record)
    holds: list[list[Interval]] = [[] for _ in record.threads]
    for start, stop, who in record.timeline:
        if who is not None:
            holds[who].append((start - begin, stop - begin))
    found = []
    for thread, held in zip(record.threads, holds, strict=True):
        waits = ((max(a, begin) - begin, min(b, end) - begin) for a, b in thread.waits)
        found.append(ThreadStates(held, list(_without(waits, held))))
    return found


def _bounds(record: GilRecord) -> Interval:
    if not record.timeline:
        return 0, 0
    return record.timeline[0][0], record.timeline[-1][1]


def _without(intervals: Iterable[Interval], others: Sequence[Interval]) -> Iterator[Interval]:
    """What of the intervals lies in none of the others; both are in order, and disjoint."""
    first = 0
    for start, end in intervals:
        while first < len(others) and others[first][1] <= start:
            first += 1
        place = first
        while place < len(others) and others[place][0] < end:
            if start < others[place][0]:
                yield start, others[place][0]
            start = others[place][1]
            place += 1
        if start < end:
            yield start, end


def shares(intervals: Iterable[Interval], duration: int, bins: int) -> list[float]:
    """Which part of each of `bins` equal bins of `duration` ns the intervals cover: 0 to 1."""
    width = duration / bins
    covered = [0.0] * bins
    for start, end in intervals:
        first, last = min(int(start / width), bins - 1), min(int(end / width), bins - 1)
        if first == last:
            covered[first] += end - start
            continue
        covered[first] += (first + 1) * width - start
        for place in range(first + 1, last):
            covered[place] = width
        covered[last] += end - last * width
    return [min(max(part / width, 0.0), 1.0) for part in covered]


def coarse(did: ThreadStates, duration: int, steps: int) -> ThreadStates:
    """The states as they are, or, if that is simpler, in `steps` equal steps of `duration` ns.

    A step gets the state of which most is still to be shown: so a thread that holds the GIL for
    a tenth of every millisecond holds it in a tenth of the steps, and not in none.
    """
    if len(did.holds) + len(did.waits) <= steps:
        return did
    found: tuple[list[Interval], ...] = ([], [], [])
    owed = [0.0, 0.0, 0.0]
    held, waited = (shares(intervals, duration, steps) for intervals in did)
    for step, (h, w) in enumerate(zip(held, waited, strict=True)):
        owed = [owed[0] + h, owed[1] + w, owed[2] + 1 - h - w]
        most = owed.index(max(owed))
        owed[most] -= 1
        found[most].append((duration * step // steps, duration * (step + 1) // steps))
    return ThreadStates(found[0], found[1])


def trace(records: Mapping[str, GilRecord]) -> dict[str, Any]:
    """Give the trace event JSON of one or more records; the keys name their process tracks.

    Each record is a process, and its time starts at 0: so tasks that were measured one after
    another lie side by side. Each thread has a track with when it held the GIL and when it
    waited for it, and each process a counter of the percentage for which the GIL was held.
    The numbers of processes and threads are made up, as one thread may be in many records.
    """
    metadata: list[Event] = []
    events: list[Event] = []
    tid = len(records)
    for pid, (name, record) in enumerate(records.items(), 1):
        metadata.append(_metadata(pid, 0, "process_name", name=name))
        metadata.append(_metadata(pid, 0, "process_sort_index", sort_index=pid))
        for place, (thread, did) in enumerate(zip(record.threads, states(record), strict=True)):
            # Viewers take a thread with the number of its process for the main thread.
            tid += 1
            metadata.append(_metadata(pid, tid, "thread_name", name=thread.name))
            metadata.append(_metadata(pid, tid, "thread_sort_index", sort_index=place))
            events += _complete(pid, tid, HOLDS, did.holds)
            events += _complete(pid, tid, WAITS, did.waits)
        events += _counter(pid, record)
    events.sort(key=lambda event: int(event["ts"]))
    return {"traceEvents": [*metadata, *events], "displayTimeUnit": "ms"}


def write(records: Mapping[str, GilRecord], file: TextIO) -> None:
    """Write what `trace` gives to an open text file. Raises OSError as the file does."""
    # json.dump() would write every token by itself, without the encoder that is written in C.
    file.write(json.dumps(trace(records), separators=(",", ":")))
    file.write("\n")


def _metadata(pid: int, tid: int, name: str, /, **args: str | int) -> Event:
    return {"ph": "M", "pid": pid, "tid": tid, "ts": 0, "name": name, "args": args}


def _complete(pid: int, tid: int, name: str, intervals: Iterable[Interval]) -> Iterator[Event]:
    for start, end in intervals:
        # Whole microseconds: Perfetto rounds `ts` and `dur` by themselves, and drops an event
        # that then begins 1 ns before another ends. Samples are at least 10 of them apart.
        ts = start // 1000
        dur = end // 1000 - ts
        if dur > 0:
            yield {"ph": "X", "pid": pid, "tid": tid, "ts": ts, "dur": dur, "name": name}


def _counter(pid: int, record: GilRecord) -> Iterator[Event]:
    begin, end = _bounds(record)
    if begin == end:
        return
    bins = min(_MOST_BINS, max(1, record.samples // _SAMPLES_A_BIN))
    held = [
        (start - begin, stop - begin) for start, stop, who in record.timeline if who is not None
    ]
    values = [100 * share for share in shares(held, end - begin, bins)]
    # A counter keeps its value until the next: the last one ends it where the record ends.
    for place, value in enumerate([*values, 0.0]):
        ts = int((end - begin) * place / bins) // 1000
        args = {"%": round(value, 1)}
        yield {"ph": "C", "pid": pid, "tid": 0, "ts": ts, "name": "GIL held", "args": args}
