"""Ready-made tasks: what the team measured in 2021, and the variants of `gildemo._core`.

Each is a module-level function, so that it can be sent to processes and subinterpreters. None
leaves a child process behind, however it ends.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess

from gildemo import _core


def fibo(n: int) -> int:
    """The n-th Fibonacci number, by the definition: pure Python that keeps the GIL busy."""
    return n if n < 2 else fibo(n - 1) + fibo(n - 2)


def spin_held(iterations: int) -> int:
    """Compute in C for `iterations` steps without giving up the GIL."""
    return _core.spin(iterations, release_gil=False)


def spin_released(iterations: int) -> int:
    """Compute in C for `iterations` steps with the GIL released."""
    return _core.spin(iterations, release_gil=True)


def wait_with_subprocess(seconds: float) -> int:
    """Start `sleep SECONDS` and wait for it with the standard library; return its status."""
    process = subprocess.Popen(["sleep", str(seconds)])
    try:
        return process.wait()
    except BaseException:
        process.kill()
        process.wait()
        raise


def wait_for_child(seconds: float, release_gil: bool) -> int:
    """Start `sleep SECONDS` and wait for it with gildemo.waitpid(); return its exit status."""
    # A worker may ignore SIGINT, and a child would inherit that.
    pid = os.posix_spawnp("sleep", ["sleep", str(seconds)], os.environ, setsigdef=[signal.SIGINT])
    try:
        _, status = _core.waitpid(pid, release_gil=release_gil)
    except BaseException:
        # An interrupt may come when the child is already reaped.
        with contextlib.suppress(ProcessLookupError, ChildProcessError):
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        raise
    return os.waitstatus_to_exitcode(status)
