"""GilMonitor: who holds the GIL, who waits for it, for how long."""

from __future__ import annotations

import contextlib
import os
import weakref

from gildemo import _core
from gildemo.monitor._estimates import record_of, share_of
from gildemo.monitor._thread_names import thread_names
from gildemo.monitor.record import GilRecord, Share

# Seconds. The shortest interval takes ten thousand samples in two seconds, which gives an error of
# 0.01 (see GilRecord.error) whatever the GIL does. The longest does so if the GIL does not change.
SHORTEST_INTERVAL = 190e-6
LONGEST_INTERVAL = 3e-3


class GilMonitor:
    """Watches the GIL of this interpreter from native threads that never take it.

    Use it in a `with` statement, or call `start()` and `stop()`. `record` is then what it saw, and
    `snapshot()` returns a record while it runs. A monitor can be used once; several may run at the
    same time.

    interval: the mean number of seconds between two samples, which are taken at random times. By
    default it adapts from 0.19 to 3 ms, and is shorter while samples differ more from each other,
    as far as needed for a `GilRecord.error` of 0.01 after two seconds. Busy CPUs may delay samples
    and make the error larger.

    sites: whether to read, about once in each millisecond for which the GIL is held, which code
    holds it, for `GilRecord.profile`. That takes up to 16 MiB of memory.

    Raises ValueError for an interval that is not from 1e-5 to 10 seconds. `start()` raises
    GilMonitorUnavailable where the GIL can't be watched. All methods raise RuntimeError if they
    are called in the wrong order, or in a process forked since the start.

    While a monitor runs, this process has one more thread, so Python 3.12 and later warn at a
    fork. On Linux with two to four CPUs, it has a thread more on each CPU while the GIL is taken
    and released fast, so that no sample is late. Elsewhere, threads that keep all CPUs busy and
    pass the GIL back and forth within tens of microseconds may make `held` wrong by more than its
    error.

    A record has at most 8192 threads. Of more than that, those that have ended and held the GIL
    least become one row, "(other)".
    """

    def __init__(self, interval: float | None = None, *, sites: bool = True) -> None:
        shortest, longest = SHORTEST_INTERVAL, LONGEST_INTERVAL
        if interval is not None:
            shortest = longest = interval
        self._monitor = _core.Monitor(shortest, longest, sites=sites)
        self._record: GilRecord | None = None
        self._pid = os.getpid()
        # The native threads must end before this object and the interpreter that they watch.
        self._finalizer = weakref.finalize(self, _stop_unattended, self._monitor)

    def start(self) -> None:
        """Start watching."""
        self._monitor.start()
        self._pid = os.getpid()
        thread_names.watch(self._monitor)

    def stop(self) -> GilRecord:
        """Stop watching, and return the record.

        If a signal handler raises during this call, call it again.
        """
        if self._record is not None:
            raise RuntimeError("this monitor was already stopped: its record is still there")
        self._monitor.stop()
        record = self._record_so_far()
        thread_names.unwatch(self._monitor)
        self._finalizer.detach()
        self._record = record
        return record

    def snapshot(self) -> GilRecord:
        """Return the record so far, without stopping."""
        return self._record or self._record_so_far()

    def held_by(self, native_id: int) -> Share:
        """Return the fraction of the time so far for which this thread held the GIL."""
        return share_of(*self._monitor.held_by(native_id))

    def _record_so_far(self) -> GilRecord:
        return record_of(self._monitor.snapshot(), thread_names.by_native_id())

    @property
    def record(self) -> GilRecord:
        """What the monitor saw. Raises RuntimeError if it was not stopped yet."""
        if self._record is None:
            raise RuntimeError("this monitor has no record yet: stop it first, or use snapshot()")
        return self._record

    def __enter__(self) -> GilMonitor:
        self.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        # A forked child may leave the block, too, but the native threads are not there.
        if os.getpid() == self._pid and self._record is None:
            self.stop()


def _stop_unattended(monitor: _core.Monitor) -> None:
    """Stop a monitor that is collected, or still runs when the interpreter exits."""
    # In a forked child there is nothing to stop.
    with contextlib.suppress(RuntimeError):
        monitor.stop()
    thread_names.unwatch(monitor)
