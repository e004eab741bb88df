"""Runs tasks in the threads of a ThreadPoolExecutor."""

from __future__ import annotations

from concurrent.futures import Executor

from gildemo.executors.kind import ExecutorKind


def _open(workers: int) -> Executor:
    from concurrent.futures import ThreadPoolExecutor

    return ThreadPoolExecutor(workers, thread_name_prefix="worker")


KIND = ExecutorKind("threads", _open)
