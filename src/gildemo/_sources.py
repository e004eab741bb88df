"""Places in source code, for display: short file names, and the text of a line."""

from __future__ import annotations

import contextlib
import linecache
import sys
from functools import cache
from pathlib import Path

from gildemo.monitor._stacks import is_machinery, without_machinery
from gildemo.monitor.profile import Frame, Profile, Site

_LONGEST_TEXT = 60


@cache
def short_file(file: str) -> str:
    """Return a path relative to the current folder or to the entry of sys.path that contains it."""
    # Like an import, ignore what is no str in sys.path.
    folders = [Path(entry) for entry in sys.path if entry and isinstance(entry, str)]
    with contextlib.suppress(FileNotFoundError):  # The program may have removed the folder.
        folders.insert(0, Path.cwd())
    for folder in folders:
        try:
            return str(Path(file).relative_to(folder))
        except ValueError:
            continue
    return file


def place(frame: Frame) -> str:
    """Return "file:line" of a frame."""
    line = frame.first_line if frame.line is None else frame.line
    return short_file(frame.file) if line is None else f"{short_file(frame.file)}:{line}"


def site_place(site: Site) -> str:
    """Return "file:line" of a site."""
    return short_file(site.file) if site.line is None else f"{short_file(site.file)}:{site.line}"


def source_of(site: Site) -> str:
    """Return the source line of a site, and a line of carets below the executing part.

    Return "" if the source is not available.
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


def hottest_site(profile: Profile) -> str:
    """Return the text and the place of the call that held the GIL the most, or "" if not known.

    Frames of machinery (see `is_machinery`) count for their callers. A site in machinery does not
    help the reader, so it counts as not known.
    """
    sites = without_machinery(profile).sites("call")
    if not sites or sites[0].held_self == 0 or is_machinery(sites[0].file):
        return ""
    text = " ".join(call_text(sites[0]).split())
    if len(text) > _LONGEST_TEXT:
        text = f"{text[:_LONGEST_TEXT]}..."
    return f"`{text}`, {site_place(sites[0])}"
