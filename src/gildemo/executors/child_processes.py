"""The child processes that multiprocessing knows of, and how they are ended."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from multiprocessing.process import BaseProcess

# How long a process may take to end by itself after SIGTERM, in seconds.
GRACE = 1.0


def children() -> list[BaseProcess]:
    """The child processes that multiprocessing knows of, if it is in use at all."""
    if "multiprocessing" not in sys.modules:
        return []
    from multiprocessing import active_children

    return active_children()


def send_signal(process: BaseProcess, signum: int) -> None:
    """Send a signal to a worker and to what its task has started."""
    assert process.pid is not None
    try:
        os.killpg(process.pid, signum)
    except (ProcessLookupError, PermissionError):
        # It is not, or not yet, the leader of a group: worker.initialize_process().
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, signum)


def end(processes: list[BaseProcess]) -> None:
    """End child processes: politely, so that their tasks clean up, and then surely."""
    for process in processes:
        send_signal(process, signal.SIGTERM)
    deadline = time.monotonic() + GRACE
    for process in processes:
        process.join(max(0.0, deadline - time.monotonic()))
    for process in processes:
        if process.is_alive():
            send_signal(process, signal.SIGKILL)
            process.join()
