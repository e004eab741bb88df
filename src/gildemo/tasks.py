"""The tasks of the demonstration. Other comparisons can use them as well.

Each is a function of this module, so that it can be sent to processes and subinterpreters. None of
them leaves a child process behind, even if it is interrupted.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess

from gildemo import _core


def fibo(n: int) -> int:
    """Return the n-th Fibonacci number, computed by its definition: pure Python code."""
    return n if n < 2 else fibo(n - 1) + fibo(n - 2)


def spin_held(iterations: int) -> int:
    """Compute in C for `iterations` steps while holding the GIL; return its result."""
    return _core.spin(iterations, release_gil=False)


def spin_released(iterations: int) -> int:
    """Compute in C for `iterations` steps with the GIL released; return the same result."""
    return _core.spin(iterations, release_gil=True)


def wait_with_subprocess(seconds: float) -> int:
    """Start `sleep SECONDS` and wait for it with subprocess; return its exit status."""
    process = subprocess.Popen(["sleep", str(seconds)])
    try:
        return process.wait()
    except BaseException:
        process.kill()
        process.wait()
        raise


def wait_for_child(seconds: float, release_gil: bool) -> int:
    """Start `sleep SECONDS` and wait for it with gildemo.waitpid(); return its exit status."""
    # A worker may ignore SIGINT, and its child would inherit that.
    pid = os.posix_spawnp("sleep", ["sleep", str(seconds)], os.environ, setsigdef=[signal.SIGINT])
    try:
        _, status = _core.waitpid(pid, release_gil=release_gil)
    except BaseException:
        # The child may already have been reaped.
        with contextlib.suppress(ProcessLookupError, ChildProcessError):
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        raise
    return os.waitstatus_to_exitcode(status)
