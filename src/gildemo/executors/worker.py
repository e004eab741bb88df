"""What runs inside a worker: a thread, a process or a subinterpreter.

Each worker process imports this module, so it imports little.
"""

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
from gildemo.executors.barrier import BarrierBrokenError, BarrierHandle
from gildemo.statement import Statement

# If a task forked, how long to wait for its child to return from the task, in seconds.
_GRACE = 1.0

_LONGEST_MESSAGE = 1000  # characters of an exception's message


class TaskExitError(RuntimeError):
    """Replaces the SystemExit of a task, so that the worker does not end."""


class TaskForkedError(RuntimeError):
    """A task forked, and both processes returned from it."""


class TaskFailedError(Exception):
    """A task raised an exception."""

    def __init__(self, error: BaseException, trace: str) -> None:
        super().__init__(trace)
        self.error = error  # what the task raised
        self.trace = trace  # its traceback as text, with the task's own frames only

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (picklable_error(self.error), self.trace)


class _TerminatedError(SystemExit):
    """A worker process received SIGTERM."""


class Batch(NamedTuple):
    """What one worker measured while it made its calls."""

    seconds: float  # wall time
    cpu: float  # seconds of CPU time of its thread
    process_cpu: float  # seconds of CPU time of its process, with all threads
    pid: int  # its process


class Results:
    """The last result of a task in this process or interpreter, kept to time sending it."""

    last: object = None


@dataclass(frozen=True)
class Work:
    """A task as it is sent to a worker."""

    task: Callable[..., object] | Statement
    args: tuple[object, ...] = ()  # the arguments, if the task is a callable
    # Whether a task is running in this process. A worker process runs one task at a time.
    is_running: ClassVar[bool] = False

    def run(self, number: int, barrier: BarrierHandle | None = None) -> Batch:
        """Set up, wait for the other workers, and time `number` calls of the task.

        Raises TaskFailedError if the task fails, and BarrierBrokenError if another worker does
        not arrive.
        """
        try:
            Work.is_running = True
            with _ForkGuard():
                return self._run(number, barrier)
        except BarrierBrokenError:
            raise
        except TaskForkedError as error:
            raise TaskFailedError(error, "") from None
        except KeyboardInterrupt as error:
            if _can_be_interrupted():
                raise
            raise TaskFailedError(error, _traceback(error)) from None
        except _TerminatedError:
            # The task has cleaned up. Without this call, the worker would take the next task.
            os._exit(128 + signal.SIGTERM)
        except SystemExit as error:
            exited = TaskExitError(f"the task called sys.exit({error.code!r})")
            raise TaskFailedError(exited, _traceback(error)) from None
        except BaseException as error:
            raise TaskFailedError(error, _traceback(error)) from None
        finally:
            Work.is_running = False

    def _run(self, number: int, barrier: BarrierHandle | None) -> Batch:
        began = cpu = process_cpu = 0.0

        def begin() -> None:
            nonlocal began, cpu, process_cpu
            if barrier is not None:
                barrier.arrive()
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

    def why_unsendable(self) -> str | None:
        """Return why the last result can't be sent by pickle, or None if it can."""
        return why_unpicklable(Results.last)


def why_unpicklable(value: object) -> str | None:
    """Return why a value can't be pickled and unpickled, or None if it can."""
    try:
        pickle.loads(pickle.dumps(value))
    except Exception as error:
        return describe(error)
    return None


def picklable_error(error: BaseException) -> BaseException:
    """Return the exception, or if it can't be pickled, a RuntimeError that describes it.

    If a worker sends an exception that can't be unpickled, the executor gives up all its workers.
    """
    return RuntimeError(describe(error)) if why_unpicklable(error) else error


def describe(error: BaseException) -> str:
    """Return the type and the message of an exception. A long message is truncated."""
    try:
        message = str(error)
    except Exception:
        message = "(str() of this exception fails)"
    if len(message) > _LONGEST_MESSAGE:
        message = f"{message[:_LONGEST_MESSAGE]}..."
    return f"{type(error).__name__}: {message}"


def _can_be_interrupted() -> bool:
    """Return whether Ctrl-C raises KeyboardInterrupt here. If not, the task raised it."""
    in_main_thread = threading.current_thread() is threading.main_thread()
    return in_main_thread and signal.getsignal(signal.SIGINT) is not signal.SIG_IGN


def _call(task: Callable[..., object], args: tuple[object, ...], calls: Iterable[object]) -> object:
    result = None
    for _ in calls:
        result = None  # Frees a large result before the next needs memory.
        result = task(*args)
    return result


class _ForkGuard:
    """Ends the child of a task that forked, if the child returns from the task, and reports it.

    Otherwise the child would continue here and do what its parent does. A child that does not
    return, because it calls os._exit() or runs another program, is left alone.
    """

    forks = 0  # how often this process has called os.fork()

    def __enter__(self) -> None:
        self._pid = os.getpid()
        self._forks_before = self.forks
        self._read, self._write = os.pipe()

    def __exit__(self, *exc_info: object) -> None:
        if os.getpid() != self._pid:
            os.write(self._write, f"{os.getpid()}\n".encode())
            os._exit(1)
        os.close(self._write)
        returned = b""
        # The children hold the other end of the pipe open until the last of them ends.
        if self.forks != self._forks_before and select.select([self._read], [], [], _GRACE)[0]:
            returned = os.read(self._read, 1000)
        os.close(self._read)
        for child in returned.split():
            with contextlib.suppress(ChildProcessError):
                os.waitpid(int(child), 0)
        if returned:
            raise TaskForkedError(
                "the task forked, and the child process returned from the task as well: "
                "end the child with os._exit()"
            )


def _count_fork() -> None:
    _ForkGuard.forks += 1


os.register_at_fork(after_in_parent=_count_fork)


def _traceback(error: BaseException) -> str:
    """Return the traceback as Python prints it, without the frames of this package."""
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
    """Prepare a worker process so that only its parent ends it, by SIGTERM.

    A terminal sends Ctrl-C to a whole process group. So the worker leads its own group, to which
    the processes that its task starts belong as well. SIGTERM raises SystemExit, so that a task
    can clean up.
    """
    os.setpgid(0, 0)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # The worker may have inherited SIGTERM as ignored.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signals.on_termination(_on_sigterm, signal.SIGTERM)
    signals.unblock()


def set_path(path: tuple[str, ...]) -> None:
    """Let a new interpreter import what the main one can import."""
    sys.path[:] = path
