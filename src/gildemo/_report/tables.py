"""What all tables share: their look, the names of executors, and the verdict in a cell."""

from __future__ import annotations

from rich import box
from rich.table import Table
from rich.text import Text

from gildemo._comparison.results import Comparison, Verdict

# Headings that are too long for a narrow column.
_HEADINGS = {"subinterpreters": "subinter-\npreters"}

# For each verdict: its mark and its color.
_MARKS = {
    Verdict.THREADS: ("✓", "green"),
    Verdict.PROCESSES: ("✗", "red"),
    Verdict.NEITHER: ("=", "yellow"),
    Verdict.INCONCLUSIVE: ("?", "yellow"),
}


def plain_table(title: str | None = None) -> Table:
    """Return an empty table without a frame."""
    return Table(
        title=title,
        title_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        collapse_padding=True,
        show_edge=False,
    )


def column_heading(executor: str) -> str:
    """Return the name of an executor as the heading of a column."""
    return _HEADINGS.get(executor, executor).replace(":", ":\n")


def verdict_text(verdict: Verdict, style: str = "") -> Text:
    """Return a verdict as a mark and a word, in its color."""
    mark, color = _MARKS[verdict]
    return Text(f"{mark} {verdict.value}", style=f"{style} {color}")


def use(comparison: Comparison) -> Text:
    """Return the cell that says what to use. It is empty if threads or processes are missing."""
    if comparison.thread_process_ratio is None:
        return Text("")
    return verdict_text(comparison.verdict)
