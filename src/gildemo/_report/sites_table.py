"""Where the GIL was held: a row for each line of source code."""

from __future__ import annotations

from collections.abc import Iterable

from rich.table import Table
from rich.text import Text

from gildemo._report.tables import plain_table
from gildemo._sources import site_place, source_of
from gildemo._units import seconds
from gildemo.monitor._stacks import without_machinery
from gildemo.monitor.profile import Site
from gildemo.monitor.record import GilRecord

_MOST_ROWS = 10

# How many rows show their source, and the smallest share of the time that gets a row.
_WITH_SOURCE = 3
_NOTICEABLE = 0.005

# The width of the columns with numbers, and of the gaps.
_FIGURES = 18

# A call is marked in its line if it accounts for at least this fraction of the line's held time.
_MOST_OF_LINE = 0.5


def sites_table(record: GilRecord, width: int) -> Table | None:
    """Return the lines that held the GIL the most, or None if there is none to show.

    The table is `width` columns wide at most.
    """
    profile = without_machinery(record.profile)
    # Stacks are fewer than samples, so their sum may differ from the time that the GIL was held.
    scale = record.held / profile.held if profile.held else 0.0
    lines = profile.sites("line")[:_MOST_ROWS]
    sites = [site for site in lines if site.held_self * scale >= _NOTICEABLE]
    if not sites:
        return None
    table = plain_table()
    table.add_column("where the GIL was held", no_wrap=True)
    table.add_column("line", no_wrap=True)
    table.add_column("held", justify="right", no_wrap=True)
    table.add_column("others\nwaited", justify="right", no_wrap=True)
    places = [_shortened(site_place(site), width // 3) for site in sites]
    calls = profile.sites("call")
    room = max(10, width - max(map(len, places)) - _FIGURES)
    for index, (site, place) in enumerate(zip(sites, places, strict=True)):
        cell = Text(_cut(site.function, room))
        if index < _WITH_SOURCE:
            for line in source_of(_hottest_call(calls, site)).splitlines():
                # A line of carets needs no mark that it was cut.
                shown = line[: room - 2] if line.endswith("^") else _cut(line, room - 2)
                cell.append(f"\n  {shown}", style="dim")
        table.add_row(
            cell,
            place,
            f"{site.held_self * scale:.1%}",
            "unknown" if site.caused_self is None else seconds(site.caused_self),
        )
    return table


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 1]}…"


def _shortened(place: str, width: int) -> str:
    """Leave out the first folders of a path that is too long."""
    return place if len(place) <= width else f"…{place[1 - width :]}"


def _hottest_call(calls: Iterable[Site], line: Site) -> Site:
    """Return the call that accounts for most of a line's held time, or else the line itself."""
    for call in calls:
        if (call.function, call.file, call.line) == (line.function, line.file, line.line):
            return call if call.held_self >= _MOST_OF_LINE * line.held_self else line
    return line
