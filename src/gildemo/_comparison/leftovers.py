"""What a task leaves running in the process that measures."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from gildemo._comparison.errors import LeftRunningError
from gildemo.executors import ExecutorKind, child_processes
from gildemo.executors.processes import forks

if TYPE_CHECKING:
    from multiprocessing.process import BaseProcess


class Leftovers:
    """Finds threads and processes that a task leaves running, and adds warnings to a list."""

    def __init__(self, warnings: list[str]) -> None:
        self._warnings = warnings
        self._threads = ""  # the names of the first threads that were left running

    @contextlib.contextmanager
    def check(self, kind: ExecutorKind, calls: int) -> Iterator[None]:
        """Find what the task leaves running after `calls` calls in the body.

        Raises LeftRunningError.
        """
        if self._threads and forks(kind):
            raise LeftRunningError(
                f"the task left threads running ({self._threads}), and a process forked while "
                "threads run can hang: use processes:spawn instead of processes "
                "(--executors serial,threads,processes:spawn)"
            )
        threads, processes = set(threading.enumerate()), set(child_processes.children())
        yield
        self._check_threads(set(threading.enumerate()) - threads, calls)
        self._check_processes(set(child_processes.children()) - processes)

    def _check_threads(self, left: set[threading.Thread], calls: int) -> None:
        """Allow a task to start threads once, as a pool does, but not with each call."""
        if not left:
            return
        names = _first_names(left)
        if self._threads and len(left) >= calls:
            raise LeftRunningError(
                f"each call leaves a thread running ({names}), which slows down everything that "
                "is measured later: join it before the task returns"
            )
        if not self._threads:
            self._threads = names
            self._warnings.append(
                f"the task left a thread running ({names}), so later measurements may have taken "
                "longer"
            )

    def _check_processes(self, left: set[BaseProcess]) -> None:
        """End processes of multiprocessing, because Python would wait for them when it exits."""
        if not left:
            return
        child_processes.end(list(left))
        warning = "the task left a process running, which was ended"
        if not any(text.startswith(warning) for text in self._warnings):
            self._warnings.append(f"{warning} ({_first_names(left)})")


def _first_names(left: Iterable[threading.Thread | BaseProcess]) -> str:
    return ", ".join(sorted(thread_or_process.name for thread_or_process in left)[:3])
