"""The table of `watch`: the threads of one record."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.table import Table

from gildemo._report.tables import plain_table
from gildemo._units import counted, seconds
from gildemo.monitor.record import GilRecord, ThreadRecord

_MOST_ROWS = 20

# A thread that held the GIL for more than this fraction of the time always has a row.
_ALWAYS_SHOWN = 0.01

# A table at least this many columns wide has room for what threads do without the GIL.
_WIDE = 110
_STATES = {
    "computes": "computes",
    "in_system_call": "system\ncall",
    "locked": "locked",
    "idle": "idle",
}

# With fewer samples than this, the summary says how many there are.
_FEW_SAMPLES = 100


def summary(record: GilRecord) -> str:
    """Return one sentence about the whole record."""
    if record.samples == 0:
        return "The program ended before the first sample: nothing is known about its GIL."
    switches = "" if record.switches is None else f", {record.switches:,} switches"
    few = f" (only {counted(record.samples, 'sample')})" if record.samples < _FEW_SAMPLES else ""
    return (
        f"GIL held {record.held:.1%} (± {record.error:.1%}) of {seconds(record.duration)}{few}"
        f"{switches}, longest hold {seconds(record.longest_hold)}"
    )


def thread_table(record: GilRecord, width: int) -> Table:
    """Return a row for each thread, those that held the GIL the most first.

    A table at least 110 columns wide also shows what the threads did without the GIL.
    """
    ranked = sorted(record.threads, key=lambda t: (t.held, t.waiting or 0.0), reverse=True)
    most = max(_MOST_ROWS, sum(thread.held > _ALWAYS_SHOWN for thread in ranked))
    states = _STATES if width >= _WIDE else {}
    table = plain_table()
    table.add_column("thread", overflow="fold")
    for heading in ("held", "waiting", *states.values(), "longest hold", "CPU time"):
        table.add_column(heading, justify="right", no_wrap=True)
    for thread in ranked[:most]:
        table.add_row(*_row(thread.name, [thread], record.duration, states))
    rest = ranked[most:]
    if rest:
        name = counted(len(rest), "more thread")
        table.add_row(*_row(name, rest, record.duration, states))
    return table


def _row(
    name: str, threads: Sequence[ThreadRecord], duration: float, states: Iterable[str]
) -> tuple[str, ...]:
    """Return the cells of one or more threads; a sum with an unknown term is unknown."""
    waiting, cpu = _sum(t.waiting for t in threads), _sum(t.cpu for t in threads)
    return (
        name,
        f"{sum(t.held for t in threads):.1%}",
        "unknown" if waiting is None else f"{waiting:.1%}",
        *(f"{sum(t.states.get(s, 0.0) for t in threads) / duration:.1%}" for s in states),
        seconds(max(t.longest_hold for t in threads)),
        "unknown" if cpu is None else seconds(cpu),
    )


def _sum(values: Iterable[float | None]) -> float | None:
    total = 0.0
    for value in values:
        if value is None:
            return None
        total += value
    return total
