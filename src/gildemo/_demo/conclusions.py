"""What the figures of the demonstration say, in sentences."""

from __future__ import annotations

from collections.abc import Iterable

from gildemo._comparison import Comparison, Verdict
from gildemo._comparison.verdict import MARGIN
from gildemo._demo import task_table


def conclusions(comparisons: Iterable[Comparison]) -> list[str]:
    """Return what the figures say, even where they contradict the theory of the GIL."""
    found = {comparison.task: comparison for comparison in comparisons}
    spin_held, spin_released = found.get(task_table.SPIN_HELD), found.get(task_table.SPIN_RELEASED)
    wait_held, wait_released = found.get(task_table.WAIT_HELD), found.get(task_table.WAIT_RELEASED)
    sentences = [
        _on_pair("Computing in C", spin_held, spin_released),
        _on_pair("Waiting for a child", wait_held, wait_released) or _on_held_wait(wait_held),
        _on_subprocess(found.get(task_table.SUBPROCESS)),
        _on_fibo(found.get(task_table.FIBO)),
    ]
    return [sentence for sentence in sentences if sentence]


def _ratio(comparison: Comparison | None) -> float | None:
    """Return the ratio of threads to processes, if both were measured."""
    if comparison is None or comparison.thread_process_ratio is None:
        return None
    return comparison.thread_process_ratio.median


def _times(ratio: float) -> str:
    return f"{ratio:.2f} times as long as processes"


# What follows the figures instead of a conclusion.
_INCONCLUSIVE = (
    ". The rounds differ too much to conclude anything: end other programs and try again, or "
    "measure more rounds (--rounds 9)."
)


def _is_inconclusive(comparison: Comparison | None) -> bool:
    return comparison is not None and comparison.verdict is Verdict.INCONCLUSIVE


def _on_pair(what: str, held: Comparison | None, released: Comparison | None) -> str | None:
    with_gil, without = _ratio(held), _ratio(released)
    if held is None or with_gil is None or without is None:
        return None
    figures = (
        f"{what}, threads took {_times(with_gil)} with the GIL held and {without:.2f} times with "
        "it released"
    )
    if not held.gil_enabled:
        return f"{figures}. This Python runs without the GIL, so the two should not differ."
    if _is_inconclusive(held) or _is_inconclusive(released):
        return f"{figures}{_INCONCLUSIVE}"
    if without <= MARGIN < with_gil:
        return f"{figures}: releasing the GIL makes threads as fast as processes."
    if with_gil > MARGIN and without < with_gil / MARGIN:
        return (
            f"{figures}: releasing the GIL helps, but something else still slows the threads down."
        )
    return (
        f"{figures}. In theory, releasing the GIL makes threads as fast as processes: was the "
        "machine busy, or are there fewer CPUs than workers?"
    )


def _on_held_wait(held: Comparison | None) -> str | None:
    if held is None or "threads" not in held.executors or "processes" not in held.executors:
        return None
    threads, processes = held["threads"].wall.median, held["processes"].wall.median
    figures = (
        f"If CPython held the GIL in waitpid, {held.workers} waits in threads would take "
        f"{threads:.2f} s, and not {processes:.2f} s as in processes"
    )
    if threads > processes * (1 + held.workers) / 2:
        return f"{figures}: they would run one after another."
    return f"{figures}. In theory, they run one after another: the figures contradict that."


def _on_subprocess(comparison: Comparison | None) -> str | None:
    ratio = _ratio(comparison)
    if ratio is None:
        return None
    figures = f"With the standard library's subprocess, threads took {_times(ratio)}"
    if _is_inconclusive(comparison):
        return f"{figures}{_INCONCLUSIVE}"
    if 1 / MARGIN <= ratio <= MARGIN:
        return f"{figures}: it releases the GIL, so a rewrite with processes gains nothing."
    if ratio < 1 / MARGIN:
        return f"{figures}: a rewrite with processes would be slower."
    return (
        f"{figures}. It releases the GIL, so in theory threads are as fast as processes: was the "
        "machine busy?"
    )


def _on_fibo(comparison: Comparison | None) -> str | None:
    ratio = _ratio(comparison)
    if comparison is None or ratio is None:
        return None
    figures = f"In pure Python, threads took {_times(ratio)}"
    if not comparison.gil_enabled:
        return f"{figures}. This Python runs without the GIL."
    if _is_inconclusive(comparison):
        return f"{figures}{_INCONCLUSIVE}"
    if ratio <= MARGIN:
        return (
            f"{figures}. In theory, threads are slower, because they share one GIL: were there "
            "enough CPUs for the processes?"
        )
    return f"{figures}: here processes are worth their cost{_subinterpreters(comparison)}."


def _subinterpreters(comparison: Comparison) -> str:
    if "subinterpreters" not in comparison.executors:
        return ""
    found, processes = comparison["subinterpreters"], comparison["processes"]
    return (
        f" (subinterpreters took {found.wall.median / processes.wall.median:.2f} times as long, "
        f"and started in {found.startup.median:.2f} s instead of {processes.startup.median:.2f} s)"
    )
