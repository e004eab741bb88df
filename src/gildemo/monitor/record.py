"""What a GilMonitor saw: plain values that know no monitor, and can be written as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from gildemo.monitor.profile import Profile


@dataclass(frozen=True)
class ThreadRecord:
    """One thread, as a GilMonitor saw it. Fractions are of the record's duration."""

    # The name of its threading.Thread, or one made of its native id.
    name: str
    # The kernel's id, or None in the row of all threads that could not be told apart.
    native_id: int | None
    held: float  # the fraction for which it held the GIL
    # The fraction for which it slept until it got the GIL, or None where that can't be seen. On a
    # busy machine, the time for which it then waited for a CPU is part of this.
    waiting: float | None = None
    longest_hold: float = 0.0  # the longest time for which it was seen to hold the GIL; seconds
    cpu: float | None = None  # CPU time in seconds, or None where the kernel does not tell
    # (start, end) of each wait for the GIL, in ns of time.monotonic_ns(). Waits are sampled less
    # often than the holder of the GIL.
    waits: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True)
class Share:
    """A fraction of the time, estimated from samples.

    The error also covers other runs of the same program: the samples count as independent, even
    if they saw only a few changes.
    """

    held: float  # the fraction for which the GIL was held
    error: float  # half the width of the 95 % confidence interval around `held`
    samples: float  # how many samples of equal weight would tell as much


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
    # releases the GIL between two samples and no other thread takes it, that is not seen.
    longest_hold: float = 0.0
    threads: tuple[ThreadRecord, ...] = ()
    # (start, end, holder): times in ns of time.monotonic_ns(), and an index into `threads`, or
    # None while no thread held the GIL. Changes are placed halfway between two samples.
    timeline: tuple[tuple[int, int, int | None], ...] = ()
    # The timeline and the waits of a long run leave out what is shorter than this; seconds.
    resolution: float = 0.0
    cpu: float = 0.0  # CPU time that the monitor itself took; seconds
    profile: Profile | None = None  # where the GIL was held, or None with sites=False

    def to_dict(self) -> dict[str, Any]:
        """Return values that the json module can write."""
        values = asdict(replace(self, profile=None))
        if self.profile is not None:
            values["profile"] = self.profile.to_dict()
        return values

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> GilRecord:
        """Return the record that `to_dict` was called on, also after its way through JSON.

        A newer version may have written fields that this one ignores, and an older one may lack
        fields that have a default here.
        """
        values = _known_fields(cls, data)
        values["threads"] = tuple(_thread(thread) for thread in data.get("threads", ()))
        values["timeline"] = tuple(
            (start, end, holder) for start, end, holder in data.get("timeline", ())
        )
        if values.get("profile") is not None:
            values["profile"] = Profile.from_dict(values["profile"])
        return cls(**values)


def _thread(data: Mapping[str, Any]) -> ThreadRecord:
    values = _known_fields(ThreadRecord, data)
    values["waits"] = tuple((start, end) for start, end in data.get("waits", ()))
    return ThreadRecord(**values)


def _known_fields(cls: type[Any], data: Mapping[str, Any]) -> dict[str, Any]:
    names = {field.name for field in fields(cls)}
    return {name: value for name, value in data.items() if name in names}
