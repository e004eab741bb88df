"""What runs inside a worker, and how the workers of an executor are made to start together.

A worker may be a thread, a process or a subinterpreter, so this module imports little, and
`Rendezvous` needs nothing but the file system: two named pipes are known to all of them.
"""

from __future__ import annotations

import ast
import os
import select
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, NamedTuple

_GO = b"g"
_CALLED_OFF = b"x"


class CalledOffError(RuntimeError):
    """Raised in a worker that waits at a rendezvous which then does not take place."""


class TaskExitError(RuntimeError):
    """Raised in place of the SystemExit of a task, which should end no worker."""


class _TerminatedError(SystemExit):
    """SIGTERM arrived in a worker process."""


class Ticket(NamedTuple):
    """What a worker needs to know to arrive at a rendezvous: the paths of two named pipes."""

    ready: str
    go: str

    def arrive(self) -> None:
        """Say that this worker is ready, and wait until all start. Raises CalledOffError."""
        # Nothing here may block but the last read, as the parent may be gone by now. The pipe to
        # read is opened before the arrival is announced: what is written then can't be missed.
        pipes = []
        try:
            for path, mode in ((self.go, os.O_RDONLY), (self.ready, os.O_WRONLY)):
                pipes.append(os.open(path, mode | os.O_NONBLOCK))
            os.set_blocking(pipes[0], True)
            os.write(pipes[1], b"!")
            started = os.read(pipes[0], 1) == _GO
        except OSError:
            started = False
        finally:
            for pipe in pipes:
                os.close(pipe)
        if not started:
            raise CalledOffError("the measurement was called off before this worker started")


class Rendezvous:
    """A barrier between the parent and `parties` workers of any kind. Use it in a `with`."""

    def __init__(self, parties: int) -> None:
        self._parties = parties
        self._folder = tempfile.mkdtemp(prefix="gildemo-")
        self.ticket = Ticket(str(Path(self._folder, "ready")), str(Path(self._folder, "go")))
        self._pipes: list[int] = []
        self._left = parties

    def __enter__(self) -> Rendezvous:
        try:
            for path in self.ticket:
                os.mkfifo(path, 0o600)
                # Open for both directions, so that neither side blocks to wait for the other.
                self._pipes.append(os.open(path, os.O_RDWR | os.O_NONBLOCK))
        except BaseException:
            self.__exit__()
            raise
        return self

    def wait(self, check: Callable[[], None]) -> None:
        """Return when all have arrived; call `check` now and then, which raises to give up."""
        arrived = 0
        poll = select.poll()
        poll.register(self._pipes[0], select.POLLIN)
        while arrived < self._parties:
            check()
            if poll.poll(50):
                arrived += len(os.read(self._pipes[0], self._parties))

    def release(self) -> None:
        """Let all start. They read a byte each, so no process can miss the end of the file."""
        left, self._left = self._left, 0
        os.write(self._pipes[1], _GO * left)

    def __exit__(self, *exc_info: object) -> None:
        # In this order: who comes later finds no pipes, and does not wait at them.
        shutil.rmtree(self._folder, ignore_errors=True)
        if len(self._pipes) == 2 and self._left:
            os.write(self._pipes[1], _CALLED_OFF * self._left)
        for fd in self._pipes:
            os.close(fd)


@dataclass(frozen=True)
class Statement:
    """Python statements to measure, with a set-up that is not measured, as in `timeit`.

    stmt, setup: source texts. Both run in one function, so their names are local variables,
    and are sent to the workers as texts. Raises SyntaxError if a text is not Python.
    """

    stmt: str
    setup: str = "pass"

    def __post_init__(self) -> None:
        self._compile()

    def __str__(self) -> str:
        return self.stmt if len(self.stmt) <= 60 else self.stmt[:57] + "..."

    def _compile(self) -> CodeType:
        module = ast.parse("def inner(_calls, _begin):\n _begin()\n for _call in _calls: pass")
        function = module.body[0]
        assert isinstance(function, ast.FunctionDef)
        loop = function.body[1]
        assert isinstance(loop, ast.For)
        function.body[:0] = ast.parse(self.setup, "<setup>").body
        loop.body[:] = ast.parse(self.stmt, "<stmt>").body or [ast.Pass()]
        return compile(ast.fix_missing_locations(module), "<stmt>", "exec")

    def run(self, calls: Iterable[object], begin: Callable[[], None]) -> None:
        """Run the set-up, call `begin`, and then run the statement once for each of `calls`."""
        namespace: dict[str, Any] = {"__name__": "__gildemo__"}
        exec(self._compile(), namespace)
        namespace["inner"](calls, begin)


@dataclass(frozen=True)
class Work:
    """A task as it is sent to a worker: anything callable with its arguments, or a Statement."""

    task: Callable[..., object] | Statement
    args: tuple[object, ...] = ()

    def run(self, number: int, ticket: Ticket | None = None) -> float:
        """Prepare, meet the other workers, call the task `number` times: return the seconds."""
        began = 0.0

        def begin() -> None:
            nonlocal began
            if ticket is not None:
                ticket.arrive()
            began = time.perf_counter()

        try:
            self._run(repeat(None, number), begin)
        except _TerminatedError:
            # The task has cleaned up by now. An executor's worker would go on with its queue.
            os._exit(128 + signal.SIGTERM)
        except SystemExit as error:
            raise TaskExitError(f"the task called sys.exit({error.code!r})") from error
        return time.perf_counter() - began

    def _run(self, calls: Iterable[object], begin: Callable[[], None]) -> None:
        if isinstance(self.task, Statement):
            self.task.run(calls, begin)
            return
        begin()
        task, args = self.task, self.args
        for _ in calls:
            task(*args)


def _on_sigterm(signum: int, frame: FrameType | None) -> None:
    raise _TerminatedError(128 + signum)


def initialize_process() -> None:
    """Prepare a worker process to be interrupted by its parent, and by nobody else.

    Ctrl-C is sent to a whole process group: in a group of its own the worker, and the
    processes that its task starts, are ended by the parent, in order. SIGTERM raises
    SystemExit, so that a task can clean up behind itself.
    """
    os.setpgid(0, 0)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _on_sigterm)


def set_path(path: tuple[str, ...]) -> None:
    """Let a new interpreter find the modules that the main one finds, as new processes do."""
    sys.path[:] = path
