"""The tables of the demonstration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.table import Table

from gildemo._comparison.results import Comparison
from gildemo._report.tables import column_heading, plain_table, use
from gildemo._units import seconds

# A table at least this many columns wide has room for what the monitor saw.
_WIDE = 104


def demonstration_table(comparisons: Sequence[Comparison], width: int) -> Table:
    """Return a row for each task and a column for each executor.

    A table at least 104 columns wide also shows what the monitor saw in the threads.
    """
    first = comparisons[0]
    names = list(dict.fromkeys(name for c in comparisons for name in c.executors))
    table = plain_table(
        f"{first.workers} workers at once, {first.cpus} CPUs, Python {first.python}: wall time"
    )
    table.add_column("task", min_width=17)
    for name in names:
        table.add_column(column_heading(name), justify="right", no_wrap=True)
    table.add_column("threads ÷\nprocesses", justify="right", no_wrap=True)
    table.add_column("use", no_wrap=True)
    with_gil = width >= _WIDE and any(comparison.gil for comparison in comparisons)
    if with_gil:
        table.add_column("GIL\nheld", justify="right", no_wrap=True)
        table.add_column("longest\nhold", justify="right", no_wrap=True)
    for comparison in comparisons:
        gil = _gil(comparison) if with_gil else ()
        table.add_row(
            comparison.task, *_walls(comparison, names), _ratio(comparison), use(comparison), *gil
        )
    return table


def original_table(
    comparisons: Sequence[Comparison], published: Mapping[str, tuple[float, float]]
) -> Table:
    """Return the results of the experiment of 2021, here and as published.

    published: the wall times of threads and of processes, by task, in seconds.
    """
    first = comparisons[0]
    names = ("threads", "processes")
    table = plain_table(f"{first.workers} at once, here and as published in 2021: wall time")
    table.add_column("task", min_width=17)
    for when in ("", "2021:\n"):
        for heading in (*names, "ratio"):
            table.add_column(f"{when}{heading}", justify="right", no_wrap=True)
    for comparison in comparisons:
        there = ["not tried", "", ""]
        if comparison.task in published:
            threads, processes = published[comparison.task]
            there = [seconds(threads), seconds(processes), f"{threads / processes:.2f}"]
        table.add_row(comparison.task, *_walls(comparison, names), _ratio(comparison), *there)
    return table


def _walls(comparison: Comparison, names: Sequence[str]) -> list[str]:
    results = comparison.executors
    return [seconds(results[name].wall.median) if name in results else "" for name in names]


def _ratio(comparison: Comparison) -> str:
    ratio = comparison.thread_process_ratio
    return "" if ratio is None else f"{ratio.median:.2f}"


def _gil(comparison: Comparison) -> tuple[str, str]:
    if comparison.gil is None:
        return ("", "")
    return (f"{comparison.gil.held:.0%}", seconds(comparison.gil.longest_hold))
