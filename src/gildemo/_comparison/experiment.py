"""Experiment: measures a task under several executors, one step at a time."""

from __future__ import annotations

import contextlib
import math
import platform
import sys
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager

from gildemo import executors as kinds
from gildemo._comparison.errors import MeasurementError
from gildemo._comparison.leftovers import Leftovers
from gildemo._comparison.measurement import Measurement, measure
from gildemo._comparison.results import Comparison
from gildemo._comparison.summary import Setting, summarize
from gildemo._comparison.verdict import process_name
from gildemo._core import GilMonitorUnavailable
from gildemo.executors import ExecutorKind
from gildemo.executors.worker import TaskFailedError, Work
from gildemo.monitor import GilMonitor
from gildemo.monitor.record import GilRecord
from gildemo.statement import Statement

# The first call may be slow, so calibration multiplies the number of calls by this at most.
_STEP = 10
_MOST_CALLS = 10**9

# About thirty years. Locks and timers may refuse more.
_LONGEST_TIMEOUT = 1e9


class Experiment:
    """A task, the executors to run it under, and what has been measured so far.

    `step()` measures one executor once. `comparison()` can be called at any time, so that an
    interruption loses no complete round.
    """

    def __init__(
        self,
        task: Callable[..., object] | Statement,
        *args: object,
        name: str | None = None,
        workers: int | None = None,
        executors: Iterable[str | ExecutorKind] = kinds.NAMES,
        timeout: float | None = None,
        sending: bool = False,
    ) -> None:
        _check_task(task, args)
        if workers is None:
            workers = max(2, kinds.usable_cpus())
        if workers < 1:
            raise ValueError(f"workers must be 1 or more, not {workers}")
        if timeout is not None and not 0 < timeout <= _LONGEST_TIMEOUT:
            raise ValueError(
                f"timeout must be more than 0 seconds, and at most {_LONGEST_TIMEOUT:g}, "
                f"not {timeout:g}"
            )
        self.kinds, self.unavailable = _resolve(executors)
        self.work = Work(task, args)
        self.name = name or getattr(task, "__name__", None) or str(task)
        self.workers = workers
        self.number = 1  # of calls that each worker makes in a round
        self.timeout = timeout  # seconds for one measurement
        self.sending = sending  # whether to time sending the task
        self.warnings: list[str] = []
        # Returns the context in which to make each measurement.
        self.around: Callable[[], AbstractContextManager[None]] = contextlib.nullcontext
        self._leftovers = Leftovers(self.warnings)
        self._measured: dict[str, list[Measurement]] = {kind.name: [] for kind in self.kinds}
        self._alone: float | None = None
        self._gil: GilRecord | None = None
        self._gil_unavailable = "no threads were monitored"

    @property
    def rounds(self) -> int:
        """How many rounds are complete."""
        return min(len(measured) for measured in self._measured.values())

    def calibrate(self, min_time: float, kind: ExecutorKind | None = None) -> None:
        """Find how many calls take `min_time` seconds, one after another.

        Each measurement then makes this many calls, under every executor. Raises MeasurementError.

        kind: where to run the calls. The default is a process, if processes are among the
            executors, because the very first call may crash or hang.
        """
        not_negative("min_time", min_time)
        if kind is None:
            process = process_name(self._measured)
            kind = next((k for k in self.kinds if k.name == process), kinds.resolve("serial"))
        while True:
            took = self._measure(kind, self.number, workers=1).wall
            self._alone = took / self.number
            if took >= min_time or self.number >= _MOST_CALLS:
                return
            wanted = 1.1 * min_time * self.number / max(took, 1e-9)
            self.number = min(math.ceil(wanted), self.number * _STEP, _MOST_CALLS)

    def step(self) -> str:
        """Measure the next executor once; return its name. Raises MeasurementError.

        Each round begins with a different executor. So neither a change in the machine's speed nor
        what one executor leaves behind (warm caches, a hot CPU) always favors the same executor.
        """
        round_ = self.rounds
        start = round_ % len(self.kinds)
        rotated = self.kinds[start:] + self.kinds[:start]
        kind = next(kind for kind in rotated if len(self._measured[kind.name]) == round_)
        try:
            measured = self._measure(kind, self.number, self.workers, sending=self.sending)
        except MeasurementError as error:
            if kind.name != "subinterpreters" or round_ > 0 or len(self.kinds) == 1:
                raise
            # Subinterpreters can't import many extension modules. The other executors are still
            # compared.
            self.kinds.remove(kind)
            del self._measured[kind.name]
            self.unavailable[kind.name] = str(error)
        else:
            self._measured[kind.name].append(measured)
        return kind.name

    def monitor(self) -> None:
        """Run the task once more in threads under a GilMonitor, without timing it.

        If the GIL can't be monitored, the comparison says why. Raises MeasurementError.
        """
        monitor = GilMonitor()
        try:
            self._measure(kinds.resolve("threads"), self.number, self.workers, monitor)
        except GilMonitorUnavailable as error:
            self._gil_unavailable = str(error)
        else:
            self._gil = monitor.record

    def comparison(self) -> Comparison | None:
        """Return the comparison of the complete rounds, or None if no round is complete."""
        if self.rounds == 0:
            return None
        setting = Setting(
            task=self.name,
            workers=self.workers,
            calls=self.number,
            cpus=kinds.usable_cpus(),
            python=platform.python_version(),
            gil_enabled=getattr(sys, "_is_gil_enabled", lambda: True)(),
            alone=self._alone,
            gil=self._gil,
            gil_unavailable=None if self._gil else self._gil_unavailable,
            unavailable=self.unavailable,
            warnings=tuple(self.warnings),
        )
        return summarize(self._measured, setting)

    def _measure(
        self,
        kind: ExecutorKind,
        number: int,
        workers: int,
        monitor: GilMonitor | None = None,
        sending: bool = False,
    ) -> Measurement:
        try:
            with self._leftovers.check(kind, number * workers), self.around():
                return measure(kind, self.work, number, workers, self.timeout, monitor, sending)
        except GilMonitorUnavailable:
            raise
        except TaskFailedError as failed:
            raise MeasurementError(kind.name, self.name, failed.error, failed.trace) from (
                failed.error
            )
        except Exception as error:
            raise MeasurementError(kind.name, self.name, error) from error


def _check_task(task: object, args: tuple[object, ...]) -> None:
    if not callable(task) and not isinstance(task, Statement):
        raise TypeError(f"task must be callable or a gildemo.Statement, not {type(task).__name__}")
    if args and isinstance(task, Statement):
        raise TypeError("a gildemo.Statement takes no arguments: put them into its setup")


def _resolve(
    executors: Iterable[str | ExecutorKind],
) -> tuple[list[ExecutorKind], dict[str, str]]:
    """Return the kinds that this Python has, and the reasons why it does not have the others."""
    if isinstance(executors, str):
        raise TypeError(f"executors must be a list of names, not {executors!r}")
    resolved = [kinds.resolve(executor) for executor in executors]
    unavailable = {k.name: k.unavailable for k in resolved if k.unavailable is not None}
    available = [kind for kind in resolved if kind.unavailable is None]
    names = [kind.name for kind in available]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"executor {name!r} is named twice")
    if not available:
        reasons = "; ".join(unavailable.values()) or "none was given"
        raise ValueError(f"there is no executor to measure under: {reasons}")
    return available, unavailable


def not_negative(name: str, value: float) -> float:
    """Check an argument in seconds. Raises a ValueError that names the argument."""
    if not (value >= 0 and math.isfinite(value)):
        raise ValueError(f"{name} must be 0 or more seconds, not {value}")
    return value
