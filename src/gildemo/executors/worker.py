"""What runs inside a worker: a thread, a process or a subinterpreter. It imports little."""

from __future__ import annotations

import contextlib
import os
import pickle
import select
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import repeat
from types import FrameType, TracebackType
from typing import ClassVar, NamedTuple

from gildemo.executors import signals
from gildemo.executors.barrier import CalledOffError, Ticket
from gildemo.statement import Statement

# How long the child of a task that forked may take to come back from the task, in seconds.
_GRACE = 1.0

# Of an exception's message, in characters.
_LONGEST_MESSAGE = 1000


class TaskExitError(RuntimeError):
    """In place of the SystemExit of a task, which should end no worker."""


class TaskForkedError(RuntimeError):
    """A task forked, and both processes came back from it."""


class TaskFailedError(Exception):
    """A task raised `error`; `trace` is its traceback as a text, from the task's own frames."""

    def __init__(self, error: BaseException, trace: str) -> None:
        super().__init__(trace)
        self.error = error
        self.trace = trace

    def __reduce__(self) -> tuple[object, ...]:
        # Some exceptions can't be unpickled, at which an executor gives up all its workers.
        error = self.error
        if not_picklable(error):
            error = RuntimeError(describe(error))
        return type(self), (error, self.trace)


class _TerminatedError(SystemExit):
    """SIGTERM arrived in a worker process."""


class Batch(NamedTuple):
    """What one worker measured: the seconds that its calls took, and the CPU time.

    cpu: of its thread; process_cpu: of its process, with all threads. pid: of that process.
    """

    seconds: float
    cpu: float
    process_cpu: float
    pid: int


class Results:
    """The last result of a task in this process or interpreter: to time what sending it costs."""

    last: object = None


@dataclass(frozen=True)
class Work:
    """A task as it is sent to a worker: anything callable with its arguments, or a Statement."""

    task: Callable[..., object] | Statement
    args: tuple[object, ...] = ()
    # In a worker process, which runs one at a time.
    is_running: ClassVar[bool] = False

    def run(self, number: int, ticket: Ticket | None = None) -> Batch:
        """Prepare, meet the other workers, call the task `number` times, and say how long it took.

        Raises TaskFailedError if the task fails, and CalledOffError if the others don't come.
        """
        try:
            Work.is_running = True
            with _ForkGuard():
                return self._run(number, ticket)
        except CalledOffError:
            raise
        except TaskForkedError as error:
            raise TaskFailedError(error, "") from None
        except KeyboardInterrupt as error:
            if _can_be_interrupted():
                raise
            raise TaskFailedError(error, _traceback(error)) from None
        except _TerminatedError:
            # The task has cleaned up by now. An executor's worker would go on with its queue.
            os._exit(128 + signal.SIGTERM)
        except SystemExit as error:
            exited = TaskExitError(f"the task called sys.exit({error.code!r})")
            raise TaskFailedError(exited, _traceback(error)) from None
        except BaseException as error:
            raise TaskFailedError(error, _traceback(error)) from None
        finally:
            Work.is_running = False

    def _run(self, number: int, ticket: Ticket | None) -> Batch:
        began = cpu = process_cpu = 0.0

        def begin() -> None:
            nonlocal began, cpu, process_cpu
            if ticket is not None:
                ticket.arrive()
            cpu, process_cpu = time.thread_time(), time.process_time()
            began = time.perf_counter()

        calls = repeat(None, number)
        if isinstance(self.task, Statement):
            self.task.run(calls, begin)
        else:
            begin()
            Results.last = _call(self.task, self.args, calls)
        return Batch(
            time.perf_counter() - began,
            time.thread_time() - cpu,
            time.process_time() - process_cpu,
            os.getpid(),
        )

    def give_back(self) -> object:
        """Return the last result, without calling the task."""
        return Results.last

    def why_not_to_be_sent(self) -> str | None:
        """Why the last result can't be sent by pickle, or None if it can."""
        return not_picklable(Results.last)


def not_picklable(value: object) -> str | None:
    """Why a value does not come back from pickling, or None if it does."""
    try:
        pickle.loads(pickle.dumps(value))
    except Exception as error:
        return describe(error)
    return None


def describe(error: BaseException) -> str:
    """The type and the message of an exception, if that is not too long."""
    try:
        message = str(error)
    except Exception:
        message = "(its message can't be shown)"
    if len(message) > _LONGEST_MESSAGE:
        message = f"{message[:_LONGEST_MESSAGE]}..."
    return f"{type(error).__name__}: {message}"


def _can_be_interrupted() -> bool:
    """Whether Ctrl-C raises KeyboardInterrupt here: elsewhere it is the task that raised it."""
    in_main_thread = threading.current_thread() is threading.main_thread()
    return in_main_thread and signal.getsignal(signal.SIGINT) is not signal.SIG_IGN


def _call(task: Callable[..., object], args: tuple[object, ...], calls: Iterable[object]) -> object:
    result = None
    for _ in calls:
        result = None  # Two large results at once could be one too many.
        result = task(*args)
    return result


class _ForkGuard:
    """Ends the child of a task that forked, when it comes back from the task, and tells.

    As it would go on here and do all that its parent does. A child that never comes back, as it
    calls os._exit() or runs another program, is none of our business.
    """

    forks = 0  # How often this process has called os.fork().

    def __enter__(self) -> None:
        self._pid = os.getpid()
        self._forks_before = self.forks
        self._read, self._write = os.pipe()

    def __exit__(self, *exc_info: object) -> None:
        if os.getpid() != self._pid:
            os.write(self._write, f"{os.getpid()}\n".encode())
            os._exit(1)
        os.close(self._write)
        came_back = b""
        # The children have the other end of the pipe, until the last of them ends.
        if self.forks != self._forks_before and select.select([self._read], [], [], _GRACE)[0]:
            came_back = os.read(self._read, 1000)
        os.close(self._read)
        for child in came_back.split():
            with contextlib.suppress(ChildProcessError):
                os.waitpid(int(child), 0)
        if came_back:
            raise TaskForkedError(
                "the task forked, and its child came back from the task as well: "
                "end it there with os._exit()"
            )


def _count_fork() -> None:
    _ForkGuard.forks += 1


os.register_at_fork(after_in_parent=_count_fork)


def _traceback(error: BaseException) -> str:
    """The traceback as Python shows it, without the frames of this package."""
    import traceback

    own: TracebackType | None = error.__traceback__
    folder = os.path.dirname(__file__)  # noqa: PTH120 (no need for pathlib in a worker)
    while own is not None and os.path.dirname(own.tb_frame.f_code.co_filename) == folder:  # noqa: PTH120
        own = own.tb_next
    return "".join(traceback.format_exception(type(error), error, own))


def _on_sigterm(signum: int, frame: FrameType | None) -> None:
    if not Work.is_running:
        os._exit(128 + signum)
    raise _TerminatedError(128 + signum)


def initialize_process() -> None:
    """Prepare a worker process to be interrupted by its parent, and by nobody else.

    Ctrl-C is sent to a whole process group: in a group of its own the worker, and the
    processes that its task starts, are ended by the parent, in order. SIGTERM raises
    SystemExit, so that a task can clean up behind itself.
    """
    os.setpgid(0, 0)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signals.on_termination(_on_sigterm, signal.SIGTERM)
    signals.unblock()


def set_path(path: tuple[str, ...]) -> None:
    """Let a new interpreter find the modules that the main one finds, as new processes do."""
    sys.path[:] = path
