"""Measures the table, keeps the figures of each Python version, and renders them as a document."""

from __future__ import annotations

import json
import platform
import statistics
import sys
import textwrap
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from gildemo.testing import gil_usage
from known_functions.known import AT_LEAST, AT_MOST, HOLDS, RELEASES, Known, Verdict
from known_functions.table import KNOWN, SECTIONS

DOCS = Path(__file__).resolve().parents[2] / "docs"
DOCUMENT = DOCS / "which-functions-release-the-gil.md"
FIGURES = DOCUMENT.with_suffix(".json")

# Each call is watched this many times, for at least this many seconds. That gives 1,500 samples
# each time, enough for an error of 3 %. The median leaves out a time in which the machine was busy.
_SPELLS = 3
_WATCHED = 0.3

_SOURCE = "https://github.com/python/cpython/blob/3.14/"

_INTRODUCTION = """\
# Which functions of the standard library release the GIL

Each call was made again and again in the main thread, for three spells of at least 0.3 s, under a
`gildemo.GilMonitor`, which samples CPython's own GIL word from a native thread. The figure is the
part of the time in which the calling thread held the GIL, the median of the three: a property of
the code and of the size of its arguments, more than of the machine. At most {at_most:.0%} counts as
*releases*, at least {at_least:.0%} as *holds*; the sizes are such that nothing is in between.
*Expected* is what CPython's source says, and the last column where (its links lead to 3.14). The
test suite holds the monitor to it on every version (`tests/known_functions/`).

- A thread that runs Python code gives the GIL up when another one has asked for it for a switch
  interval (5 ms). Nobody asked here, so such a call holds it to its end.
- A call that releases the GIL does so for its work, not for taking its arguments and building its
  result. A short system call, such as `os.stat`, spends about as long on these, and is not here.
- A statement too short to be measured alone was run in a loop, which then counts as the call.

{measured}
With gildemo installed, this adds your Python's column:

```sh
cd tests && python -m known_functions
```
"""


def measure(progress: Callable[[str], object]) -> dict[str, Any]:
    """Return the figures of this Python, for the calls that it has."""
    held: dict[str, float] = {}
    for known in KNOWN:
        if reason := known.missing():
            progress(f"{known.name}: {reason}")
            continue
        with known.prepared() as call:
            spells = [gil_usage(_for_a_while, call).held for _ in range(_SPELLS)]
        held[known.name] = round(statistics.median(spells), 3)
        progress(f"{known.name}: {held[known.name]:.1%}")
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "held": held,
    }


def _for_a_while(call: Callable[[], object]) -> None:
    end = time.monotonic() + _WATCHED
    while time.monotonic() < end:
        call()


def version() -> str:
    return f"{sys.version_info[0]}.{sys.version_info[1]}"


def read() -> dict[str, Any]:
    """The figures by version, the oldest first; none if there is no file yet."""
    if not FIGURES.exists():
        return {}
    versions: dict[str, Any] = json.loads(FIGURES.read_text())["versions"]
    return versions


def write(versions: dict[str, Any]) -> None:
    ordered = {name: versions[name] for name in sorted(versions, key=_number)}
    DOCS.mkdir(exist_ok=True)
    FIGURES.write_text(json.dumps({"schema": 1, "versions": ordered}, indent=1) + "\n")
    DOCUMENT.write_text(render(ordered))


def verdict(held: float) -> Verdict | None:
    if held <= AT_MOST:
        return RELEASES
    return HOLDS if held >= AT_LEAST else None


def render(versions: dict[str, Any]) -> str:
    pythons = ", ".join(f"{v['python']} ({v['system']})" for v in versions.values())
    measured = textwrap.fill(f"Measured with CPython {pythons}.", 100)
    lines = [_INTRODUCTION.format(at_most=AT_MOST, at_least=AT_LEAST, measured=measured)]
    lines += ["## What changed between versions", ""]
    lines += [*_table([known for known in KNOWN if known.changed], versions), ""]
    for title, section in SECTIONS.items():
        lines += [f"## {title}", "", *_table(section, versions), ""]
    return "\n".join(lines).rstrip() + "\n"


def _table(section: Iterable[Known], versions: dict[str, Any]) -> list[str]:
    heads = ["Call", "With", "Expected", *versions, "Source"]
    lines = [_row(heads), _row(["---"] * len(heads))]
    for known in section:
        cells = [_cell(known, name, figures) for name, figures in versions.items()]
        source = f"[{known.source}]({_SOURCE}{known.source}): {known.shows}"
        loop = f", {known.times:,} times" if known.times > 1 else ""
        lines.append(_row([f"`{known.call}`", known.size + loop, _expected(known), *cells, source]))
    return lines


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _expected(known: Known) -> str:
    if known.changed is not None:
        since, answer = known.changed
        return f"{known.expected}; from {since[0]}.{since[1]} on {answer}"
    if known.new_in > (3, 11):
        return f"{known.expected}; new in {known.new_in[0]}.{known.new_in[1]}"
    return known.expected


def _cell(known: Known, name: str, figures: dict[str, Any]) -> str:
    """Bold if it is not as expected."""
    held = figures["held"].get(known.name)
    if held is None:
        return "not there"
    found = verdict(held)
    cell = f"{found or 'in between'} {held:.0%}"
    return cell if found == known.expected_in(_number(name)) else f"**{cell}**"


def _number(name: str) -> tuple[int, int]:
    major, minor = name.split(".")
    return int(major), int(minor)
