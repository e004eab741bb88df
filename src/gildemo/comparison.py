"""compare(): one task under several kinds of executor, round by round."""

from __future__ import annotations

import concurrent.futures
import contextlib
import pickle
import platform
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from gildemo import executors as kinds
from gildemo import verdict
from gildemo._core import GilMonitorUnavailable
from gildemo.executors import ExecutorKind
from gildemo.monitor import GilMonitor, GilRecord
from gildemo.result import Comparison, ExecutorResult, Spread
from gildemo.worker import Rendezvous, Statement, Work

Progress = Callable[[int, int, str], None]


class MeasurementError(RuntimeError):
    """A task could not be measured under an executor; `__cause__` is what happened there.

    executor, task: their names.
    """

    def __init__(self, executor: str, task: str, cause: BaseException) -> None:
        super().__init__(f"{task!r} failed under executor {executor!r}: {_explain(cause)}")
        self.executor = executor
        self.task = task

    def __reduce__(self) -> tuple[object, ...]:
        cause = self.__cause__ or RuntimeError("unknown")
        return type(self), (self.executor, self.task, cause)


class UnpicklableTaskError(ValueError):
    """A task can't be sent to another process or interpreter."""


def _explain(error: BaseException) -> str:
    if isinstance(error, concurrent.futures.BrokenExecutor):
        return "a worker ended before its task did (was it killed, or did it call os._exit?)"
    if isinstance(error, TimeoutError) and not error.args:
        return "it did not end in time"
    return f"{type(error).__name__}: {error}"


@dataclass
class _Times:
    startups: list[float] = field(default_factory=list)
    walls: list[float] = field(default_factory=list)


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
        number: int = 1,
        timeout: float | None = None,
    ) -> None:
        if not callable(task) and not isinstance(task, Statement):
            raise TypeError(
                f"task must be callable or a gildemo.Statement, not {type(task).__name__}"
            )
        if workers is None:
            workers = max(2, kinds.usable_cpus())
        for what, value in (("workers", workers), ("number", number)):
            if value < 1:
                raise ValueError(f"{what} must be 1 or more, not {value}")
        self.work = Work(task, args)
        self.name = name or getattr(task, "__name__", None) or str(task)
        self.workers = workers
        self.number = number
        self.timeout = timeout
        resolved = [kinds.resolve(executor) for executor in executors]
        self.unavailable = {k.name: k.unavailable for k in resolved if k.unavailable is not None}
        self.kinds = [kind for kind in resolved if kind.unavailable is None]
        if len({kind.name for kind in self.kinds}) < len(self.kinds):
            raise ValueError("an executor is named twice")
        if not self.kinds:
            reasons = "; ".join(self.unavailable.values()) or "none was given"
            raise ValueError(f"there is no executor to measure under: {reasons}")
        self._times = {kind.name: _Times() for kind in self.kinds}
        self._steps = 0
        self._gil: GilRecord | None = None
        self._gil_unavailable = "the threads were not monitored"

    @property
    def rounds(self) -> int:
        """How many rounds are complete."""
        return self._steps // len(self.kinds)

    def step(self) -> str:
        """Measure the next executor once; return its name. Raises MeasurementError.

        Rounds take the executors in rotating order, so that drift of the machine and what one
        leaves behind for the next (a warm cache, a hot CPU) are not always to the same one's
        benefit.
        """
        round_, place = divmod(self._steps, len(self.kinds))
        kind = self.kinds[(round_ + place) % len(self.kinds)]
        try:
            startup, wall = _measure(kind, self.work, self.number, self.workers, self.timeout)
        except Exception as error:
            raise MeasurementError(kind.name, self.name, error) from error
        self._times[kind.name].startups.append(startup)
        self._times[kind.name].walls.append(wall)
        self._steps += 1
        return kind.name

    def monitor(self) -> None:
        """Run the task once more in threads, unmeasured, under a GilMonitor.

        Where that can't be had, the comparison says why. Raises MeasurementError.
        """
        kind = kinds.resolve("thread")
        monitor = GilMonitor()
        try:
            _measure(kind, self.work, self.number, self.workers, self.timeout, monitor)
        except GilMonitorUnavailable as error:
            self._gil_unavailable = str(error)
        except Exception as error:
            raise MeasurementError(kind.name, self.name, error) from error
        else:
            self._gil = monitor.record

    def comparison(self) -> Comparison | None:
        """What the complete rounds say, or None if there is none yet."""
        rounds = self.rounds
        if rounds == 0:
            return None
        walls = {name: times.walls[:rounds] for name, times in self._times.items()}
        answer, reason, thread_process_ratio = verdict.decide(walls)
        return Comparison(
            task=self.name,
            workers=self.workers,
            calls=self.number,
            rounds=rounds,
            cpus=kinds.usable_cpus(),
            python=platform.python_version(),
            executors={name: self._result(name, walls) for name in walls},
            thread_process_ratio=thread_process_ratio,
            verdict=answer,
            reason=reason,
            gil_enabled=getattr(sys, "_is_gil_enabled", lambda: True)(),
            unavailable=self.unavailable,
            gil=self._gil,
            gil_unavailable=None if self._gil else self._gil_unavailable,
        )

    def _result(self, name: str, walls: dict[str, list[float]]) -> ExecutorResult:
        speedup = efficiency = None
        if "serial" in walls:
            speedup = verdict.ratio(walls["serial"], walls[name]).median
            efficiency = speedup / min(self.workers, kinds.usable_cpus())
        return ExecutorResult(
            wall=Spread.of(walls[name]),
            startup=Spread.of(self._times[name].startups[: self.rounds]),
            speedup=speedup,
            efficiency=efficiency,
            walls=tuple(walls[name]),
        )


def compare(
    task: Callable[..., object] | Statement,
    *args: object,
    workers: int | None = None,
    executors: Iterable[str | ExecutorKind] = kinds.NAMES,
    rounds: int = 5,
    monitor: bool = True,
    timeout: float | None = None,
    progress: Progress | None = None,
) -> Comparison:
    """Run `task(*args)` under several executors, `workers` at once, and compare the wall times.

    task: a callable that can be pickled (for processes and subinterpreters), or a Statement.
    workers: default one for each CPU that this process may use, at least 2. executors: names
    (serial, thread, process, process:START_METHOD, interpreter) or ExecutorKinds; those that
    this Python does not have are listed in the result's `unavailable`. rounds: how often each
    is measured. monitor: whether to run the threads once more, unmeasured, under a GilMonitor,
    for the result's `gil`. timeout: seconds that one measurement may take; a serial call is
    not cut short, but looked at when it ends. progress: called with the steps done, the steps in
    all, and the name of the executor just measured.

    Raises MeasurementError if the task fails, TypeError or ValueError for a bad argument.
    """
    if rounds < 1:
        raise ValueError(f"rounds must be 1 or more, not {rounds}")
    experiment = Experiment(task, *args, workers=workers, executors=executors, timeout=timeout)
    steps = rounds * len(experiment.kinds)
    for done in range(1, steps + 1):
        name = experiment.step()
        if progress is not None:
            progress(done, steps, name)
    if monitor and any(kind.name == "thread" for kind in experiment.kinds):
        experiment.monitor()
    comparison = experiment.comparison()
    assert comparison is not None
    return comparison


def _measure(
    kind: ExecutorKind,
    work: Work,
    number: int,
    workers: int,
    timeout: float | None,
    monitor: GilMonitor | None = None,
) -> tuple[float, float]:
    """Start an executor and run `number` calls on each worker: (startup, wall) in seconds.

    The monitor watches the calls, and not the start-up.
    """
    if kind.pickles:
        _check_picklable(work)
    deadline = None if timeout is None else time.monotonic() + timeout
    began = time.perf_counter()
    with kind.open(workers) as executor:
        if not kind.concurrent:
            executor.submit(work.run, 0).result()
            startup = time.perf_counter() - began
            return startup, _run_in_turn(executor, work, number, workers, deadline)
        _run_together(executor, work, 0, workers, deadline)
        startup = time.perf_counter() - began
        with monitor or contextlib.nullcontext():
            return startup, _run_together(executor, work, number, workers, deadline)


def _run_in_turn(
    executor: concurrent.futures.Executor,
    work: Work,
    number: int,
    workers: int,
    deadline: float | None,
) -> float:
    """Run `number` calls as often as there would be workers: return the seconds in all."""
    seconds = 0.0
    for _ in range(workers):
        seconds += executor.submit(work.run, number).result()
        if deadline is not None and time.monotonic() > deadline:
            raise TimeoutError
    return seconds


def _check_picklable(work: Work) -> None:
    """Find out here: an executor would tell it later, and each in another way."""
    try:
        pickle.dumps(work)
    except Exception as error:
        raise UnpicklableTaskError(
            f"the task or its arguments can't be pickled ({error}); use a function that is "
            "defined at the top level of a module, or a gildemo.Statement"
        ) from error


def _run_together(
    executor: concurrent.futures.Executor,
    work: Work,
    number: int,
    workers: int,
    deadline: float | None,
) -> float:
    """Run `number` calls on each worker, from a common start: return the wall time in seconds.

    The workers meet first, which no worker can leave before all are there, so each of them gets
    exactly one part of the work.
    """
    with Rendezvous(workers) as rendezvous:
        futures = [executor.submit(work.run, number, rendezvous.ticket) for _ in range(workers)]
        rendezvous.wait(lambda: _check(futures, deadline))
        began = time.perf_counter()
        rendezvous.release()
        left = None if deadline is None else max(0.0, deadline - time.monotonic())
        done, running = concurrent.futures.wait(
            futures, left, return_when=concurrent.futures.FIRST_EXCEPTION
        )
        wall = time.perf_counter() - began
        for future in done:
            future.result()
        if running:
            raise TimeoutError
    return wall


def _check(futures: Sequence[concurrent.futures.Future[float]], deadline: float | None) -> None:
    """Raise what a worker raised that failed before the rendezvous, or TimeoutError."""
    for future in futures:
        if future.done():
            future.result()
    if deadline is not None and time.monotonic() > deadline:
        raise TimeoutError
