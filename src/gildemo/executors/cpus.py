"""The CPUs that this process may use."""

from __future__ import annotations

import os
import sys


def usable_cpus() -> int:
    """Return how many CPUs this process may use, which can be fewer than the machine has."""
    if sys.version_info >= (3, 13):
        return os.process_cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
