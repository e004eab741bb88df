"""The figures for an explanation: the measured ones, and those computed from them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from gildemo._comparison.results import ExecutorResult
from gildemo._comparison.verdict import Decision, process_name
from gildemo.monitor.record import GilRecord

# Measured CPU time differs by less than this factor for the same work.
TOLERANCE = 1.25


@dataclass(frozen=True)
class Figures:
    """What a comparison measured, and the decision on it."""

    workers: int
    calls: int  # that each worker made in a round
    rounds: int
    cpus: int  # that this process could use
    call: float | None  # seconds that one call takes by itself, if measured
    executors: Mapping[str, ExecutorResult]
    gil: GilRecord | None
    gil_enabled: bool
    decision: Decision

    @property
    def process(self) -> str | None:
        """The name of the executor that runs tasks in processes, if measured."""
        return process_name(self.executors)

    @property
    def processes(self) -> ExecutorResult:
        """The result of the executor named by `process`."""
        assert self.process is not None
        return self.executors[self.process]

    @property
    def held(self) -> float | None:
        """The fraction of a call for which it holds the GIL, if that was monitored.

        This is the time for which any thread held it, divided by the sum of the times that all
        calls would take by themselves.
        """
        if self.gil is None or self.call is None:
            return None
        calls = self.workers * self.calls
        return min(1.0, self.gil.held * self.gil.duration / (calls * self.call))

    @property
    def cpus_of_a_call(self) -> float:
        """How many CPUs a call keeps busy when it runs alone, or 0 if that was not measured."""
        serial = self.executors.get("serial")
        return serial.cpu / self.call if serial is not None and self.call else 0.0

    @property
    def parallel_calls(self) -> float:
        """How many calls can run at the same time, given the numbers of workers and CPUs."""
        used = self.cpus_of_a_call
        if used < 0.5:
            return self.workers
        # A call that keeps about one CPU busy counts as needing exactly one.
        each = used if used > TOLERANCE else 1.0
        return min(self.workers, max(1.0, self.cpus / each))

    @property
    def speedup_with_gil(self) -> float | None:
        """The highest speedup that threads can have, or None if the GIL was not monitored."""
        if self.held is None:
            return None
        return min(self.parallel_calls, 1 / self.held if self.held else math.inf)
