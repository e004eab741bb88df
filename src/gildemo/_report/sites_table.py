"""Where the GIL was held: a row for each site, with its source."""

from __future__ import annotations

import linecache
import textwrap

from rich.table import Table
from rich.text import Text

from gildemo._report.stacks import short_file, without_machinery
from gildemo._report.tables import plain_table
from gildemo._units import seconds
from gildemo.monitor.profile import Site
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


def site_place(site: Site) -> str:
    """Return "file:line" of a site."""
    return short_file(site.file) if site.line is None else f"{short_file(site.file)}:{site.line}"


def source_of(site: Site) -> str:
    """Return the source line of a site, and a line of carets below the executing part.

    Return "" if the source is not there.
    """
    line = "" if site.line is None else linecache.getline(site.file, site.line).rstrip("\n")
    text = line.strip()
    if not text or site.column is None or site.end_column is None:
        return text
    # Columns count bytes.
    encoded = line.encode()
    start = len(encoded[: site.column].decode(errors="replace"))
    stop = len(line.rstrip())
    if site.end_line in (None, site.line):
        stop = len(encoded[: site.end_column].decode(errors="replace"))
    indent = len(line) - len(line.lstrip())
    carets = " " * max(0, start - indent) + "^" * max(1, stop - max(start, indent))
    return text if len(carets.strip()) >= len(text) else f"{text}\n{carets}"


def call_text(site: Site) -> str:
    """Return the text of the expression that a site executes, such as "json.dumps(report)"."""
    if site.line is None or site.column is None or site.end_column is None:
        return site.function
    line = linecache.getline(site.file, site.line)
    if not line.strip():
        return site.function
    if site.end_line not in (None, site.line):
        return f"{line.encode()[site.column :].decode(errors='replace').strip()} ..."
    return line.encode()[site.column : site.end_column].decode(errors="replace")
