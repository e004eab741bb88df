"""Comparisons as tables for the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from rich import box
from rich.table import Table
from rich.text import Text

from gildemo._comparison.results import Comparison, Verdict
from gildemo._units import seconds

_HEADINGS = {
    "serial": "serial",
    "threads": "threads",
    "processes": "processes",
    "subinterpreters": "sub-\ninterps",
}

# From so many columns on, the table has room for what the monitor saw.
_WIDE = 104

MEANINGS = {
    Verdict.THREADS: ("✓", "threads", "green"),
    Verdict.PROCESSES: ("✗", "processes", "red"),
    Verdict.NEITHER: ("=", "neither", "yellow"),
    Verdict.INCONCLUSIVE: ("?", "unclear", "yellow"),
}


def heading(executor: str) -> str:
    """What a table calls an executor."""
    return _HEADINGS.get(executor, executor).replace("-\n", "").replace(":", ":\n")


def meaning(comparison: Comparison) -> Text:
    """The verdict as a mark and a word, if threads were compared with processes."""
    if comparison.thread_process_ratio is None:
        return Text("")
    mark, word, style = MEANINGS[comparison.verdict]
    return Text(f"{mark} {word}", style=style)


def _ratio(comparison: Comparison) -> str:
    ratio = comparison.thread_process_ratio
    return "" if ratio is None else f"{ratio.median:.2f}"


def _gil(comparison: Comparison) -> tuple[str, str]:
    if comparison.gil is None:
        return ("", "")
    return (f"{comparison.gil.held:.0%}", seconds(comparison.gil.longest_hold))


def plain_table(title: str | None = None) -> Table:
    """A table without frame, as all are here."""
    return Table(
        title=title,
        title_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        collapse_padding=True,
        show_edge=False,
    )


def _names(comparisons: Iterable[Comparison]) -> list[str]:
    return list(dict.fromkeys(name for c in comparisons for name in c.executors))


def demonstration(comparisons: Sequence[Comparison], width: int) -> Table:
    """The demonstration's table: a row a task, a column an executor, and what it means.

    Where `width` columns have room for it, what the monitor saw in the threads too.
    """
    first = comparisons[0]
    names = _names(comparisons)
    table = plain_table(
        f"{first.workers} workers at once, {first.cpus} CPUs, Python {first.python}: wall time"
    )
    table.add_column("task", min_width=17)
    for name in names:
        table.add_column(_HEADINGS.get(name, name), justify="right", no_wrap=True)
    table.add_column("threads ÷\nprocesses", justify="right", no_wrap=True)
    table.add_column("use", no_wrap=True)
    with_gil = width >= _WIDE and any(comparison.gil for comparison in comparisons)
    if with_gil:
        table.add_column("GIL\nheld", justify="right", no_wrap=True)
        table.add_column("longest\nhold", justify="right", no_wrap=True)
    for comparison in comparisons:
        walls = [
            seconds(comparison[name].wall.median) if name in comparison.executors else ""
            for name in names
        ]
        gil = _gil(comparison) if with_gil else ()
        table.add_row(comparison.task, *walls, _ratio(comparison), meaning(comparison), *gil)
    return table


def original(
    comparisons: Sequence[Comparison], published: Mapping[str, tuple[float, float]]
) -> Table:
    """The team's experiment beside the (thread, process) seconds that they published."""
    first = comparisons[0]
    table = plain_table(f"{first.workers} at once, here and as published in 2021: wall time")
    table.add_column("task", min_width=17)
    for when in ("", "2021:\n"):
        for heading in ("threads", "processes", "ratio"):
            table.add_column(f"{when}{heading}", justify="right", no_wrap=True)
    for comparison in comparisons:
        here = [seconds(comparison[name].wall.median) for name in ("threads", "processes")]
        there = ["not tried", "", ""]
        if comparison.task in published:
            thread, process = published[comparison.task]
            there = [seconds(thread), seconds(process), f"{thread / process:.2f}"]
        table.add_row(comparison.task, *here, _ratio(comparison), *there)
    return table


def unavailable(comparisons: Iterable[Comparison]) -> Mapping[str, str]:
    """The executors that were asked for and could not be used, with the reason."""
    return {name: why for c in comparisons for name, why in c.unavailable.items()}
