"""One comparison in the terminal, and several side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.table import Table
from rich.text import Text

from gildemo._comparison.results import Comparison, ExecutorResult, Spread
from gildemo._report.demonstration_table import MEANINGS, heading, meaning, plain_table
from gildemo._units import counted, number, seconds

# From so many columns on, there is room for all.
_WIDE = 96


def setting(comparison: Comparison) -> str:
    """What was measured, and how."""
    alone = "" if comparison.call is None else f"one call takes {seconds(comparison.call)}; "
    return (
        f"{alone}{counted(comparison.workers, 'worker')} at once on "
        f"{counted(comparison.cpus, 'CPU')}, Python {comparison.python}; "
        f"{counted(comparison.rounds, 'round')} of {counted(comparison.calls, 'call')} a worker"
    )


def table(comparison: Comparison, width: int) -> Table:
    """A row for each executor: how long, how fast, and what it costs."""
    found = plain_table()
    found.add_column("executor", min_width=10, no_wrap=True)
    wide = width >= _WIDE
    headings = ["wall\ntime", "lowest to\nhighest", "calls/s", "speed-\nup"]
    headings += ["effi-\nciency"] if wide else []
    for text in [*headings, "start-\nup", "to\nsend", "pays\nfrom"]:
        found.add_column(text, justify="right", no_wrap=True)
    for name, result in comparison.executors.items():
        cells = [
            seconds(result.wall.median),
            _range(result.wall),
            number(result.throughput),
            "" if result.speedup is None else f"{result.speedup:.2f}",
        ]
        if wide:
            cells.append("" if result.efficiency is None else f"{result.efficiency:.0%}")
        found.add_row(heading(name), *cells, *_costs(name, result))
    return found


def _range(wall: Spread) -> str:
    low, low_unit = seconds(wall.low).split()
    high, high_unit = seconds(wall.high).split()
    if low_unit == high_unit:
        return f"{low}-{high} {high_unit}"
    return f"{low} {low_unit}-{high} {high_unit}"


def _costs(name: str, result: ExecutorResult) -> tuple[str, str, str]:
    if name == "serial":
        return ("", "", "")
    pays_from = ""
    if result.sending is not None and result.speedup is not None:
        pays_from = "never" if result.break_even is None else seconds(result.break_even)
    sending = "can't" if result.unsendable else ""
    if result.sending is not None:
        sending = seconds(result.sending)
    return (seconds(result.startup.median), sending, pays_from)


LEGEND = (
    "wall time: of one call on each worker, from a common start until the last result; speed-up: "
    "of calls in batches. to send: a call to a worker, and its result back. pays from: the length "
    "of a call, sent by itself, from which that is faster than one after another."
)


def answer(comparison: Comparison) -> Text:
    """The verdict and its reason."""
    mark, word, style = MEANINGS[comparison.verdict]
    return Text.assemble((f"{mark} {word}: ", f"bold {style}"), comparison.reason)


def side_by_side(runs: Mapping[str, Sequence[Comparison]]) -> Table:
    """Several runs, a column each: for each task the wall times, the GIL and the verdict.

    From the second run on, a wall time has behind it how many times as long as in the first.
    """
    found = plain_table("Wall time of one call on each worker, and what it is of the first run's")
    found.add_column("task", min_width=12)
    found.add_column("", no_wrap=True)
    for name, comparisons in runs.items():
        found.add_column(f"{name}\n{_python(comparisons)}", justify="right")
    by_task = [{c.task: c for c in comparisons} for comparisons in runs.values()]
    for task in dict.fromkeys(task for tasks in by_task for task in tasks):
        of_task = [tasks.get(task) for tasks in by_task]
        names = dict.fromkeys(name for c in of_task if c is not None for name in c.executors)
        title = task
        for name in names:
            found.add_row(title, heading(name), *_walls(of_task, name))
            title = ""
        held = ["" if c is None or c.gil is None else f"{c.gil.held:.0%}" for c in of_task]
        if any(held):
            found.add_row("", "GIL held", *held)
        found.add_row(
            "", "use", *(Text("") if c is None else meaning(c) for c in of_task), end_section=True
        )
    return found


def _python(comparisons: Sequence[Comparison]) -> str:
    versions = dict.fromkeys(
        f"Python {c.python}{'' if c.gil_enabled else ', no GIL'}" for c in comparisons
    )
    return "\n".join(versions)


def _walls(comparisons: Sequence[Comparison | None], executor: str) -> list[str]:
    cells: list[str] = []
    first: float | None = None
    for comparison in comparisons:
        result = None if comparison is None else comparison.executors.get(executor)
        if result is None:
            cells.append("")
            continue
        wall = result.wall.median
        cells.append(seconds(wall) if first is None else f"{seconds(wall)} ({wall / first:.2f})")
        first = first or wall
    return cells
