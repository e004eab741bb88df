"""Experiment: a task, the executors to run it under, and what has been measured so far."""

from __future__ import annotations

import concurrent.futures
import contextlib
import dataclasses
import math
import platform
import sys
import threading
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from statistics import median
from typing import TYPE_CHECKING

from gildemo import executors as kinds
from gildemo._comparison import verdict
from gildemo._comparison.explanation import reason
from gildemo._comparison.measurement import Measurement, TimedOutError, measure
from gildemo._comparison.results import Comparison, ExecutorResult, Spread
from gildemo._core import GilMonitorUnavailable
from gildemo.executors import ExecutorKind, child_processes, processes
from gildemo.executors.worker import TaskFailedError, Work, describe
from gildemo.monitor import GilMonitor, GilRecord
from gildemo.statement import Statement

if TYPE_CHECKING:
    from multiprocessing.process import BaseProcess

# Calibration makes at most so many times as many calls as before, as the first may be slow.
_STEP = 10
_MOST_CALLS = 10**9

# Some thirty years: what is longer, locks and timers may refuse.
_LONGEST_TIMEOUT = 1e9


class MeasurementError(RuntimeError):
    """A task could not be measured under an executor; `__cause__` is what happened there.

    executor, task: their names. trace: the traceback of the task, from its own frames, or "".
    """

    def __init__(self, executor: str, task: str, cause: BaseException, trace: str = "") -> None:
        super().__init__(f"{task!r} failed under executor {executor!r}: {_explain(cause)}")
        self.executor = executor
        self.task = task
        self.trace = trace

    def __reduce__(self) -> tuple[object, ...]:
        cause = self.__cause__ or RuntimeError("unknown")
        return type(self), (self.executor, self.task, cause, self.trace)


class LeftRunningError(RuntimeError):
    """A task leaves threads running, with which the rest can't be measured."""


def _explain(error: BaseException) -> str:
    if isinstance(error, concurrent.futures.BrokenExecutor):
        return (
            "a worker ended before its task did (was it killed, did it call os._exit(), or is "
            "this called from a script without `if __name__ == '__main__':`?)"
        )
    if isinstance(error, TimedOutError):
        return str(error)
    return describe(error)


class Experiment:
    """A task, the executors to run it under, and what has been measured so far.

    Every `step()` measures one executor once. A comparison can be had at any time, so that what
    is already measured survives an interruption.
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
        if not callable(task) and not isinstance(task, Statement):
            raise TypeError(
                f"task must be callable or a gildemo.Statement, not {type(task).__name__}"
            )
        if isinstance(executors, str):
            raise TypeError(f"executors must be a list of names, not {executors!r}")
        if workers is None:
            workers = max(2, kinds.usable_cpus())
        if workers < 1:
            raise ValueError(f"workers must be 1 or more, not {workers}")
        if timeout is not None and not 0 < timeout <= _LONGEST_TIMEOUT:
            raise ValueError(
                f"timeout must be more than 0 seconds, and at most {_LONGEST_TIMEOUT:g}, "
                f"not {timeout:g}"
            )
        if args and isinstance(task, Statement):
            raise TypeError("a gildemo.Statement takes no arguments: put them into its set-up")
        self.work = Work(task, args)
        self.name = name or getattr(task, "__name__", None) or str(task)
        self.workers = workers
        self.number = 1
        self.timeout = timeout
        self.sending = sending
        self.warnings: list[str] = []
        # A context to make each measurement in.
        self.around: Callable[[], AbstractContextManager[None]] = contextlib.nullcontext
        resolved = [kinds.resolve(executor) for executor in executors]
        self.unavailable = {k.name: k.unavailable for k in resolved if k.unavailable is not None}
        self.kinds = [kind for kind in resolved if kind.unavailable is None]
        if len({kind.name for kind in self.kinds}) < len(self.kinds):
            raise ValueError("an executor is named twice")
        if not self.kinds:
            reasons = "; ".join(self.unavailable.values()) or "none was given"
            raise ValueError(f"there is no executor to measure under: {reasons}")
        self._measured: dict[str, list[Measurement]] = {kind.name: [] for kind in self.kinds}
        self._alone: float | None = None
        self._threads_left = ""
        self._gil: GilRecord | None = None
        self._gil_unavailable = "no threads were monitored"

    @property
    def rounds(self) -> int:
        """How many rounds are complete."""
        return min(len(measured) for measured in self._measured.values())

    def calibrate(self, min_time: float, kind: ExecutorKind | None = None) -> None:
        """Let each measurement make so many calls that they take `min_time` seconds one by one.

        As timeit's autorange does, and alike for every executor. kind: where to find that out;
        default: a process, if there is one, as the first call of all may crash or hang. Raises
        MeasurementError.
        """
        not_negative("min_time", min_time)
        if kind is None:
            process = verdict.process_name(self._measured)
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

        Rounds take the executors in rotating order, so that drift of the machine and what one
        leaves behind for the next (a warm cache, a hot CPU) are not always to the same one's
        benefit.
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
            # Many extension modules can't be loaded there, which is no reason to stop.
            self.kinds.remove(kind)
            del self._measured[kind.name]
            self.unavailable[kind.name] = str(error)
        else:
            self._measured[kind.name].append(measured)
        return kind.name

    def _measure(
        self,
        kind: ExecutorKind,
        number: int,
        workers: int,
        monitor: GilMonitor | None = None,
        sending: bool = False,
    ) -> Measurement:
        threads, children = set(threading.enumerate()), set(child_processes.children())
        try:
            if self._threads_left and processes.forks(kind):
                raise LeftRunningError(
                    f"the task left threads running ({self._threads_left}), and a process that is "
                    "forked beside them may hang: use processes:spawn instead of processes "
                    "(--executors serial,threads,processes:spawn)"
                )
            with self.around():
                measured = measure(kind, self.work, number, workers, self.timeout, monitor, sending)
            self._check_threads(set(threading.enumerate()) - threads, number * workers)
            self._check_processes(set(child_processes.children()) - children)
        except GilMonitorUnavailable:
            raise
        except TaskFailedError as failed:
            raise MeasurementError(kind.name, self.name, failed.error, failed.trace) from (
                failed.error
            )
        except Exception as error:
            raise MeasurementError(kind.name, self.name, error) from error
        return measured

    def _check_threads(self, left: set[threading.Thread], calls: int) -> None:
        """A task may start some threads for ever, as for a pool; but not with every call."""
        if not left:
            return
        names = ", ".join(sorted(thread.name for thread in left)[:3])
        if len(left) >= calls and self._threads_left:
            raise LeftRunningError(
                f"each call leaves a thread running ({names}), which then runs beside all that "
                "is measured later: join it before the task returns"
            )
        if not self._threads_left:
            self._threads_left = names
            self.warnings.append(
                f"the task left a thread running ({names}), which may have disturbed what was "
                "measured after it"
            )

    def _check_processes(self, left: set[BaseProcess]) -> None:
        """Those of multiprocessing, for which Python waits when it exits."""
        if not left:
            return
        child_processes.end(list(left))
        names = ", ".join(sorted(process.name for process in left)[:3])
        warning = "the task left a process running, which was ended"
        if not any(text.startswith(warning) for text in self.warnings):
            self.warnings.append(f"{warning} ({names})")

    def monitor(self) -> None:
        """Run the task once more in threads, unmeasured, under a GilMonitor.

        Where that can't be had, the comparison says why. Raises MeasurementError.
        """
        monitor = GilMonitor()
        try:
            self._measure(kinds.resolve("threads"), self.number, self.workers, monitor)
        except GilMonitorUnavailable as error:
            self._gil_unavailable = str(error)
        else:
            self._gil = monitor.record

    def comparison(self) -> Comparison | None:
        """What the complete rounds say, or None if there is none yet."""
        rounds = self.rounds
        if rounds == 0:
            return None
        walls = {
            name: [m.wall / self.number for m in measured[:rounds]]
            for name, measured in self._measured.items()
        }
        call = median(walls["serial"]) / self.workers if "serial" in walls else self._alone
        # Each worker makes one call in a wall time, so it takes that at most.
        about = call or min(median(times) for times in walls.values())
        results = {name: self._result(name, walls) for name in walls}
        sending = {
            name: math.inf if result.unsendable else result.sending or 0.0
            for name, result in results.items()
        }
        decision = verdict.decide(walls, self.workers, about, sending)
        process = verdict.process_name(walls)
        comparison = Comparison(
            task=self.name,
            workers=self.workers,
            calls=self.number,
            call=call,
            rounds=rounds,
            cpus=kinds.usable_cpus(),
            python=platform.python_version(),
            executors=results,
            thread_process_ratio=verdict.ratio(walls["threads"], walls[process])
            if "threads" in walls and process
            else None,
            verdict=decision.verdict,
            reason="",
            gil_enabled=getattr(sys, "_is_gil_enabled", lambda: True)(),
            unavailable=self.unavailable,
            gil=self._gil,
            gil_unavailable=None if self._gil else self._gil_unavailable,
            warnings=tuple(self.warnings),
        )
        return dataclasses.replace(comparison, reason=reason(comparison, decision))

    def _result(self, name: str, walls: dict[str, list[float]]) -> ExecutorResult:
        measured = self._measured[name][: self.rounds]
        wall = Spread.of(walls[name])
        sendings = [m.sending for m in measured if m.sending is not None]
        sending = median(sendings) if sendings else None
        speedup = efficiency = break_even = None
        if "serial" in walls:
            speedup = verdict.ratio(walls["serial"], walls[name]).median
            efficiency = speedup / min(self.workers, kinds.usable_cpus())
            if sending is not None and speedup > 1:
                break_even = sending * max(1.0, 1 / (speedup - 1))
        return ExecutorResult(
            wall=wall,
            startup=Spread.of([m.startup for m in measured]),
            speedup=speedup,
            efficiency=efficiency,
            walls=tuple(walls[name]),
            throughput=self.workers / wall.median,
            cpu=median(m.cpu for m in measured) / self.number,
            sending=sending,
            unsendable=next((m.unsendable for m in measured if m.unsendable), None),
            break_even=break_even,
        )


def not_negative(name: str, value: float) -> float:
    """Check an argument in seconds. Raises ValueError that names it."""
    if not (value >= 0 and math.isfinite(value)):
        raise ValueError(f"{name} must be 0 or more seconds, not {value}")
    return value
