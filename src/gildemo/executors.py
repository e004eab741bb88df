"""The kinds of executor: each is a name and a factory of a `concurrent.futures.Executor`."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from gildemo import signals

if TYPE_CHECKING:
    from multiprocessing.process import BaseProcess

_P = ParamSpec("_P")
_T = TypeVar("_T")

# How long a process may take to end by itself after SIGTERM, in seconds.
_GRACE = 1.0


@dataclass(frozen=True)
class ExecutorKind:
    """A way to run tasks side by side.

    name: how results and messages call it. factory: takes the number of workers.
    concurrent: False if it runs one task after another in the caller's thread.
    pickles: True if tasks are sent to its workers by pickle. holds_signals: True if its workers
    may be started with Ctrl-C and SIGTERM blocked, as they let them in when they are ready.
    unavailable: why it can't be used in this Python, or None.
    """

    name: str
    factory: Callable[[int], Executor]
    concurrent: bool = True
    pickles: bool = False
    holds_signals: bool = False
    unavailable: str | None = None

    @contextlib.contextmanager
    def open(self, workers: int) -> Iterator[Executor]:
        """Create an executor, and leave no worker of it behind.

        When the body raises TimeoutError, or is interrupted, its processes are ended, and also
        when they don't end by themselves. Threads can't be ended from outside: those that still
        run are then left to finish alone.
        """
        before = children()
        executor = self.factory(workers)
        try:
            yield executor
        except BaseException as error:
            impatient = isinstance(error, TimeoutError) or not isinstance(error, Exception)
            with signals.held():
                started = [child for child in children() if child not in before]
                end(started)
                executor.shutdown(wait=bool(started) or not impatient, cancel_futures=True)
            raise
        _shut_down(executor, [child for child in children() if child not in before])


def _shut_down(executor: Executor, processes: list[BaseProcess]) -> None:
    """Shut it down, also if its workers don't end, as their tasks left threads running there."""
    closing = threading.Thread(target=executor.shutdown, name="shutdown", daemon=True)
    closing.start()
    closing.join(_GRACE)
    if closing.is_alive() and processes:
        for process in processes:
            _signal(process, signal.SIGKILL)
        closing.join()


class SerialExecutor(Executor):
    """Runs a task when it is submitted, in the thread that submits it: the base line."""

    def submit(self, fn: Callable[_P, _T], /, *args: _P.args, **kwargs: _P.kwargs) -> Future[_T]:
        future: Future[_T] = Future()
        future.set_running_or_notify_cancel()
        try:
            result = fn(*args, **kwargs)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            future.set_exception(error)
        else:
            future.set_result(result)
        return future


def children() -> list[BaseProcess]:
    """The child processes that multiprocessing knows of, if it is in use at all."""
    if "multiprocessing" not in sys.modules:
        return []
    from multiprocessing import active_children

    return active_children()


def _signal(process: BaseProcess, signum: int) -> None:
    """Send a signal to a worker and to what its task has started."""
    assert process.pid is not None
    try:
        os.killpg(process.pid, signum)
    except (ProcessLookupError, PermissionError):
        # It is not, or not yet, the leader of a group: worker.initialize_process().
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, signum)


def end(processes: list[BaseProcess]) -> None:
    """End child processes: politely, so that their tasks clean up, and then surely."""
    for process in processes:
        _signal(process, signal.SIGTERM)
    deadline = time.monotonic() + _GRACE
    for process in processes:
        process.join(max(0.0, deadline - time.monotonic()))
    for process in processes:
        if process.is_alive():
            _signal(process, signal.SIGKILL)
            process.join()


def _serial(workers: int) -> Executor:
    return SerialExecutor()


def _thread(workers: int) -> Executor:
    from concurrent.futures import ThreadPoolExecutor

    return ThreadPoolExecutor(workers, thread_name_prefix="worker")


def _process(workers: int, start_method: str | None = None) -> Executor:
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor

    from gildemo.worker import initialize_process

    return ProcessPoolExecutor(
        workers,
        mp_context=multiprocessing.get_context(start_method),
        initializer=initialize_process,
    )


def process(start_method: str | None = None) -> ExecutorKind:
    """The kind for processes that are started by "fork", "spawn" or "forkserver".

    None is the platform's default. Raises ValueError for a method that it does not have.
    """
    if start_method is None:
        return ExecutorKind("process", _process, pickles=True, holds_signals=True)
    import multiprocessing

    known = multiprocessing.get_all_start_methods()
    if start_method not in known:
        raise ValueError(f"unknown start method {start_method!r}: use one of {', '.join(known)}")
    return ExecutorKind(
        f"process:{start_method}",
        lambda workers: _process(workers, start_method),
        pickles=True,
        holds_signals=True,
    )


def forks(kind: ExecutorKind) -> bool:
    """Whether its workers are copies of this process, without its other threads."""
    if kind.name != "process":
        return kind.name == "process:fork"
    from multiprocessing import get_start_method

    return get_start_method() == "fork"


_NO_INTERPRETERS = (
    "InterpreterPoolExecutor needs Python 3.14 or later, and this is "
    f"{sys.version_info.major}.{sys.version_info.minor}"
)


def _interpreter(workers: int) -> Executor:
    if sys.version_info >= (3, 14):
        from concurrent.futures import InterpreterPoolExecutor

        from gildemo.worker import set_path

        return InterpreterPoolExecutor(
            workers,
            thread_name_prefix="interpreter",
            initializer=set_path,
            initargs=(tuple(sys.path),),
        )
    raise RuntimeError(_NO_INTERPRETERS)


_KINDS = {
    "serial": ExecutorKind("serial", _serial, concurrent=False),
    "thread": ExecutorKind("thread", _thread),
    "process": process(),
    "interpreter": ExecutorKind(
        "interpreter",
        _interpreter,
        pickles=True,
        unavailable=None if sys.version_info >= (3, 14) else _NO_INTERPRETERS,
    ),
}

NAMES = tuple(_KINDS)

# Those that this Python has.
AVAILABLE = tuple(name for name, kind in _KINDS.items() if kind.unavailable is None)


def resolve(executor: str | ExecutorKind) -> ExecutorKind:
    """The kind of a name: serial, thread, process, process:START_METHOD or interpreter.

    A kind of one's own is returned as it is. Raises ValueError for an unknown name.
    """
    if isinstance(executor, ExecutorKind):
        return executor
    name, _, start_method = executor.partition(":")
    if name == "process" and start_method:
        return process(start_method)
    if executor not in _KINDS:
        raise ValueError(
            f"unknown executor {executor!r}: use serial, thread, process, process:START_METHOD or "
            "interpreter"
        )
    return _KINDS[executor]


def usable_cpus() -> int:
    """How many CPUs this process may use: its affinity, not the size of the machine."""
    if sys.version_info >= (3, 13):
        return os.process_cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
