"""The demonstration: what it measures, and that its sentences follow the figures."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from collections.abc import Callable

import pytest

from gildemo import Comparison, tasks
from gildemo._comparison.results import ExecutorResult, Spread
from gildemo._comparison.verdict import decide
from gildemo._demo import conclusions
from gildemo._demo import task_table as demo


def comparison(task: str, *, workers: int = 2, noise: float = 0.0, **times: float) -> Comparison:
    """A comparison with these wall times, in three rounds of which two are off by `noise`."""
    walls = {
        name: [seconds, seconds + noise, max(0.01, seconds - noise)]
        if name == "threads"
        else [seconds] * 3
        for name, seconds in times.items()
    }
    decision = decide(walls)
    return Comparison(
        task=task,
        workers=workers,
        calls=1,
        call=0.2,
        rounds=3,
        cpus=2,
        python="3.13.0",
        executors={
            name: ExecutorResult(
                Spread.of(w), Spread.of([0.1]), None, None, tuple(w), throughput=1.0, cpu=0.0
            )
            for name, w in walls.items()
        },
        thread_process_ratio=decision.thread_process_ratio,
        verdict=decision.verdict,
        reason="",
    )


def sentence(start: str, *comparisons: Comparison) -> str:
    (found,) = [s for s in conclusions(comparisons) if s.startswith(start)]
    return found


THEORY = [
    comparison(demo.FIBO, threads=0.41, processes=0.2),
    comparison(demo.SPIN_HELD, threads=0.4, processes=0.2),
    comparison(demo.SPIN_RELEASED, threads=0.2, processes=0.2),
    comparison(demo.WAIT_HELD, threads=0.42, processes=0.2),
    comparison(demo.WAIT_RELEASED, threads=0.2, processes=0.2),
    comparison(demo.SUBPROCESS, threads=0.2, processes=0.2),
]


def test_conclusions_carry_the_figures() -> None:
    assert len(conclusions(THEORY)) == 4
    text = sentence("Computing in C", *THEORY)
    assert "2.00 times as long as processes with the GIL held and 1.00 times" in text
    assert "gains nothing" in sentence("With the standard library", *THEORY)
    assert "2.05 times" in sentence("In pure Python", *THEORY)


@pytest.mark.parametrize(
    ("contradiction", "start", "expected"),
    [
        (
            comparison(demo.SPIN_HELD, threads=0.2, processes=0.2),
            "Computing",
            "In theory, releasing the GIL",
        ),
        (
            comparison(demo.SPIN_RELEASED, threads=0.4, processes=0.2),
            "Computing",
            "In theory, releasing",
        ),
        (comparison(demo.SPIN_RELEASED, threads=0.3, processes=0.2), "Computing", "something else"),
        (
            comparison(demo.WAIT_RELEASED, threads=0.4, processes=0.2),
            "Waiting",
            "In theory, releasing",
        ),
        (
            comparison(demo.SUBPROCESS, threads=0.4, processes=0.2),
            "With",
            "in theory threads are as fast",
        ),
        (comparison(demo.SUBPROCESS, threads=0.1, processes=0.2), "With", "slower"),
        (comparison(demo.FIBO, threads=0.2, processes=0.2), "In pure", "were there enough"),
    ],
)
def test_conclusions_say_when_figures_contradict_the_theory(
    contradiction: Comparison, start: str, expected: str
) -> None:
    others = [c for c in THEORY if c.task != contradiction.task]
    assert expected in sentence(start, contradiction, *others)
    assert expected not in sentence(start, *THEORY)


def test_without_a_gil_the_variants_should_not_differ() -> None:
    free = [dataclasses.replace(c, gil_enabled=False) for c in THEORY]
    assert "should not differ" in sentence("Computing in C", *free)
    assert "without the GIL" in sentence("In pure Python", *free)


@pytest.mark.parametrize("task", [demo.FIBO, demo.SPIN_HELD, demo.WAIT_RELEASED, demo.SUBPROCESS])
def test_nothing_is_concluded_from_rounds_that_contradict_each_other(task: str) -> None:
    noisy = comparison(task, threads=0.3, processes=0.2, noise=0.2)
    others = [c for c in THEORY if c.task != task]
    assert any(
        "The rounds differ too much to conclude anything" in s
        for s in conclusions([noisy, *others])
    )
    assert not any(
        "The rounds differ too much to conclude anything" in s for s in conclusions(THEORY)
    )


def test_counterfactual_is_told_where_the_wait_is_not_measured_both_ways() -> None:
    held = comparison(demo.WAIT_HELD, workers=5, threads=10.0, processes=2.0)
    text = sentence("If CPython", held)
    assert "5 waits in threads would take 10.00 s, and not 2.00 s" in text
    parallel = comparison(demo.WAIT_HELD, workers=5, threads=2.1, processes=2.0)
    assert "contradict" in sentence("If CPython", parallel)


def test_nothing_is_concluded_from_what_was_not_measured() -> None:
    assert conclusions([comparison(c.task, serial=1.0) for c in THEORY]) == []
    assert conclusions([comparison(c.task, threads=1.0) for c in THEORY]) == []
    assert conclusions([comparison(c.task, processes=1.0) for c in THEORY]) == []


def test_fibo() -> None:
    assert [tasks.fibo(n) for n in range(8)] == [0, 1, 1, 2, 3, 5, 8, 13]


WAITS: dict[str, Callable[[float], int]] = {
    "subprocess": tasks.wait_with_subprocess,
    "held": lambda seconds: tasks.wait_for_child(seconds, False),
    "released": lambda seconds: tasks.wait_for_child(seconds, True),
}


@pytest.mark.parametrize("wait", WAITS.values(), ids=WAITS)
def test_waits_leave_no_child(
    wait: Callable[[float], int], children: Callable[[], set[int]]
) -> None:
    before = children()
    assert wait(0) == 0
    assert wait(-1) != 0
    assert children() == before


INTERRUPT = """
import contextlib, os, psutil, signal
parent = psutil.Process(os.getppid())
waits = False
while not waits:
    with contextlib.suppress(psutil.Error):
        waits = any(child.name() == "sleep" for child in parent.children())
os.kill(parent.pid, signal.SIGINT)
"""


@pytest.mark.parametrize("wait", WAITS.values(), ids=WAITS)
def test_interrupted_waits_leave_no_child(
    wait: Callable[[float], int], children: Callable[[], set[int]]
) -> None:
    before = children()
    # The signal comes from another process: with the GIL held no thread of this one could send it.
    with subprocess.Popen([sys.executable, "-c", INTERRUPT]), pytest.raises(KeyboardInterrupt):
        wait(100)
    assert children() == before
