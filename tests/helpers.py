"""What several test files share: progress by effect, child processes, and programs to interrupt."""

from __future__ import annotations

import contextlib
import functools
import importlib
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import FrameType
from typing import Any, ParamSpec, Self

# What the tests import from here, the commands that they run can import too.
TESTS = Path(__file__).parent


def gil_enabled() -> bool:
    is_gil_enabled: Callable[[], bool] | None = getattr(sys, "_is_gil_enabled", None)
    return is_gil_enabled is None or is_gil_enabled()


class Index:
    """An object that is an int only by its `__index__`."""

    def __init__(self, value: int) -> None:
        self.value = value

    def __index__(self) -> int:
        return self.value


def progress_during(call: Callable[[], object]) -> int:
    """Runs call() in a worker; returns how many steps this thread took from its start to its end.

    No thread is asked to give up the GIL meanwhile, so the GIL changes hands only where its holder
    releases it by itself. During a call that keeps the GIL, there are exactly 0 steps.
    """
    steps = 0
    counting = threading.Event()

    def work() -> int:
        counting.wait()
        before = steps
        call()
        return steps - before

    interval = sys.getswitchinterval()
    sys.setswitchinterval(3600)
    try:
        with ThreadPoolExecutor(1) as pool:
            future = pool.submit(work)
            counting.set()
            while not future.done():
                steps += 1
                time.sleep(0)  # Releases the GIL once.
            return future.result()
    finally:
        sys.setswitchinterval(interval)


def lets_others_run(call: Callable[[], object]) -> bool:
    """Return whether another thread runs during call(), in any of 20 tries."""
    return any(progress_during(call) > 0 for _ in range(20))


# Sends signals repeatedly. A signal that comes right before a blocking call sets a flag, but does
# not keep the call from blocking, so after a single signal the call could wait forever.
SIGNAL_SENDER = "while kill -USR1 $PPID; do sleep 0.01; done"


class Shells:
    """Shells whose standard input is a pipe from this process; none outlives the with block."""

    def __init__(self) -> None:
        self._pids: list[int] = []
        self._pipes: dict[int, int] = {}

    def __enter__(self) -> Self:
        return self

    def start(self, script: str, *, own_group: bool = False) -> int:
        """Returns the pid of a shell whose `read` waits for let_go()."""
        read_end, write_end = os.pipe()
        file_actions = [(os.POSIX_SPAWN_DUP2, read_end, 0)]
        command = ["sh", "-c", script]
        try:
            if own_group:
                pid = os.posix_spawn(
                    "/bin/sh", command, os.environ, file_actions=file_actions, setpgroup=0
                )
            else:
                pid = os.posix_spawn("/bin/sh", command, os.environ, file_actions=file_actions)
        finally:
            os.close(read_end)
        self._pids.append(pid)
        self._pipes[pid] = write_end
        return pid

    def let_go(self, pid: int) -> None:
        os.close(self._pipes.pop(pid))

    def __exit__(self, *_: object) -> None:
        for pid in self._pids:
            with contextlib.suppress(ChildProcessError):
                # Once it is reaped, the number may belong to someone else.
                if os.waitpid(pid, os.WNOHANG) == (0, 0):
                    os.kill(pid, signal.SIGKILL)
                    os.waitpid(pid, 0)
        for write_end in self._pipes.values():
            os.close(write_end)


@contextlib.contextmanager
def on_signal(number: int, handler: Callable[[], None]) -> Iterator[None]:
    def call(_number: int, _frame: FrameType | None) -> None:
        handler()

    previous = signal.signal(number, call)
    try:
        yield
    finally:
        signal.signal(number, previous)


def run_python(program: str) -> str:
    """Runs a program in a fresh interpreter in which warnings are errors; returns its output."""
    command = [sys.executable, "-W", "error", "-c", textwrap.dedent(program)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def interrupt(call: str) -> str:
    """Sends SIGINT to an interpreter inside a call, until it raises; returns what it printed.

    The interpreter also checks for signals between its own instructions, but not between the
    beginning of a line with a single call and that call. So if it is interrupted on that line, it
    is inside the call.
    """
    program = f"""
        import gildemo, os, signal
        def run():
            return {call}
        def handler(number, frame):
            first = run.__code__.co_firstlineno
            if (frame.f_code, frame.f_lineno) == (run.__code__, first + 1):
                raise KeyboardInterrupt
            os.write(1, b"too early\\n")
        signal.signal(signal.SIGINT, handler)
        os.write(1, b"ready\\n")
        try:
            print("returned", run())
        except KeyboardInterrupt:
            print("KeyboardInterrupt")
    """
    command = [sys.executable, "-c", textwrap.dedent(program)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line == "ready\n"
            while line in ("ready\n", "too early\n"):
                process.send_signal(signal.SIGINT)
                line = process.stdout.readline()
            return line + process.stdout.read()
        finally:
            process.kill()


P = ParamSpec("P")


def retried(test: Callable[P, None]) -> Callable[P, None]:
    """Other processes may keep the sampler, or the measured code, waiting for a CPU."""

    @functools.wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        for _ in range(4):
            with contextlib.suppress(AssertionError):
                return test(*args, **kwargs)
        return test(*args, **kwargs)

    return run


Run = Callable[[str], None]


@contextlib.contextmanager
def subinterpreter() -> Iterator[Run]:
    """Starts an interpreter with a GIL of its own; gives a function that runs a program there."""
    if sys.version_info >= (3, 14):
        interpreters: Any = importlib.import_module("concurrent.interpreters")
        interpreter = interpreters.create()
        with contextlib.ExitStack() as stack:
            stack.callback(interpreter.close)
            yield interpreter.exec
        return
    if sys.version_info >= (3, 13):
        interpreters = importlib.import_module("_interpreters")
        identity = interpreters.create("isolated")
    else:
        interpreters = importlib.import_module("_xxsubinterpreters")
        identity = interpreters.create(isolated=True)

    def run(program: str) -> None:
        # 3.12 raises what the program has raised, 3.13 returns a description of it.
        failure = interpreters.run_string(identity, program)
        assert failure is None, failure.formatted

    try:
        yield run
    finally:
        interpreters.destroy(identity)
