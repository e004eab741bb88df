"""One measurement: the workers of one executor start a task at the same time."""

from __future__ import annotations

import concurrent.futures
import contextlib
import dataclasses
import importlib.util
import os
import pickle
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from typing import Any

from gildemo import executors
from gildemo.executors import ExecutorKind, signals
from gildemo.executors.barrier import Barrier
from gildemo.executors.worker import Batch, Results, Work, why_unpicklable
from gildemo.monitor import GilMonitor

# Sending the task is timed at most this many times, and for about this many seconds at most.
_MOST_SENDINGS = 100
_SENDING_SECONDS = 0.02


class UnpicklableTaskError(ValueError):
    """A task can't be sent to another process or interpreter by pickle."""


class TimedOutError(TimeoutError):
    """A measurement took longer than the timeout."""


@dataclasses.dataclass(frozen=True)
class Measurement:
    """One round of one executor. Times are in seconds."""

    startup: float  # from creating the executor until every worker is ready
    wall: float  # from the common start of the workers until the last result
    # CPU time of a worker, on average. It includes the threads that the task started, unless
    # the worker shared its process with others.
    cpu: float
    sending: float | None = None  # to send the task to a worker and its result back, if measured
    unsendable: str | None = None  # why the result can't be sent back


def measure(
    kind: ExecutorKind,
    work: Work,
    number: int,
    workers: int,
    timeout: float | None = None,
    monitor: GilMonitor | None = None,
    sending: bool = False,
) -> Measurement:
    """Start an executor, and run `number` calls of the task on each worker.

    timeout: seconds for the whole measurement.
    monitor: watches the calls, but not the startup.
    sending: whether to time sending the task as well.

    Raises TimedOutError, UnpicklableTaskError, and what the workers raise.
    """
    if kind.pickles:
        work = picklable(work)
    deadline = None if timeout is None else time.monotonic() + timeout
    try:
        with _same_folder(), _no_result_kept():
            if kind.concurrent:
                return _at_once(kind, work, number, workers, deadline, monitor, sending)
            # With a timeout, the calls run in another thread: this thread could not abandon them.
            opened = kind if timeout is None else executors.resolve("threads")
            return _in_turn(opened, work, number, workers, deadline)
    except TimeoutError as error:
        if timeout is None:
            raise
        raise TimedOutError(
            f"it did not end within {timeout:g} s: allow more time, or give it less to do"
        ) from error


def _in_turn(
    kind: ExecutorKind, work: Work, number: int, workers: int, deadline: float | None
) -> Measurement:
    """Run the calls of all workers one after another."""
    began = time.perf_counter()
    with kind.open(1) as executor:
        startup = time.perf_counter() - began
        batches = [
            executor.submit(work.run, number).result(_left(deadline)) for _ in range(workers)
        ]
    cpu = statistics.fmean(batch.process_cpu for batch in batches)
    return Measurement(startup, sum(batch.seconds for batch in batches), cpu)


def _at_once(
    kind: ExecutorKind,
    work: Work,
    number: int,
    workers: int,
    deadline: float | None,
    monitor: GilMonitor | None,
    sending: bool,
) -> Measurement:
    """Run the calls of all workers at the same time."""
    began = time.perf_counter()
    with kind.open(workers) as executor:
        # An executor starts its workers when it gets its first tasks.
        with signals.blocked() if kind.handles_blocked_signals else contextlib.nullcontext():
            _run_together(executor, work, 0, workers, deadline)
        startup = time.perf_counter() - began
        with monitor or contextlib.nullcontext():
            wall, batches = _run_together(executor, work, number, workers, deadline)
        alone = len({batch.pid for batch in batches}) == workers
        measured = Measurement(
            startup, wall, statistics.fmean(b.process_cpu if alone else b.cpu for b in batches)
        )
        if not sending:
            return measured
        if kind.pickles:
            unsendable = executor.submit(work.why_unsendable).result(_left(deadline))
            if unsendable:
                return dataclasses.replace(measured, unsendable=unsendable)
        cost = _sending(executor, work, deadline)
        return dataclasses.replace(measured, sending=cost)


def picklable(work: Work) -> Work:
    """Return the work in a form that can be pickled, by cloudpickle if pickle can't.

    Raises UnpicklableTaskError. Without this check, each executor would fail later, and in its own
    way.
    """
    why = why_unpicklable(work)
    if why is None and _is_of_a_console(work.task):
        why = "it is defined in an interactive session, which workers can't import"
    if why is None:
        return work
    if importlib.util.find_spec("cloudpickle") is None:
        raise UnpicklableTaskError(
            f"the task or its arguments can't be pickled ({why}); use a function that is defined "
            "at the top level of a module, or a gildemo.Statement, or install cloudpickle"
        )
    work = _CloudpickledWork(work.task, work.args)
    why = why_unpicklable(work)
    if why is None:
        return work
    raise UnpicklableTaskError(
        f"the task or its arguments can't be pickled, not even by cloudpickle ({why})"
    )


def _is_of_a_console(task: object) -> bool:
    """Return whether the task is defined in an interactive session.

    A spawned worker would look for it in a file.
    """
    return getattr(task, "__module__", None) == "__main__" and not hasattr(
        sys.modules["__main__"], "__file__"
    )


class _CloudpickledWork(Work):
    """Work that needs cloudpickle: a lambda, a closure, or a function defined in the REPL."""

    def __reduce__(self) -> tuple[Any, ...]:
        import cloudpickle

        return pickle.loads, (cloudpickle.dumps(Work(self.task, self.args)),)


@contextlib.contextmanager
def _same_folder() -> Iterator[None]:
    """Restore the current folder if the task changes it in this process."""
    try:
        folder = os.open(".", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        yield
        return
    try:
        yield
    finally:
        os.fchdir(folder)
        os.close(folder)


@contextlib.contextmanager
def _no_result_kept() -> Iterator[None]:
    try:
        yield
    finally:
        Results.last = None


def _run_together(
    executor: concurrent.futures.Executor,
    work: Work,
    number: int,
    workers: int,
    deadline: float | None,
) -> tuple[float, list[Batch]]:
    """Run `number` calls on each worker, from a common start; return the wall time in seconds.

    No worker leaves the barrier before all have arrived, so each worker takes exactly one part of
    the work.
    """
    with Barrier(workers) as barrier:
        futures = [executor.submit(work.run, number, barrier.handle) for _ in range(workers)]
        barrier.wait(lambda: _check(futures, deadline))
        began = time.perf_counter()
        barrier.release()
        done, running = concurrent.futures.wait(
            futures, _left(deadline), return_when=concurrent.futures.FIRST_EXCEPTION
        )
        wall = time.perf_counter() - began
        for future in done:
            future.result()
        if running:
            raise TimeoutError
    return wall, [future.result() for future in futures]


def _left(deadline: float | None) -> float | None:
    return None if deadline is None else max(0.0, deadline - time.monotonic())


def _check(futures: Sequence[concurrent.futures.Future[Batch]], deadline: float | None) -> None:
    """Raise what a worker raised before it reached the barrier, or TimeoutError."""
    for future in futures:
        if future.done():
            future.result()
            raise RuntimeError("a worker returned before it reached the barrier")
    if deadline is not None and time.monotonic() > deadline:
        raise TimeoutError


def _sending(executor: concurrent.futures.Executor, work: Work, deadline: float | None) -> float:
    """Return the seconds that it takes to send the task to a worker and its result back.

    The worker does not call the task again: it sends the result that it kept.
    """
    times: list[float] = []
    until = time.perf_counter() + _SENDING_SECONDS
    while not times or (len(times) < _MOST_SENDINGS and time.perf_counter() < until):
        began = time.perf_counter()
        executor.submit(work.give_back).result(_left(deadline))
        times.append(time.perf_counter() - began)
    return statistics.median(times)
