"""Who held the GIL when, drawn in the terminal: a lane for each thread."""

from __future__ import annotations

from collections.abc import Iterator

from rich.text import Text

from gildemo._report.perfetto import shares
from gildemo._units import seconds
from gildemo.monitor import GilRecord, ThreadRecord

_MOST_LANES = 8
# What held less than this of the time, and never waited, is not worth a lane.
_NOTICEABLE = 0.005

_HOLDS, _PARTLY, _WAITS, _WITHOUT = "█", "▒", "·", "─"
_STYLES = {_HOLDS: "red", _PARTLY: "red", _WAITS: "yellow", _WITHOUT: "green"}

KEY = f"{_HOLDS} held  {_PARTLY} now and then  {_WAITS} waited for  {_WITHOUT} did without"

LEGEND = Text.assemble(
    "The GIL in threads:  ",
    (_HOLDS, _STYLES[_HOLDS]),
    " held  ",
    (_PARTLY, _STYLES[_PARTLY]),
    " now and then  ",
    (_WAITS, _STYLES[_WAITS]),
    " waited for  ",
    (_WITHOUT, _STYLES[_WITHOUT]),
    " did without",
)


def lanes(title: str, record: GilRecord, width: int) -> Iterator[Text]:
    """Lines of at most `width` columns: a heading, and a lane for each thread of interest."""
    yield Text(
        f"{title}: GIL held {record.held:.0%}, longest hold {seconds(record.longest_hold)}",
        style="bold",
    )
    # The threads of an executor are its workers; the caller's only waits for them.
    shown = [i for i, thread in enumerate(record.threads) if _is_of_interest(thread)]
    shown.sort(key=lambda i: record.threads[i].name)
    label = max((len(record.threads[i].name) for i in shown), default=0)
    columns = max(10, width - label - 3)
    for i in shown[:_MOST_LANES]:
        line = Text(f"  {record.threads[i].name:<{label}} ")
        for cell in _cells(record, i, columns):
            line.append(cell, _STYLES[cell])
        yield line
    if len(shown) > _MOST_LANES:
        yield Text(f"  … and {len(shown) - _MOST_LANES} more threads")


def _is_of_interest(thread: ThreadRecord) -> bool:
    if thread.name == "MainThread":
        return thread.held > 0.05
    return thread.native_id is not None or thread.held > _NOTICEABLE


def _cells(record: GilRecord, thread: int, columns: int) -> Iterator[str]:
    begin = record.timeline[0][0]
    duration = max(1, record.timeline[-1][1] - begin)
    holds = ((a - begin, b - begin) for a, b, who in record.timeline if who == thread)
    waits = ((a - begin, b - begin) for a, b in record.threads[thread].waits)
    held, waited = shares(holds, duration, columns), shares(waits, duration, columns)
    for holding, waiting in zip(held, waited, strict=True):
        if holding > 2 / 3:
            yield _HOLDS
        elif holding > 1 / 3 or (holding > waiting and holding > 0.1):
            yield _PARTLY
        elif waiting > 1 / 3:
            yield _WAITS
        else:
            yield _WITHOUT
