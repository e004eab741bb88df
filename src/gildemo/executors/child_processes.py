"""The child processes of multiprocessing, and how to end them."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from multiprocessing.process import BaseProcess

GRACE = 1.0  # seconds that a process has to end by itself after SIGTERM


def children() -> list[BaseProcess]:
    """Return the living child processes that multiprocessing has started."""
    if "multiprocessing" not in sys.modules:
        return []
    from multiprocessing import active_children

    return active_children()


def send_signal(process: BaseProcess, signum: int) -> None:
    """Send a signal to a worker and to the processes that its task has started."""
    assert process.pid is not None
    try:
        os.killpg(process.pid, signum)
    except (ProcessLookupError, PermissionError):
        # It does not lead a process group, or not yet: see worker.initialize_process().
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, signum)


def end(processes: list[BaseProcess]) -> None:
    """End processes: first by SIGTERM, so that their tasks can clean up, then by SIGKILL."""
    for process in processes:
        send_signal(process, signal.SIGTERM)
    deadline = time.monotonic() + GRACE
    for process in processes:
        process.join(max(0.0, deadline - time.monotonic()))
    for process in processes:
        if process.is_alive():
            send_signal(process, signal.SIGKILL)
            process.join()
