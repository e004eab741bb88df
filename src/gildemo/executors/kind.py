"""ExecutorKind: a name and a factory of a `concurrent.futures.Executor`."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from dataclasses import dataclass

from gildemo.executors import child_processes, signals


@dataclass(frozen=True)
class ExecutorKind:
    """A way to run tasks side by side.

    name: how results and messages call it. factory: takes the number of workers.
    concurrent: False if it runs one task after another in the caller's thread.
    pickles: True if tasks are sent to its workers by pickle. handles_blocked_signals: True if its workers
    may be started with Ctrl-C and SIGTERM blocked, as they let them in when they are ready.
    unavailable: why it can't be used in this Python, or None.
    """

    name: str
    factory: Callable[[int], Executor]
    concurrent: bool = True
    pickles: bool = False
    handles_blocked_signals: bool = False
    unavailable: str | None = None

    @contextlib.contextmanager
    def open(self, workers: int) -> Iterator[Executor]:
        """Create an executor, and leave no worker of it behind.

        When the body raises TimeoutError, or is interrupted, its processes are ended, and also
        when they don't end by themselves. Threads can't be ended from outside: those that still
        run are then left to finish alone.
        """
        before = child_processes.children()
        executor = self.factory(workers)
        try:
            yield executor
        except BaseException as error:
            impatient = isinstance(error, TimeoutError) or not isinstance(error, Exception)
            with signals.blocked():
                started = [child for child in child_processes.children() if child not in before]
                child_processes.end(started)
                executor.shutdown(wait=bool(started) or not impatient, cancel_futures=True)
            raise
        _shut_down(executor, [child for child in child_processes.children() if child not in before])


def _shut_down(executor: Executor, processes: list[child_processes.BaseProcess]) -> None:
    """Shut it down, also if its workers don't end, as their tasks left threads running there."""
    closing = threading.Thread(target=executor.shutdown, name="shutdown", daemon=True)
    closing.start()
    closing.join(child_processes.GRACE)
    if closing.is_alive() and processes:
        for process in processes:
            child_processes.send_signal(process, signal.SIGKILL)
        closing.join()
