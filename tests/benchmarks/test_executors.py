"""Two tasks at a time in threads and in processes: where releasing the GIL helps."""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from typing import NamedTuple

import pytest

from benchmarks.paired import Benchmark
from gildemo.tasks import spin_held, spin_released, wait_for_child

WORKERS = 2
ITERATIONS = 50_000_000
SECONDS = 0.1
ROUNDS = 10


class Task(NamedTuple):
    function: Callable[..., int]
    args: tuple[object, ...]
    result: Callable[[], int]


def spin_result() -> int:
    return spin_held(ITERATIONS)


def exit_status() -> int:
    return 0


TASKS = {
    "spin, GIL held": Task(spin_held, (ITERATIONS,), spin_result),
    "spin, GIL released": Task(spin_released, (ITERATIONS,), spin_result),
    "wait for a child, GIL held": Task(wait_for_child, (SECONDS, False), exit_status),
    "wait for a child, GIL released": Task(wait_for_child, (SECONDS, True), exit_status),
}


def threads() -> Executor:
    return ThreadPoolExecutor(WORKERS)


def processes() -> Executor:
    # Not "fork", which is deprecated in a process with threads: pytest's watchdog is a thread.
    return ProcessPoolExecutor(WORKERS, mp_context=multiprocessing.get_context("spawn"))


def identify(seconds: float) -> tuple[int, int]:
    """Return which worker this is. It sleeps, so that no worker takes both tasks."""
    time.sleep(seconds)
    return os.getpid(), threading.get_ident()


def warm(executor: Executor) -> None:
    """Return when all workers have started and imported this module."""
    workers: set[tuple[int, int]] = set()
    while len(workers) < WORKERS:
        workers.update(executor.map(identify, [0.05] * WORKERS))


@pytest.mark.parametrize("pool", [threads, processes], ids=["threads", "processes"])
@pytest.mark.parametrize("name", TASKS)
def test_two_at_once(benchmark: Benchmark, name: str, pool: Callable[[], Executor]) -> None:
    benchmark.group = f"{WORKERS} at once: {name}"
    task = TASKS[name]
    with pool() as executor:
        warm(executor)

        def run_all() -> list[int]:
            futures = [executor.submit(task.function, *task.args) for _ in range(WORKERS)]
            return [future.result() for future in futures]

        results = benchmark.pedantic(run_all, rounds=ROUNDS, warmup_rounds=1)
    assert results == [task.result()] * WORKERS
