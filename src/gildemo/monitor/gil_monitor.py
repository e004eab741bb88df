"""GilMonitor: starts and stops the sampling of the GIL, and returns records."""

from __future__ import annotations

import contextlib
import os
import weakref

from gildemo import _core
from gildemo.monitor._estimates import record_of, share_of
from gildemo.monitor._thread_names import thread_names
from gildemo.monitor.record import GilRecord, Share

# Seconds. The shortest interval takes ten thousand samples in two seconds, which gives an error of
# 0.01 (see GilRecord.error) whatever the GIL does. The longest gives the same error if the GIL does
# not change.
SHORTEST_INTERVAL = 190e-6
LONGEST_INTERVAL = 3e-3


class GilMonitor:
    """Watches the GIL of this interpreter from native threads that never take it.

    Use it in a `with` statement, or call `start()` and `stop()`. Afterwards, `record` is what the
    monitor saw. While it runs, `snapshot()` returns the record so far. A monitor can be used only
    once. Several monitors may run at the same time.

    interval: the mean number of seconds between two samples, which are taken at random times. By
        default it adapts between 0.19 and 3 ms: it is shorter while the samples differ more, so
        that `GilRecord.error` is about 0.01 after two seconds. Busy CPUs may delay samples and make
        the error larger.
    sites: whether to read which code holds the GIL, about once per millisecond of held time, for
        `GilRecord.profile`. That takes up to 16 MiB of memory.

    Raises ValueError if the interval is not between 1e-5 and 10 seconds. `start()` raises
    GilMonitorUnavailable where the GIL can't be watched. All methods raise RuntimeError if they
    are called in the wrong order, or in a process that was forked after the start.

    While a monitor runs, this process has one more thread, so Python 3.12 and later warn when the
    process forks. On Linux with two to four CPUs, the monitor has a thread on each CPU while the
    GIL is taken and released fast, so that no sample is late. Elsewhere, `held` may be wrong by
    more than its error if threads keep all CPUs busy and pass the GIL back and forth within tens of
    microseconds.

    A record has at most 8192 threads. If there are more, the ended threads that held the GIL the
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
            raise RuntimeError("this monitor was already stopped: read its `record`")
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
        """What the monitor saw. Raises RuntimeError if the monitor has not been stopped yet."""
        if self._record is None:
            raise RuntimeError("this monitor has no record yet: stop it first, or use snapshot()")
        return self._record

    def __enter__(self) -> GilMonitor:
        self.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        # A forked child may leave the block as well, but it has no native threads to stop.
        if os.getpid() == self._pid and self._record is None:
            self.stop()


def _stop_unattended(monitor: _core.Monitor) -> None:
    """Stop a monitor that is garbage-collected, or that still runs when the interpreter exits."""
    # In a forked child there is nothing to stop.
    with contextlib.suppress(RuntimeError):
        monitor.stop()
    thread_names.unwatch(monitor)
