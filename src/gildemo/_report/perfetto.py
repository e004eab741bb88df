"""Records as a trace for https://ui.perfetto.dev, with one track for each thread.

The format is Chrome's "trace event" JSON, which needs no library to write. Perfetto calls it a
legacy format but opens it, and so do chrome://tracing and Speedscope.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from gildemo._report.lanes import Interval, coverage, duration, held_by_any, thread_states
from gildemo.monitor.record import GilRecord

HOLDS = "holds the GIL"
WAITS = "waits for the GIL"

Event = dict[str, Any]

# Each bin of the counter averages several samples: a single one is either 0 or 100 %.
_MOST_BINS = 500
_SAMPLES_PER_BIN = 10


def trace(records: Mapping[str, GilRecord]) -> dict[str, Any]:
    """Return the trace event JSON of one or more records; the keys name their process tracks.

    Each record is a process whose time starts at 0, so that tasks which were measured one after
    another lie side by side. Each thread has a track with the times at which it held the GIL and
    waited for it, and each process has a counter: the percentage of time that the GIL was held.
    The numbers of processes and threads are invented, as one thread may be in many records.
    """
    metadata: list[Event] = []
    events: list[Event] = []
    tid = len(records)
    for pid, (name, record) in enumerate(records.items(), 1):
        metadata.append(_metadata(pid, 0, "process_name", name=name))
        metadata.append(_metadata(pid, 0, "process_sort_index", sort_index=pid))
        for index, states in enumerate(thread_states(record)):
            # Viewers take a thread with the number of its process for the main thread.
            tid += 1
            metadata.append(_metadata(pid, tid, "thread_name", name=record.threads[index].name))
            metadata.append(_metadata(pid, tid, "thread_sort_index", sort_index=index))
            events += _complete(pid, tid, HOLDS, states.holds)
            events += _complete(pid, tid, WAITS, states.waits)
        events += _counter(pid, record)
    events.sort(key=lambda event: int(event["ts"]))
    return {"traceEvents": [*metadata, *events], "displayTimeUnit": "ms"}


def to_json(records: Mapping[str, GilRecord]) -> str:
    """Return the text of a trace file."""
    return f"{json.dumps(trace(records), separators=(',', ':'))}\n"


def _metadata(pid: int, tid: int, name: str, /, **args: str | int) -> Event:
    return {"ph": "M", "pid": pid, "tid": tid, "ts": 0, "name": name, "args": args}


def _complete(pid: int, tid: int, name: str, intervals: Iterable[Interval]) -> Iterator[Event]:
    for start, end in intervals:
        # Whole microseconds: Perfetto rounds `ts` and `dur` separately, and drops an event that
        # then begins 1 ns before another ends. Samples are at least 10 µs apart.
        ts = start // 1000
        dur = end // 1000 - ts
        if dur > 0:
            yield {"ph": "X", "pid": pid, "tid": tid, "ts": ts, "dur": dur, "name": name}


def _counter(pid: int, record: GilRecord) -> Iterator[Event]:
    length = duration(record)
    if length == 0:
        return
    bins = min(_MOST_BINS, max(1, record.samples // _SAMPLES_PER_BIN))
    values = [100 * part for part in coverage(held_by_any(record), length, bins)]
    # A counter keeps its value until the next event: the last event ends it with the record.
    for index, value in enumerate([*values, 0.0]):
        ts = int(length * index / bins) // 1000
        args = {"%": round(value, 1)}
        yield {"ph": "C", "pid": pid, "tid": 0, "ts": ts, "name": "GIL held", "args": args}
