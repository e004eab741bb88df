"""A whole program as a GilMonitor saw it: a row for each thread."""

from __future__ import annotations

from rich.table import Table

from gildemo.monitor import GilRecord
from gildemo.report.table import plain_table
from gildemo.units import seconds

_MOST_ROWS = 20


def summary(record: GilRecord) -> str:
    """One sentence about the whole."""
    switches = "" if record.switches is None else f", {record.switches} switches"
    return (
        f"GIL held {record.held:.1%} (± {record.error:.1%}) of {seconds(record.duration)}"
        f"{switches}, longest hold {seconds(record.longest_hold)}"
    )


def threads(record: GilRecord) -> Table:
    """The threads, those that held or waited the most first."""
    ranked = sorted(record.threads, key=lambda t: t.held + (t.waiting or 0.0), reverse=True)
    table = plain_table()
    table.add_column("thread", overflow="fold")
    for heading in ("held", "waiting", "longest hold", "CPU time"):
        table.add_column(heading, justify="right", no_wrap=True)
    for thread in ranked[:_MOST_ROWS]:
        table.add_row(
            thread.name,
            f"{thread.held:.1%}",
            "unknown" if thread.waiting is None else f"{thread.waiting:.1%}",
            seconds(thread.longest_hold),
            "unknown" if thread.cpu is None else seconds(thread.cpu),
        )
    rest = ranked[_MOST_ROWS:]
    if rest:
        waiting = sum(thread.waiting or 0.0 for thread in rest)
        held = sum(thread.held for thread in rest)
        cpu = sum(thread.cpu or 0.0 for thread in rest)
        longest = max(thread.longest_hold for thread in rest)
        table.add_row(
            f"{len(rest)} more threads",
            f"{held:.1%}",
            f"{waiting:.1%}",
            seconds(longest),
            seconds(cpu),
        )
    return table
