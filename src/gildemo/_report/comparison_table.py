"""The tables of `compare` and `report`: one comparison, and several side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.table import Table
from rich.text import Text

from gildemo._comparison.results import Comparison, ExecutorResult, Spread
from gildemo._report.tables import plain_table, use, verdict_text
from gildemo._units import counted, number, seconds

# A table at least this many columns wide has room for the efficiency.
_WIDE = 96

LEGEND = (
    "wall time: of one call on each worker, from the common start to the last result. calls/s: of "
    "all workers together. speedup: over serial, for calls that are sent in batches. startup: "
    "until all workers are ready. sending: of one call to a worker, and of its result back. "
    "break-even: length of the shortest call, sent by itself, for which the executor is faster "
    "than serial."
)
LEGEND_WIDE = f"{LEGEND} efficiency: the speedup divided by the CPUs that the workers can use."


def legend(width: int) -> str:
    """Return an explanation of the columns of a table of this width."""
    return LEGEND_WIDE if width >= _WIDE else LEGEND


def setting(comparison: Comparison) -> str:
    """Return a phrase that says what was measured, and how."""
    call = "" if comparison.call is None else f"one call takes {seconds(comparison.call)}; "
    return (
        f"{call}{counted(comparison.workers, 'worker')} at once on "
        f"{counted(comparison.cpus, 'CPU')}, Python {comparison.python}; "
        f"{counted(comparison.rounds, 'round')} of {counted(comparison.calls, 'call')} per worker"
    )


def comparison_table(comparison: Comparison, width: int) -> Table:
    """Return a row for each executor: its times, its speedup and its costs."""
    table = plain_table()
    table.add_column("executor", min_width=10, no_wrap=True)
    wide = width >= _WIDE
    headings = ["wall\ntime", "lowest to\nhighest", "calls/s", "speedup"]
    headings += ["efficiency"] if wide else []
    for text in [*headings, "startup", "sending", "break-\neven"]:
        table.add_column(text, justify="right", no_wrap=True)
    for name, result in comparison.executors.items():
        cells = [
            seconds(result.wall.median),
            _range(result.wall),
            number(result.throughput),
            "" if result.speedup is None else f"{result.speedup:.2f}",
        ]
        if wide:
            cells.append("" if result.efficiency is None else f"{result.efficiency:.0%}")
        table.add_row(name.replace(":", ":\n"), *cells, *_costs(name, result))
    return table


def _range(wall: Spread) -> str:
    low, low_unit = seconds(wall.low).split()
    high, high_unit = seconds(wall.high).split()
    if low_unit == high_unit:
        return f"{low}-{high} {high_unit}"
    return f"{low} {low_unit}-{high} {high_unit}"


def _costs(name: str, result: ExecutorResult) -> tuple[str, str, str]:
    if name == "serial":
        return ("", "", "")
    startup = seconds(result.startup.median)
    if result.unsendable:
        return (startup, "can't", "")
    if result.sending is None:
        return (startup, "", "")
    break_even = ""
    if result.speedup is not None:
        break_even = "never" if result.break_even is None else seconds(result.break_even)
    return (startup, seconds(result.sending), break_even)


def answer(comparison: Comparison) -> Text:
    """Return the verdict and its reason."""
    verdict = verdict_text(comparison.verdict, "bold")
    return Text.assemble(verdict, (": ", verdict.style), comparison.reason)


def side_by_side(runs: Mapping[str, Sequence[Comparison]]) -> Table:
    """Return a column for each run, with the wall times, the GIL and the verdict of each task.

    From the second run on, a wall time is followed by its ratio to that of the first run.
    """
    table = plain_table("Wall time of one call on each worker, and its ratio to the first run's")
    table.add_column("task", min_width=12)
    table.add_column("", no_wrap=True)
    for name, comparisons in runs.items():
        table.add_column(f"{name}\n{_python(comparisons)}", justify="right")
    by_task = [{c.task: c for c in comparisons} for comparisons in runs.values()]
    for task in dict.fromkeys(task for tasks in by_task for task in tasks):
        of_task = [tasks.get(task) for tasks in by_task]
        names = dict.fromkeys(name for c in of_task if c is not None for name in c.executors)
        title = task
        for name in names:
            table.add_row(title, name.replace(":", ":\n"), *_walls(of_task, name))
            title = ""
        held = ["" if c is None or c.gil is None else f"{c.gil.held:.0%}" for c in of_task]
        if any(held):
            table.add_row("", "GIL held", *held)
        table.add_row(
            "", "use", *(Text("") if c is None else use(c) for c in of_task), end_section=True
        )
    return table


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
