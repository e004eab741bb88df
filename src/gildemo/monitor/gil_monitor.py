"""GilMonitor: who holds the GIL, who waits for it, for how long."""

from __future__ import annotations

import contextlib
import math
import os
import weakref
from collections.abc import Mapping
from typing import Any

from gildemo import _core
from gildemo.monitor._thread_names import thread_names
from gildemo.monitor.record import GilRecord, Share, ThreadRecord

# Seconds. The first gives ten thousand samples in two seconds, which is enough for an error of 0.01
# (see `GilRecord.error`) whatever the GIL does; the second is enough where it does nothing.
SHORTEST_INTERVAL = 190e-6
LONGEST_INTERVAL = 3e-3

# The normal distribution's quantile for an interval of 95 %.
_Z = 1.96


class GilMonitor:
    """Watches the GIL of this interpreter from native threads that never take it.

    Use it in a `with` statement, or call `start()` and `stop()`; `record` is there afterwards,
    and `snapshot()` gives one while it runs. A monitor serves for one run; several may run at
    once. interval: seconds between two samples, on average; they are taken at random times. None,
    the default, is from 0.19 to 3 ms, shorter the more the samples of a few milliseconds differ: as
    short as it takes for a `GilRecord.error` of 0.01 after two seconds, unless busy CPUs keep the
    samples waiting. Of more than 8192 threads, those that ended and held the GIL least become part
    of the row "(other)".

    Raises ValueError for an interval that is not from 1e-5 to 10 seconds. `start()` raises
    GilMonitorUnavailable where the GIL can't be watched, and all raise RuntimeError when called
    out of turn, or in the child of a fork. While it runs, this process has one more thread, of
    which Python 3.12 and later warn when the process forks. Where the GIL is taken and given up
    fast, on Linux and with two to four CPUs, it has one more on each CPU, so that no look comes
    late; elsewhere, threads that keep all CPUs busy and hand the GIL to and fro within tens of
    microseconds may put `held` off by more than its error.
    """

    def __init__(self, interval: float | None = None) -> None:
        if interval is None:
            self._monitor = _core.Monitor(SHORTEST_INTERVAL, LONGEST_INTERVAL)
        else:
            self._monitor = _core.Monitor(interval, interval)
        self._record: GilRecord | None = None
        self._pid = os.getpid()
        # The native threads must not outlive the interpreter that they watch, nor this object.
        self._finalizer = weakref.finalize(self, _stop_unattended, self._monitor)

    def start(self) -> None:
        """Start to watch."""
        self._monitor.start()
        self._pid = os.getpid()
        thread_names.watch(self._monitor)

    def stop(self) -> GilRecord:
        """Stop to watch, and return the record.

        If a signal's handler raises meanwhile, call it again.
        """
        if self._record is not None:
            raise RuntimeError("this monitor was already stopped: its record is still there")
        self._monitor.stop()
        record = _record(self._monitor.snapshot())
        thread_names.unwatch(self._monitor)
        self._finalizer.detach()
        self._record = record
        return record

    def snapshot(self) -> GilRecord:
        """The record so far; watching goes on."""
        return self._record or _record(self._monitor.snapshot())

    def held_by(self, native_id: int) -> Share:
        """The fraction of the time so far in which this thread held the GIL."""
        held, watched, squares = self._monitor.held_by(native_id)
        share = held / watched if watched else 0.0
        samples = watched**2 / squares if watched else 0.0
        return Share(share, _half_width(share * (1 - share), samples), samples)

    @property
    def record(self) -> GilRecord:
        """What was seen, once it is stopped. Raises RuntimeError before."""
        if self._record is None:
            raise RuntimeError("this monitor has no record yet: stop it first, or use snapshot()")
        return self._record

    def __enter__(self) -> GilMonitor:
        self.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        # In the child of a fork, whose way out this may be, nothing runs.
        if os.getpid() == self._pid and self._record is None:
            self.stop()


def _stop_unattended(monitor: _core.Monitor) -> None:
    """When it is collected or the interpreter exits; in a fork's child there is nothing to stop."""
    with contextlib.suppress(RuntimeError):
        monitor.stop()
    thread_names.unwatch(monitor)


def _record(raw: Mapping[str, Any]) -> GilRecord:
    ticks, watched = raw["ticks"], raw["watched"]
    names = thread_names.by_native_id()
    threads: list[ThreadRecord] = []
    places: dict[int, int] = {}
    # The first row is that of others; and who has no number ended before it began.
    others = {place for place, row in enumerate(raw["threads"]) if place == 0 or row[0] == 0}
    held_by_others = sum(raw["threads"][place][1] for place in others)
    if held_by_others > 0:
        places.update(dict.fromkeys(others, 0))
        longest = max(raw["threads"][place][5] for place in others)
        threads.append(
            ThreadRecord("(other)", None, held_by_others / watched, None, longest / 1e9, None, ())
        )
    waits_of = _waits(raw["changes"], raw["end"])
    for place, (native_id, held, present, looks, waits, longest, cpu) in enumerate(raw["threads"]):
        if place in others:
            continue
        waiting = None
        if raw["waiting_known"]:
            # `looks` are a part of its `present` ticks, which are a part of all `ticks`.
            waiting = waits / looks * present / ticks if looks else 0.0
        places[place] = len(threads)
        threads.append(
            ThreadRecord(
                name=names.get(native_id, f"thread {native_id}"),
                native_id=native_id,
                held=held / watched if watched else 0.0,
                waiting=waiting,
                longest_hold=longest / 1e9,
                cpu=None if cpu is None else cpu / 1e9,
                waits=tuple(waits_of.get(place, ())),
            )
        )
    begins = [begin for begin, _ in raw["segments"]]
    ends = [*begins[1:], raw["end"]]
    return GilRecord(
        duration=(raw["end"] - raw["begin"]) / 1e9,
        samples=raw["samples"],
        held=raw["held"] / watched if watched else 0.0,
        error=_error(raw),
        switches=raw["switches"],
        longest_hold=max((thread.longest_hold for thread in threads), default=0.0),
        threads=tuple(threads),
        timeline=tuple(
            (begin, end, None if place < 0 else places.get(place))
            for (begin, place), end in zip(raw["segments"], ends, strict=True)
        ),
        resolution=raw["resolution"] / 1e9,
        cpu=raw["cpu"] / 1e9,
    )


def _waits(changes: list[tuple[int, int, int]], end: int) -> dict[int, list[tuple[int, int]]]:
    """When each thread waited, from the times at which it began and ended to."""
    found: dict[int, list[tuple[int, int]]] = {}
    began: dict[int, int] = {}
    for at, place, waiting in changes:
        if waiting:
            began[place] = at
        else:
            found.setdefault(place, []).append((began.pop(place), at))
    for place, at in began.items():
        found.setdefault(place, []).append((at, end))
    return found


def _error(raw: Mapping[str, Any]) -> float:
    if raw["samples"] == 0:
        return 1.0
    samples = raw["watched"] ** 2 / raw["squares"]
    return _half_width(raw["variance"] / raw["squares"], samples)


def _half_width(variance: float, samples: float) -> float:
    """Half of Wilson's 95 % interval (1927), which is not 0 where all samples agree.

    variance: of one sample; he has p * (1 - p).
    """
    if samples == 0:
        return 1.0
    z2 = _Z * _Z
    return _Z * math.sqrt(variance / samples + z2 / (4 * samples**2)) / (1 + z2 / samples)
