"""Who held the GIL when, drawn in the terminal: a lane for each thread."""

from __future__ import annotations

from collections.abc import Iterator

from rich.text import Text

from gildemo._report.lanes import ThreadStates, coverage, duration, shown_threads, thread_states
from gildemo._units import counted, seconds
from gildemo.monitor.record import GilRecord

_MOST_LANES = 8
_FEWEST_CELLS = 10

_HOLDS, _PARTLY, _WAITS, _NEITHER = "█", "▒", "·", "─"
_STYLES = {_HOLDS: "red", _PARTLY: "red", _WAITS: "yellow", _NEITHER: "green"}
_MEANINGS = {
    _HOLDS: "held",
    _PARTLY: "held in part",
    _WAITS: "waited for it",
    _NEITHER: "neither",
}

LEGEND = Text("The GIL in threads:").append_tokens(
    part
    for mark, meaning in _MEANINGS.items()
    for part in (("  ", None), (mark, _STYLES[mark]), (f" {meaning}", None))
)


def lanes(title: str, record: GilRecord, width: int) -> Iterator[Text]:
    """Yield lines of at most `width` columns: a heading, then a lane for each thread shown."""
    yield Text(
        f"{title}: GIL held {record.held:.0%}, longest hold {seconds(record.longest_hold)}",
        style="bold",
    )
    shown = shown_threads(record)
    label = max((len(record.threads[index].name) for index in shown), default=0)
    cells = max(_FEWEST_CELLS, width - label - 3)
    states = thread_states(record)
    for index in shown[:_MOST_LANES]:
        line = Text(f"  {record.threads[index].name:<{label}} ")
        for mark in _marks(states[index], max(1, duration(record)), cells):
            line.append(mark, _STYLES[mark])
        yield line
    if len(shown) > _MOST_LANES:
        yield Text(f"  … and {counted(len(shown) - _MOST_LANES, 'more thread')}")


def _marks(states: ThreadStates, duration: int, cells: int) -> Iterator[str]:
    held, waited = (coverage(states[state], duration, cells) for state in ("holds", "waits"))
    for holding, waiting in zip(held, waited, strict=True):
        if holding > 2 / 3:
            yield _HOLDS
        elif holding > 1 / 3 or (holding > waiting and holding > 0.1):
            yield _PARTLY
        elif waiting > 1 / 3:
            yield _WAITS
        else:
            yield _NEITHER
