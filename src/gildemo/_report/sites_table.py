"""Where the GIL was held: a row for each site, with its source."""

from __future__ import annotations

import textwrap

from rich.table import Table
from rich.text import Text

from gildemo._report.tables import plain_table
from gildemo._sources import site_place, source_of
from gildemo._units import seconds
from gildemo.monitor._stacks import without_machinery
from gildemo.monitor.record import GilRecord

_MOST_ROWS = 10

# Sites with their source, and the least share of the time for which a site is shown.
_WITH_SOURCE = 3
_NOTICEABLE = 0.005


def sites_table(record: GilRecord) -> Table | None:
    """Return the sites that held the GIL the most, or None if there is none to show."""
    sites = [
        site
        for site in without_machinery(record.profile).sites("call")
        if site.held_self >= _NOTICEABLE * record.duration
    ]
    if not sites:
        return None
    table = plain_table("Where the GIL was held")
    table.add_column("function", overflow="fold")
    table.add_column("line", overflow="fold")
    table.add_column("held", justify="right", no_wrap=True)
    table.add_column("others\nwaited", justify="right", no_wrap=True)
    for index, site in enumerate(sites[:_MOST_ROWS]):
        cell = Text(site.function)
        source = source_of(site) if index < _WITH_SOURCE else ""
        if source:
            cell.append(f"\n{textwrap.indent(source, '  ')}", style="dim")
        table.add_row(
            cell,
            site_place(site),
            f"{site.held_self / record.duration:.1%}",
            "unknown" if site.caused_self is None else seconds(site.caused_self),
        )
    return table
