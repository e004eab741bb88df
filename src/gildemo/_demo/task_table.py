"""The tasks of the demonstration. To add one, add a line to TASKS."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

from gildemo import tasks

FIBO = "fibo (pure Python)"
SPIN_HELD = "spin, GIL held"
SPIN_RELEASED = "spin, GIL released"
WAIT_HELD = "wait for a child, GIL held"
WAIT_RELEASED = "wait for a child, GIL released"
SUBPROCESS = "subprocess wait (standard library)"

# How long one call takes by itself on an idle CPU, in seconds. This is long in comparison with the
# start of a task, but short enough for the whole demonstration to take half a minute.
_TASK_SECONDS = 0.2

Arguments = tuple[object, ...]


class Sizes(NamedTuple):
    """How much work makes a call take _TASK_SECONDS on this machine."""

    fibo: int  # the n of fibo(n)
    spin: int  # steps
    seconds: float  # of waiting


class DemoTask(NamedTuple):
    """A task of the demonstration."""

    name: str
    function: Callable[..., object]
    arguments: Callable[[Sizes], Arguments]
    original: Arguments | None = None  # of the experiment of 2021, if the task is part of it
    published: tuple[float, float] | None = None  # its wall times: threads and processes, seconds


TASKS = (
    DemoTask(FIBO, tasks.fibo, lambda size: (size.fibo,), (32,), (4.0595, 0.8843)),
    DemoTask(SPIN_HELD, tasks.spin_held, lambda size: (size.spin,)),
    DemoTask(SPIN_RELEASED, tasks.spin_released, lambda size: (size.spin,)),
    DemoTask(WAIT_HELD, tasks.wait_for_child, lambda size: (size.seconds, False), (2, False)),
    DemoTask(WAIT_RELEASED, tasks.wait_for_child, lambda size: (size.seconds, True)),
    DemoTask(
        SUBPROCESS, tasks.wait_with_subprocess, lambda size: (size.seconds,), (2,), (2.0174, 2.0357)
    ),
)

# What the team published in 2021, for five tasks at a time.
PUBLISHED = {task.name: task.published for task in TASKS if task.published is not None}


def sizes() -> Sizes:
    """Measure how much work this machine does in _TASK_SECONDS."""
    return Sizes(_fibo_size(), _spin_size(), _TASK_SECONDS)


def _spin_size() -> int:
    steps = 2_000_000
    return round(steps * _TASK_SECONDS / _seconds(lambda: tasks.spin_released(steps)))


def _fibo_size() -> int:
    n = 18
    seconds = _seconds(lambda: tasks.fibo(n))
    while seconds < _TASK_SECONDS * 0.8:
        # fibo(n + 1) calls fibo(n) and fibo(n - 1), so it takes longer by the golden ratio.
        seconds *= 1.618
        n += 1
    return n


def _seconds(function: Callable[[], object]) -> float:
    """Return the shortest time of three calls, because other programs can only slow a call down."""
    times = []
    for _ in range(3):
        began = time.perf_counter()
        function()
        times.append(time.perf_counter() - began)
    return min(times)
