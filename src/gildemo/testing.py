"""Assertions on the GIL, for the test suites of extension modules."""

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

# How long to go on measuring before a call counts as impossible to judge, in seconds.
LONGEST = 5.0
# Between two looks whether the samples are enough.
_BATCH = 0.05
# Fewer would let chance decide.
_FEWEST_SAMPLES = 100
# Of a body that runs once, which may well last no longer.
_FEWEST_SAMPLES_ONCE = 20
# The answer is asked for again after every batch, which gives chance many tries: it has to be
# twice as far from the limit as the 95 % interval is wide.
_MARGIN = 2.0
# A thread may be kept from its CPU for tens of milliseconds with the GIL in its hand. That must
# not fail a call, so before it fails the calls are watched for so many seconds.
_LONG_ENOUGH = 1.0


@dataclass(frozen=True)
class GilUsage(Generic[T]):
    """How much of a call the thread that made it held the GIL.

    held: the fraction of the time, from 0 to 1; error: half of its 95 % interval. calls: how
    often it was called; seconds: how long one call took. result: that of the last call.
    record: all that the monitor saw.
    """

    held: float
    error: float
    calls: int
    seconds: float
    result: T
    record: GilRecord

    def __str__(self) -> str:
        return (
            f"held the GIL for {self.held:.1%} (± {self.error:.1%}) of {self.calls} "
            f"call{'s' if self.calls != 1 else ''} of {units.seconds(self.seconds)} each"
        )


def gil_usage(fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> GilUsage[T]:
    """Call `fn(*args, **kwargs)` under a GilMonitor, and say how much it held the GIL.

    The call is repeated until the answer has an error of at most 0.05, or for `LONGEST` seconds.
    Raises GilMonitorUnavailable, and what `fn` raises.
    """
    return _measure(lambda: fn(*args, **kwargs), lambda held, error, seconds: error <= 0.05)


def assert_releases_gil(
    fn: Callable[..., T], /, *args: Any, at_most: float = 0.1, **kwargs: Any
) -> T:
    """Call `fn(*args, **kwargs)`, and return its result if it leaves the GIL to others.

    at_most: the fraction of the call for which it may hold the GIL, between 0 and 1. A call is
    repeated until the samples are enough for an answer, so it must do the same each time.
    Raises AssertionError with the figures, or if there is no answer after `LONGEST` seconds;
    ValueError for an at_most out of range; GilMonitorUnavailable; and what `fn` raises.
    """
    __tracebackhide__ = True  # of pytest
    usage = _judge(fn, lambda: fn(*args, **kwargs), at_most, "at_most")
    if usage.held > at_most:
        raise AssertionError(_told(fn, usage, f"at most {at_most:.0%} is allowed"))
    return usage.result


def assert_holds_gil(
    fn: Callable[..., T], /, *args: Any, at_least: float = 0.9, **kwargs: Any
) -> T:
    """Call `fn(*args, **kwargs)`, and return its result if it keeps the GIL.

    For code that other threads must not get in between. at_least: the fraction of the call for
    which it has to hold the GIL. All else is as with `assert_releases_gil`.
    """
    __tracebackhide__ = True
    usage = _judge(fn, lambda: fn(*args, **kwargs), at_least, "at_least")
    if usage.held < at_least:
        raise AssertionError(_told(fn, usage, f"at least {at_least:.0%} is required"))
    return usage.result


@contextlib.contextmanager
def releasing_gil(name: str, at_most: float = 0.1) -> Iterator[None]:
    """Raise AssertionError if this thread holds the GIL for more than `at_most` of the body.

    name: what to call the body. The body runs once, so it has to last for some 20 ms at least;
    if the samples are too few for an answer, the AssertionError says that.
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
                f"too {'short' if few else f'close to at_most={at_most:g}'} to tell; "
                "make it last longer",
            )
        )
    if usage.held > at_most:
        raise AssertionError(_told(name, usage, f"at most {at_most:.0%} is allowed"))


def _judge(
    fn: Callable[..., object], call: Callable[[], T], limit: float, name: str
) -> GilUsage[T]:
    """Measure until it is clear on which side of the limit the call is."""
    __tracebackhide__ = True
    if not 0.0 < limit < 1.0:
        raise ValueError(f"{name} must be between 0 and 1, not {limit!r}")

    def is_clear(held: float, error: float, seconds: float) -> bool:
        fails = held > limit if name == "at_most" else held < limit
        return abs(held - limit) > _MARGIN * error and (seconds > _LONG_ENOUGH or not fails)

    usage = _measure(call, is_clear)
    if not is_clear(usage.held, usage.error, LONGEST):
        raise AssertionError(
            _told(
                fn,
                usage,
                f"too close to {name}={limit:g} to tell in {LONGEST:g} s; pass arguments that "
                f"make a call take longer, or another {name}",
            )
        )
    return usage


def _measure(call: Callable[[], T], enough: Callable[[float, float, float], bool]) -> GilUsage[T]:
    __tracebackhide__ = True
    me = threading.get_native_id()
    # It lasts a second at most, mostly, and is the sooner over the more samples there are.
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
    lines = [f"{name} {usage}: {judgement}", LEGEND.plain]
    lines += [line.plain for line in lanes("the calls", usage.record, 78)]
    return "\n".join(lines)
