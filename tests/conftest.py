"""Fixtures for all tests."""

from __future__ import annotations

from collections.abc import Callable

import psutil
import pytest


@pytest.fixture
def children() -> Callable[[], set[int]]:
    """A function that gives the pids of this process's children, zombies too.

    The helper processes of multiprocessing stay until the interpreter exits, by design.
    """

    def pids() -> set[int]:
        return {
            child.pid
            for child in psutil.Process().children()
            if child.status() == psutil.STATUS_ZOMBIE
            or not any("multiprocessing" in part for part in child.cmdline())
        }

    return pids
