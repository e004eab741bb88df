"""Other processes that keep the CPUs busy."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from collections.abc import Iterator


@contextlib.contextmanager
def burners(number: int) -> Iterator[None]:
    """Run this many processes that compute all the time."""
    # They end by themselves if this process is killed.
    program = """
import os
parent = os.getppid()
while os.getppid() == parent:
    for _ in range(10**6): pass
"""
    command = [sys.executable, "-c", program]
    processes = [subprocess.Popen(command) for _ in range(number)]
    try:
        time.sleep(0.5)
        yield
        assert {process.poll() for process in processes} <= {None}, "not all burned to the end"
    finally:
        for process in processes:
            process.kill()
            process.wait()
