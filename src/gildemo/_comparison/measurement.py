"""One measurement: a task on the workers of one executor, from a common start."""

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
from gildemo.executors.barrier import Rendezvous
from gildemo.executors.worker import Batch, Results, Work, not_picklable
from gildemo.monitor import GilMonitor

# How often, and for how many seconds, to time what it costs to send the task.
_MOST_SENDINGS = 100
_SENDING_SECONDS = 0.02


class UnpicklableTaskError(ValueError):
    """A task can't be sent to another process or interpreter."""


class TimedOutError(TimeoutError):
    """A measurement took longer than it may."""


@dataclasses.dataclass(frozen=True)
class Measurement:
    """What one round of one executor took, in seconds.

    startup: to create the executor and to have every worker ready. wall: from the common start
    of the workers until the last result. cpu: CPU time of a worker on average, with the
    threads that the task started, unless it shared its process with other workers. sending: to
    send the task to a worker and its result back, or None; unsendable: why it can't be sent.
    """

    startup: float
    wall: float
    cpu: float
    sending: float | None = None
    unsendable: str | None = None


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

    The monitor watches the calls, and not the start-up. Raises TimedOutError,
    UnpicklableTaskError, and what the workers raise.
    """
    if kind.pickles:
        work = picklable(work)
    deadline = None if timeout is None else time.monotonic() + timeout
    try:
        with _same_folder(), _no_result_kept():
            if kind.concurrent:
                return _at_once(kind, work, number, workers, deadline, monitor, sending)
            # Only what runs in another thread can be given up.
            opened = kind if timeout is None else executors.resolve("threads")
            return _in_turn(opened, work, number, workers, deadline)
    except TimeoutError as error:
        if timeout is None:
            raise
        raise TimedOutError(f"it did not end within {timeout:g} s") from error


def _in_turn(
    kind: ExecutorKind, work: Work, number: int, workers: int, deadline: float | None
) -> Measurement:
    """Run `number` calls as often as there would be workers."""
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
    """Run `number` calls on each worker."""
    began = time.perf_counter()
    with kind.open(workers) as executor:
        # The first tasks make the executor start its workers.
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
            unsendable = executor.submit(work.why_not_to_be_sent).result(_left(deadline))
            if unsendable:
                return dataclasses.replace(measured, unsendable=unsendable)
        cost = _sending(executor, work, deadline)
        return dataclasses.replace(measured, sending=cost)


def picklable(work: Work) -> Work:
    """The work in a form that can be pickled. Raises UnpicklableTaskError if there is none.

    An executor would tell it later, and each in another way.
    """
    why = not_picklable(work)
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
    why = not_picklable(work)
    if why is None:
        return work
    raise UnpicklableTaskError(
        f"the task or its arguments can't be pickled, not even by cloudpickle ({why})"
    )


def _is_of_a_console(task: object) -> bool:
    """Whether it has a name that a worker which is spawned does not find, as it is in no file."""
    return getattr(task, "__module__", None) == "__main__" and not hasattr(
        sys.modules["__main__"], "__file__"
    )


class _CloudpickledWork(Work):
    """Work that pickle alone can't send: a lambda, a closure, a function of the command line."""

    def __reduce__(self) -> tuple[Any, ...]:
        import cloudpickle

        return pickle.loads, (cloudpickle.dumps(Work(self.task, self.args)),)


@contextlib.contextmanager
def _same_folder() -> Iterator[None]:
    """Undo it if the task, in this process, changes the current folder."""
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
    """Run `number` calls on each worker, from a common start; return the wall time, in seconds.

    The workers meet first, which no worker can leave before all are there, so each of them gets
    exactly one part of the work.
    """
    with Rendezvous(workers) as rendezvous:
        futures = [executor.submit(work.run, number, rendezvous.ticket) for _ in range(workers)]
        rendezvous.wait(lambda: _check(futures, deadline))
        began = time.perf_counter()
        rendezvous.release()
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
    """Raise what a worker raised that failed before the rendezvous, or TimeoutError."""
    for future in futures:
        if future.done():
            future.result()
            raise RuntimeError("a worker ended its part before the others had begun")
    if deadline is not None and time.monotonic() > deadline:
        raise TimeoutError


def _sending(executor: concurrent.futures.Executor, work: Work, deadline: float | None) -> float:
    """The seconds to send the task to a worker and to get its result, which is there by now."""
    times: list[float] = []
    until = time.perf_counter() + _SENDING_SECONDS
    while not times or (len(times) < _MOST_SENDINGS and time.perf_counter() < until):
        began = time.perf_counter()
        executor.submit(work.give_back).result(_left(deadline))
        times.append(time.perf_counter() - began)
    return statistics.median(times)
