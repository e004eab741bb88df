"""ExecutorKind: a name and a factory of a `concurrent.futures.Executor`."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gildemo.executors import child_processes, signals

if TYPE_CHECKING:
    from multiprocessing.process import BaseProcess


@dataclass(frozen=True)
class ExecutorKind:
    """A way to run tasks side by side."""

    name: str  # in results and messages
    factory: Callable[[int], Executor]  # takes the number of workers
    concurrent: bool = True  # False: runs one task after another in the caller's thread
    pickles: bool = False  # sends tasks to its workers by pickle
    # Its workers can be started with Ctrl-C and SIGTERM blocked: they unblock the signals when they
    # are ready.
    handles_blocked_signals: bool = False
    unavailable: str | None = None  # why this Python can't use it

    @contextlib.contextmanager
    def open(self, workers: int) -> Iterator[Executor]:
        """Create an executor, and end all its workers afterwards.

        Its processes are ended if the body raises TimeoutError or is interrupted, and also if they
        don't end by themselves. Threads can't be ended from outside: those that still run after a
        timeout continue to run.
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


def _shut_down(executor: Executor, processes: list[BaseProcess]) -> None:
    """Shut down an executor, even if threads that tasks left running keep its processes alive."""
    closing = threading.Thread(target=executor.shutdown, name="shutdown", daemon=True)
    closing.start()
    closing.join(child_processes.GRACE)
    if closing.is_alive() and processes:
        for process in processes:
            child_processes.send_signal(process, signal.SIGKILL)
        closing.join()
