"""What a comparison found: frozen dataclasses that go to JSON and come back."""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import Enum
from typing import Any

from gildemo.executors import canonical
from gildemo.monitor import GilRecord

SCHEMA = 1


class Verdict(Enum):
    """Which of threads and processes to use for a task, as far as the measurement can tell."""

    THREADS = "threads"
    PROCESSES = "processes"
    NEITHER = "neither"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True)
class Spread:
    """Measured values, one a round: their median, lowest and highest."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """The spread of one or more values. Raises statistics.StatisticsError for none."""
        return cls(statistics.median(values), min(values), max(values))


@dataclass(frozen=True)
class Ratio:
    """A ratio taken round by round: its median, and an interval that holds the true median.

    low and high are two of the measured ratios. That the true median lies between them has the
    probability `confidence`, whatever the distribution (the sign test's interval).
    """

    median: float
    low: float
    high: float
    confidence: float


@dataclass(frozen=True)
class ExecutorResult:
    """How one kind of executor did.

    wall: seconds from the common start of the workers until the last result, for one call on each
    of them. startup: seconds to create the executor and to have every worker ready. speedup: the
    serial wall time divided by this one, or None without a serial run. efficiency: speedup divided
    by the number of CPUs that can be at work, at most one a worker. walls: the wall time of each
    round, divided as `wall` by the calls that a worker made in it. throughput: calls per second.
    cpu: seconds of CPU time that a call took, with the threads that it started itself, but for the
    executors whose workers share a process. sending: seconds to send one
    call to a worker and its result back, or None if that was not measured; unsendable: why it
    can't be sent. break_even: from how many seconds on a call, sent by itself, is faster here than
    serially, or None if that is not known or never.
    """

    wall: Spread
    startup: Spread
    speedup: float | None
    efficiency: float | None
    walls: tuple[float, ...]
    throughput: float
    cpu: float
    sending: float | None = None
    unsendable: str | None = None
    break_even: float | None = None


@dataclass(frozen=True)
class Comparison:
    """One task under several kinds of executor.

    workers: how many ran at once; calls: how often each called the task in a round; call: seconds
    that one call takes by itself, or None if that was not measured. cpus: how many CPUs the
    process might use. gil_enabled: whether this Python had a GIL. unavailable: the kinds that
    could not be used, and why.
    thread_process_ratio: the wall time of threads divided by that of processes.
    verdict, reason: the answer, and a sentence with the figures that it rests on. gil: what a
    GilMonitor saw in one more thread round, which is not among the measured, or None with
    gil_unavailable saying why. warnings: what may have disturbed the measurement.
    """

    task: str
    workers: int
    calls: int
    rounds: int
    cpus: int
    python: str
    executors: Mapping[str, ExecutorResult]
    call: float | None
    thread_process_ratio: Ratio | None
    verdict: Verdict
    reason: str
    gil_enabled: bool = True
    unavailable: Mapping[str, str] = field(default_factory=dict)
    gil: GilRecord | None = None
    gil_unavailable: str | None = None
    warnings: tuple[str, ...] = ()

    def __getitem__(self, executor: str) -> ExecutorResult:
        """Return the result of an executor. Raises KeyError that lists what was measured."""
        name = executor if executor in self.executors else canonical(executor)
        if name in self.executors:
            return self.executors[name]
        why = self.unavailable.get(name, f"measured: {', '.join(self.executors)}")
        raise KeyError(f"no result for {executor!r} ({why})")

    def __str__(self) -> str:
        lines = [f"{self.task} ({self.workers} workers, {self.rounds} rounds)"]
        for name, result in self.executors.items():
            speedup = "" if result.speedup is None else f", {result.speedup:.2f} times serial"
            wall = result.wall
            lines.append(
                f"  {name}: {wall.median:.4g} s ({wall.low:.4g} to {wall.high:.4g}){speedup}"
            )
        return "\n".join([*lines, f"  {self.verdict.value}: {self.reason}"])

    def to_dict(self) -> dict[str, Any]:
        """Give JSON-able values; `schema` is the version of their layout."""
        return {"schema": SCHEMA, **asdict(self), "verdict": self.verdict.value}

    def to_json(self) -> str:
        """Give JSON text, which `from_json` reads back."""
        return json.dumps(self.to_dict(), indent=2)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Comparison:
        """Build a comparison from what `to_dict` gave. Raises ValueError for anything else."""
        if not isinstance(data, Mapping) or data.get("schema") != SCHEMA:
            found = data.get("schema") if isinstance(data, Mapping) else type(data).__name__
            raise ValueError(f"not a comparison of schema {SCHEMA}: found {found!r}")
        values = {name: value for name, value in data.items() if name != "schema"}
        try:
            _check_numbers(values)
            ratio = values["thread_process_ratio"]
            values["thread_process_ratio"] = None if ratio is None else Ratio(**ratio)
            gil = values["gil"]
            values["gil"] = None if gil is None else GilRecord.from_dict(gil)
            values["verdict"] = Verdict(values["verdict"])
            values["warnings"] = tuple(values["warnings"])
            values["executors"] = {
                name: _executor_result(result) for name, result in values["executors"].items()
            }
            return cls(**values)
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"not a comparison of schema {SCHEMA}: {error}") from error

    @classmethod
    def from_json(cls, text: str) -> Comparison:
        """Read back what `to_json` wrote. Raises ValueError for anything else."""
        return cls.from_dict(json.loads(text))


def _check_numbers(values: Mapping[str, Any]) -> None:
    """Refuse what would fail only when it is shown. Raises TypeError."""
    for result in values["executors"].values():
        optional = (result[name] for name in ("speedup", "efficiency", "sending", "break_even"))
        needed = (result[name] for name in ("throughput", "cpu"))
        spreads = (v for name in ("wall", "startup") for v in result[name].values())
        for value in (*needed, *spreads, *result["walls"], *(v for v in optional if v is not None)):
            if not isinstance(value, int | float):
                raise TypeError(f"{value!r} is not a number")


def _executor_result(data: Mapping[str, Any]) -> ExecutorResult:
    values = dict(data)
    for name in ("wall", "startup"):
        values[name] = Spread(**values[name])
    values["walls"] = tuple(values["walls"])
    return ExecutorResult(**values)
