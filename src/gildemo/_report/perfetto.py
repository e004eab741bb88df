"""Records as a trace for https://ui.perfetto.dev, with one track for each thread.

The format is Chrome's "trace event" JSON, which needs no library to write. Perfetto calls it a
legacy format but opens it, and so do chrome://tracing and Speedscope.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from gildemo._report.lanes import (
    Interval,
    bounds,
    coverage,
    duration,
    held_by_any,
    thread_states,
)
from gildemo._sources import place
from gildemo.monitor._stacks import is_machinery, stack
from gildemo.monitor.record import GilRecord

HOLDS = "holds the GIL"
WAITS = "waits for the GIL"
# The names of the slices while a thread does not hold the GIL. There is no slice while the thread
# was not observed.
SLICES = {
    "waits": WAITS,
    "computes": "computes",
    "idle": "idle",
    "locked": "locked",
    "in_system_call": "in a system call",
}

Event = dict[str, Any]

# Each bin of the counter averages several samples: a single one is either 0 or 100 %.
_MOST_BINS = 500
_SAMPLES_PER_BIN = 10


def trace(records: Mapping[str, GilRecord]) -> dict[str, Any]:
    """Return the trace event JSON of one or more records; the keys name their process tracks.

    Each thread has a track that shows what it did and when. A hold has the name of the function
    that held the GIL, and its stack. Each process has a counter: the percentage of the time for
    which the GIL was held.

    A single record keeps the real ids of the process and the threads, and its times are those of
    CLOCK_MONOTONIC, so the trace can be merged with one of perf. Several records come from one
    process at different times. Each of them gets invented ids and starts at 0, so that viewers
    show them side by side.
    """
    events: list[Event] = []
    if len(records) == 1:
        for name, record in records.items():
            threads = [thread.native_id or -1 for thread in record.threads]
            events = _Process(name, record, record.pid or 1, threads, bounds(record)[0]).events()
    else:
        # Viewers take a thread whose id equals the process id for the main thread.
        tid = len(records) + 1
        for pid, (name, record) in enumerate(records.items(), 1):
            threads = list(range(tid, tid + len(record.threads)))
            tid += len(record.threads)
            events += _Process(name, record, pid, threads, 0).events()
    # Metadata first.
    events.sort(key=lambda event: (event["ph"] != "M", event["ts"]))
    return {"traceEvents": events, "displayTimeUnit": "ms"}


def to_json(records: Mapping[str, GilRecord]) -> str:
    """Return the text of a trace file."""
    return f"{json.dumps(trace(records), separators=(',', ':'))}\n"


class _Process:
    """The events of one record."""

    def __init__(
        self, name: str, record: GilRecord, pid: int, threads: Sequence[int], begin: int
    ) -> None:
        self._name = name
        self._record = record
        self._pid = pid
        self._threads = threads  # the tid of each thread
        self._begin = begin  # when the record begins in the trace, in ns

    def events(self) -> list[Event]:
        """Return all events."""
        found = [
            self._metadata(0, "process_name", name=self._name),
            self._metadata(0, "process_sort_index", sort_index=self._pid),
        ]
        for index, (tid, states) in enumerate(
            zip(self._threads, thread_states(self._record), strict=True)
        ):
            found.append(self._metadata(tid, "thread_name", name=self._record.threads[index].name))
            found.append(self._metadata(tid, "thread_sort_index", sort_index=index))
            for state, name in SLICES.items():
                found += (event for span in states[state] for event in self._slice(tid, span, name))
        found += self._holds()
        found += self._counter()
        return found

    def _holds(self) -> Iterator[Event]:
        begin, _ = bounds(self._record)
        profile = self._record.profile
        nodes = self._record.timeline_nodes or (None,) * len(self._record.timeline)
        for (start, end, holder), node in zip(self._record.timeline, nodes, strict=True):
            if holder is None:
                continue
            frames = [] if node is None else list(stack(profile, profile.nodes[node]))
            shown = [frame for frame in frames if not is_machinery(frame.file)] or frames
            name, args = HOLDS, {}
            if shown:
                name = f"{HOLDS}: {shown[0].function}"
                args = {
                    "line": place(shown[0]),
                    "stack": [f"{frame.function} ({place(frame)})" for frame in shown],
                }
            yield from self._slice(self._threads[holder], (start - begin, end - begin), name, args)

    def _slice(
        self, tid: int, span: Interval, name: str, args: Event | None = None
    ) -> Iterator[Event]:
        # Whole microseconds: Perfetto rounds `ts` and `dur` separately, and drops an event that
        # then begins 1 ns before another ends. Samples are at least 10 µs apart.
        start, end = ((self._begin + time) // 1000 for time in span)
        if end > start:
            event = {"ph": "X", "pid": self._pid, "tid": tid, "ts": start, "dur": end - start}
            yield {**event, "name": name, **({"args": args} if args else {})}

    def _counter(self) -> Iterator[Event]:
        length = duration(self._record)
        if length == 0:
            return
        bins = min(_MOST_BINS, max(1, self._record.samples // _SAMPLES_PER_BIN))
        values = [100 * part for part in coverage(held_by_any(self._record), length, bins)]
        # A counter keeps its value until its next event: the last event sets it to 0 at the end.
        for index, value in enumerate([*values, 0.0]):
            ts = int(self._begin + length * index / bins) // 1000
            event = {"ph": "C", "pid": self._pid, "tid": 0, "ts": ts, "name": "GIL held"}
            yield {**event, "args": {"%": round(value, 1)}}

    def _metadata(self, tid: int, name: str, /, **args: str | int) -> Event:
        return {"ph": "M", "pid": self._pid, "tid": tid, "ts": 0, "name": name, "args": args}
