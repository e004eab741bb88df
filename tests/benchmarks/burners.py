"""Other processes that keep the CPUs busy."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from collections.abc import Iterator


@contextlib.contextmanager
def burners(number: int) -> Iterator[None]:
    """As many processes that want a CPU all the time."""
    command = [sys.executable, "-c", "while True: pass"]
    processes = [subprocess.Popen(command) for _ in range(number)]
    try:
        time.sleep(0.5)
        yield
        assert {process.poll() for process in processes} <= {None}, "not all burned to the end"
    finally:
        for process in processes:
            process.kill()
            process.wait()
