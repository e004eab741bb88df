"""Assertions that code holds or releases the GIL, for test suites."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from gildemo import _units as units
from gildemo.monitor import SHORTEST_INTERVAL, GilMonitor, GilRecord

T = TypeVar("T")

# How long to repeat a call before giving up as inconclusive, in seconds.
LONGEST = 5.0
# How long to repeat a call before the samples are checked again, in seconds.
_BATCH = 0.05
# Fewer samples than this leave too much to chance.
_FEWEST_SAMPLES = 100
# The same for a body that runs only once, and may not last long enough for more.
_FEWEST_SAMPLES_ONCE = 20
# Each check can find an extreme value by chance. So the measured fraction must differ from the
# limit by this many times half the width of its 95 % interval.
_MARGIN = 2.0
# The scheduler may take the CPU from a thread that holds the GIL, for tens of milliseconds. That
# must not fail a test, so an assertion fails only after this many seconds of monitoring.
_LONG_ENOUGH = 1.0
# An error as large as this comes from delayed samples, not from the call.
_LARGE_ERROR = 0.05


@dataclass(frozen=True)
class GilUsage(Generic[T]):
    """How much of a call the calling thread held the GIL for."""

    held: float  # the fraction of the time, from 0 to 1
    error: float  # half the width of the 95 % confidence interval around `held`
    calls: int  # how many were made
    seconds: float  # that one call took, on average
    result: T  # of the last call
    record: GilRecord  # everything that the monitor saw

    def __str__(self) -> str:
        return (
            f"held the GIL for {self.held:.1%} (± {self.error:.1%}) of "
            f"{units.counted(self.calls, 'call')} of {units.seconds(self.seconds)}"
        )


def gil_usage(fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> GilUsage[T]:
    """Call `fn(*args, **kwargs)` under a GilMonitor; return how much of the call held the GIL.

    The call is repeated until the error is at most 0.05, or for `LONGEST` seconds. Only what the
    calling thread does counts. Raises GilMonitorUnavailable if the GIL can't be monitored here, and
    what `fn` raises.
    """
    return _measure(lambda: fn(*args, **kwargs), lambda held, error, seconds: error <= 0.05)


def assert_releases_gil(
    fn: Callable[..., T], /, *args: Any, at_most: float = 0.1, **kwargs: Any
) -> T:
    """Call `fn(*args, **kwargs)`, and return its result if the call releases the GIL.

    The call is repeated until there are enough samples, so it must do the same work each time. Only
    what the calling thread does counts.

    at_most: the fraction of the call for which it may hold the GIL, between 0 and 1.

    Raises AssertionError, with the figures, if the call holds the GIL for longer, or if that is
    not clear after `LONGEST` seconds; ValueError if at_most is out of range;
    GilMonitorUnavailable if the GIL can't be monitored here; and what `fn` raises.
    """
    __tracebackhide__ = True  # for pytest
    usage = _judge(fn, lambda: fn(*args, **kwargs), at_most, "at_most")
    if usage.held > at_most:
        raise AssertionError(_told(fn, usage, f"at most {at_most:.0%} is allowed"))
    return usage.result


def assert_holds_gil(
    fn: Callable[..., T], /, *args: Any, at_least: float = 0.9, **kwargs: Any
) -> T:
    """Call `fn(*args, **kwargs)`, and return its result if the call holds the GIL.

    This is for code during which no other thread may run Python code.

    at_least: the fraction of the call for which it must hold the GIL, between 0 and 1.

    Otherwise it works like `assert_releases_gil`.
    """
    __tracebackhide__ = True
    usage = _judge(fn, lambda: fn(*args, **kwargs), at_least, "at_least")
    if usage.held < at_least:
        raise AssertionError(_told(fn, usage, f"at least {at_least:.0%} is required"))
    return usage.result


@contextlib.contextmanager
def releasing_gil(name: str, at_most: float = 0.1) -> Iterator[None]:
    """Raise AssertionError if this thread holds the GIL for more than `at_most` of the body.

    The body runs only once, so it must take 20 ms or more. If it is too short for enough samples,
    the AssertionError says so.

    name: the name of the body in messages.
    """
    __tracebackhide__ = True
    me = threading.get_native_id()
    monitor = GilMonitor(SHORTEST_INTERVAL)
    began = time.monotonic()
    with monitor:
        yield
        share = monitor.held_by(me)
    seconds = time.monotonic() - began
    usage = GilUsage(share.held, share.error, 1, seconds, None, monitor.record)
    few = share.samples < _FEWEST_SAMPLES_ONCE
    if few or abs(usage.held - at_most) <= usage.error:
        raise AssertionError(
            _told(
                name,
                usage,
                f"too {'short' if few else f'close to at_most={at_most:g}'} to tell: "
                "make the body take longer",
            )
        )
    if usage.held > at_most:
        raise AssertionError(_told(name, usage, f"at most {at_most:.0%} is allowed"))


def _judge(
    fn: Callable[..., object], call: Callable[[], T], limit: float, name: str
) -> GilUsage[T]:
    """Measure until it is clear on which side of the limit a call is."""
    __tracebackhide__ = True
    if not 0.0 < limit < 1.0:
        raise ValueError(f"{name} must be between 0 and 1, not {limit!r}")

    def is_clear(held: float, error: float, seconds: float) -> bool:
        fails = held > limit if name == "at_most" else held < limit
        return abs(held - limit) > _MARGIN * error and (seconds > _LONG_ENOUGH or not fails)

    usage = _measure(call, is_clear)
    if not is_clear(usage.held, usage.error, LONGEST):
        raise AssertionError(_told(fn, usage, _undecided(usage, name, limit)))
    return usage


def _undecided(usage: GilUsage[Any], name: str, limit: float) -> str:
    if usage.error > _LARGE_ERROR:
        return (
            f"there were too few samples in {LONGEST:g} s to tell: busy CPUs delayed them, so try "
            "again when the machine is less busy"
        )
    return (
        f"too close to {name}={limit:g} to tell in {LONGEST:g} s: pass arguments that make a call "
        f"take longer, or a different {name}"
    )


def _measure(call: Callable[[], T], enough: Callable[[float, float, float], bool]) -> GilUsage[T]:
    __tracebackhide__ = True
    me = threading.get_native_id()
    # The shortest interval gives the most samples, and so the shortest test.
    monitor = GilMonitor(SHORTEST_INTERVAL)
    calls = 0
    with monitor:
        began = time.monotonic()
        while True:
            batch = time.monotonic() + _BATCH
            while True:
                result = call()
                calls += 1
                if time.monotonic() >= batch:
                    break
            seconds = time.monotonic() - began
            share = monitor.held_by(me)
            if seconds >= LONGEST and share.samples:
                break
            if share.samples >= _FEWEST_SAMPLES and enough(share.held, share.error, seconds):
                break
    return GilUsage(share.held, share.error, calls, seconds / calls, result, monitor.record)


def _told(fn: Callable[..., object] | str, usage: GilUsage[Any], judgement: str) -> str:
    from gildemo._report.terminal_lanes import LEGEND, lanes

    name = fn if isinstance(fn, str) else getattr(fn, "__qualname__", repr(fn))
    lines = [f"{name} {usage}: {judgement}"]
    if site := _hottest_site(usage.record):
        lines.append(f"the GIL was held the most in {site}")
    lines.append(LEGEND.plain)
    lines += [line.plain for line in lanes("the calls", usage.record, 78)]
    return "\n".join(lines)


def _hottest_site(record: GilRecord) -> str:
    from gildemo._sources import hottest_site
    from gildemo.monitor._stacks import of_thread

    me = threading.get_native_id()
    indexes = [i for i, thread in enumerate(record.threads) if thread.native_id == me]
    return hottest_site(of_thread(record.profile, indexes[0])) if indexes else ""
