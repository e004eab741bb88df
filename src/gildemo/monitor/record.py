"""What a GilMonitor saw: plain values that don't refer to it, and can be written as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gildemo import _codec
from gildemo.monitor.profile import Frame, Profile

# What a thread does. The states of a thread add up to its lifetime.
STATES = (
    "holds",  # the GIL
    "waits",  # for the GIL
    "computes",  # runs, or is ready to run, without the GIL
    "idle",  # has no work: sleeps in threading, queue or a similar module
    "locked",  # sleeps until another thread releases a lock
    "in_system_call",  # sleeps in any other system call
    "not_observed",  # was not sampled, or the kernel does not report its state
)


@dataclass(frozen=True)
class ThreadRecord:
    """One thread, as a GilMonitor saw it. Fractions are of the record's duration."""

    # The name of its threading.Thread, or "thread" and its native id.
    name: str
    # The kernel's id, or None in the row "(other)", for threads that could not be distinguished.
    native_id: int | None
    held: float  # the fraction for which it held the GIL
    # The fraction for which it slept until it got the GIL, or None where that can't be seen. On a
    # busy machine, this includes the time for which it then waited for a CPU.
    waiting: float | None = None
    longest_hold: float = 0.0  # the longest time for which it was seen to hold the GIL; seconds
    cpu: float | None = None  # CPU time in seconds, or None where the kernel does not report it
    lifetime: float = 0.0  # how long the thread existed while the monitor ran; seconds
    # The seconds that it spent in each of STATES. Holding is sampled most often. The other states
    # of a thread are estimated from samples that are some milliseconds apart.
    states: Mapping[str, float] = field(default_factory=dict)
    # (start, end, state), in order: what it did and when, in ns of time.monotonic_ns().
    intervals: tuple[tuple[int, int, str], ...] = ()
    # The seconds that it slept in each system call, such as "read": parts of "in_system_call".
    system_calls: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class LongHold:
    """A period in which one thread held the GIL, as far as samples and switches show."""

    begin: int  # ns of time.monotonic_ns()
    seconds: float
    thread: int | None  # an index into GilRecord.threads, or None if the thread is not known
    # The stack of the holder when it was last read, the innermost frame first; empty if it was
    # not read.
    stack: tuple[Frame, ...] = ()
    # Indexes into GilRecord.threads: the threads that were seen to wait for the GIL meanwhile.
    waiters: tuple[int, ...] = ()


@dataclass(frozen=True)
class Share:
    """A fraction of the time, estimated from samples.

    The error also covers other runs of the same program: the samples count as independent, even
    if they saw only a few changes.
    """

    held: float  # the fraction for which the GIL was held
    error: float  # half the width of the 95 % confidence interval around `held`
    samples: float  # how many samples of equal weight would be as accurate


@dataclass(frozen=True)
class GilRecord:
    """What a GilMonitor saw."""

    duration: float  # seconds
    samples: int  # how many were taken
    held: float  # the fraction of the duration for which any thread held the GIL
    # Half the width of the 95 % confidence interval around `held`. It covers the randomness of
    # sampling; for other errors see GilMonitor.
    error: float
    # How often the GIL went to another thread, counted by CPython, or None where unknown.
    switches: int | None = None
    # The longest time for which a thread was seen to hold the GIL, in seconds. If a thread
    # releases the GIL between two samples and takes it back before any other thread does, the
    # release is not seen.
    longest_hold: float = 0.0
    threads: tuple[ThreadRecord, ...] = ()
    # (start, end, holder): times in ns of time.monotonic_ns(), and an index into `threads`, or
    # None while no thread held the GIL. Changes are placed halfway between two samples.
    timeline: tuple[tuple[int, int, int | None], ...] = ()
    # In a long run, the timeline and the intervals leave out what is shorter than this; seconds.
    resolution: float = 0.0
    cpu: float = 0.0  # CPU time that the monitor itself took; seconds
    # For each interval of the timeline, an index into `profile.nodes`: the last stack of the holder
    # that was read in it, or None if none was.
    timeline_nodes: tuple[int | None, ...] = ()
    longest_holds: tuple[LongHold, ...] = ()  # the ten longest, the longest first
    profile: Profile = field(default_factory=Profile)  # which code held the GIL
    pid: int | None = None  # of the process that was watched

    def to_dict(self) -> dict[str, Any]:
        """Return values that the json module can write."""
        encoded: dict[str, Any] = _codec.encode(self)
        return encoded

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> GilRecord:
        """Return the record from what `to_dict` returned, even after a round trip through JSON.

        Fields that only a newer version has are ignored. Fields that an older version lacks take
        their defaults. Raises ValueError for anything else.
        """
        return _codec.decode(cls, data)
