"""What a comparison found: frozen dataclasses that can be written as JSON and read back."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from gildemo import _codec, _json
from gildemo._units import counted
from gildemo.executors import canonical
from gildemo.monitor.record import GilRecord


class Verdict(Enum):
    """Whether to use threads or processes for a task, as far as the measurement shows it."""

    THREADS = "threads"
    PROCESSES = "processes"
    NEITHER = "neither"  # nothing is faster than serial
    INCONCLUSIVE = "inconclusive"  # the rounds differ too much, or an executor was not measured


@dataclass(frozen=True)
class Spread:
    """Measured values, one for each round."""

    median: float
    low: float  # the lowest value
    high: float  # the highest value

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Return the spread of one or more values. Raises StatisticsError if there is none."""
        return cls(statistics.median(values), min(values), max(values))


@dataclass(frozen=True)
class Ratio:
    """The ratio of two measured values, taken in each round.

    `low` and `high` are two of the measured ratios. The true median lies between them with the
    probability `confidence`, whatever the distribution (the interval of the sign test).
    """

    median: float
    low: float
    high: float
    confidence: float  # from 0 to 1


@dataclass(frozen=True)
class ExecutorResult:
    """What was measured for one executor. Times are in seconds."""

    # From the common start of the workers until the last result, for one call on each worker.
    wall: Spread
    startup: Spread  # from creating the executor until every worker is ready
    speedup: float | None  # the serial wall time divided by this one
    efficiency: float | None  # speedup divided by the CPUs that the workers can use
    walls: tuple[float, ...]  # the wall time of each round
    throughput: float  # calls per second
    # CPU time of a call. It includes the threads that the call started, unless the workers
    # share a process.
    cpu: float
    sending: float | None = None  # to send one call to a worker and its result back, if measured
    unsendable: str | None = None  # why the result can't be sent back
    # The length of the shortest call for which this executor is faster than serial, if calls are
    # sent one at a time. None if that is not known, or if this executor is never faster.
    break_even: float | None = None


@dataclass(frozen=True)
class Comparison:
    """What was measured for one task under several executors, and what it means."""

    task: str
    workers: int  # how many ran at the same time
    calls: int  # how many each worker made in a round
    rounds: int  # how often each executor was measured
    cpus: int  # how many this process could use
    python: str  # its version
    executors: Mapping[str, ExecutorResult]
    call: float | None  # seconds that one call takes by itself, if measured
    thread_process_ratio: Ratio | None  # the wall time of threads divided by that of processes
    verdict: Verdict
    reason: str  # sentences with the figures on which the verdict rests
    gil_enabled: bool = True
    unavailable: Mapping[str, str] = field(default_factory=dict)  # executors, and why
    gil: GilRecord | None = None  # of one more run in threads, which was not timed
    gil_unavailable: str | None = None  # why there is no `gil`
    warnings: tuple[str, ...] = ()  # what may have disturbed the measurement

    def __getitem__(self, executor: str) -> ExecutorResult:
        """Return the result of an executor. Raises a KeyError that lists what was measured."""
        name = executor if executor in self.executors else canonical(executor)
        if name in self.executors:
            return self.executors[name]
        why = self.unavailable.get(name, f"measured: {', '.join(self.executors)}")
        raise KeyError(f"no result for {executor!r} ({why})")

    def __str__(self) -> str:
        workers, rounds = counted(self.workers, "worker"), counted(self.rounds, "round")
        lines = [f"{self.task} ({workers}, {rounds})"]
        for name, result in self.executors.items():
            speedup = "" if result.speedup is None else f", speedup {result.speedup:.2f}"
            wall = result.wall
            lines.append(
                f"  {name}: {wall.median:.4g} s ({wall.low:.4g} to {wall.high:.4g}){speedup}"
            )
        return "\n".join([*lines, f"  {self.verdict.value}: {self.reason}"])

    def to_dict(self) -> dict[str, Any]:
        """Return what `to_json` writes."""
        return _json.wrap("comparison", _codec.encode(self))

    def to_json(self) -> str:
        """Return JSON text that `from_json` reads."""
        return _json.write(self.to_dict())

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Comparison:
        """Build a comparison from what `to_dict` returned. Raises ValueError for anything else."""
        return _codec.decode(cls, _json.unwrap(data, "comparison"))

    @classmethod
    def from_json(cls, text: str) -> Comparison:
        """Read what `to_json` of this or an older version wrote.

        Raises ValueError for anything else.
        """
        return cls.from_dict(_json.loads(text))
