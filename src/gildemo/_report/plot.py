"""Comparisons and records as pictures: wall times as bars, and what the threads did as lanes.

matplotlib is imported when it is needed.
"""

from __future__ import annotations

import importlib.util
import math
import textwrap
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gildemo._comparison.results import Comparison, Verdict
from gildemo._report.lanes import coarsened, duration, shown_threads, thread_states
from gildemo._report.plot_style import (
    NO_MATPLOTLIB,
    SMALL,
    STATES,
    Look,
    executor_looks,
    style,
)
from gildemo._units import seconds
from gildemo.monitor.record import GilRecord

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ENDINGS = (".png", ".svg", ".pdf")

# Inches.
_WIDTH, _LEAST_WIDTH = 9.0, 7.0
# Inches: a line of text, a bar, a lane, the gap between groups, a heading, an axis's labels.
_LINE, _BAR, _LANE, _GAP, _HEADING, _TICKS = 0.15, 0.17, 0.19, 0.14, 0.5, 0.22

_MOST_LANES = 16
_LONGEST_NAME = 20

# Entries of a legend in a row.
_MOST_IN_ROW = 5

# A lane with more intervals is drawn in steps of about a pixel.
_STEPS = 1000

# Wall times and lanes share an axis unless it would be more than this many times as long as the
# shortest record.
_TOO_LONG = 8


def unusable(path: Path) -> str | None:
    """Return why `plot` can't draw to this path, or None. Call this before measuring."""
    if path.suffix.lower() not in ENDINGS:
        return _wrong_ending(path)
    return None if importlib.util.find_spec("matplotlib") else NO_MATPLOTLIB


def _wrong_ending(path: Path) -> str:
    return f"can't plot to {str(path)!r}: its name must end in .png, .svg or .pdf"


def plot(comparisons: Sequence[Comparison], path: Path) -> None:
    """Draw comparisons to a PNG, SVG or PDF file. The ending of its name chooses the format.

    Raises ValueError for any other ending or if there is no comparison, RuntimeError without
    matplotlib, and OSError if the file can't be written.
    """
    _save(lambda: figure(comparisons), path)


def plot_record(title: str, record: GilRecord, path: Path) -> None:
    """Draw what the threads of one record did. Raises as `plot` does."""
    _save(lambda: _record_figure(title, record), path)


def _save(draw: Callable[[], Figure], path: Path) -> None:
    if path.suffix.lower() not in ENDINGS:
        raise ValueError(_wrong_ending(path))
    with style():
        draw().savefig(path, dpi=150)


def figure(comparisons: Sequence[Comparison], width: float = _WIDTH) -> Figure:
    """Draw comparisons as a matplotlib Figure, for example to show it in a notebook.

    The upper part shows the wall times: bars for the medians, lines from the lowest to the
    highest. The lower part shows what the threads did in each comparison that has a GilRecord.

    width: inches, at least 7. The height follows from the content.

    Raises ValueError and RuntimeError as `plot` does.
    """
    if not comparisons:
        raise ValueError("there is no comparison to plot")
    if width < _LEAST_WIDTH:
        raise ValueError(f"width must be {_LEAST_WIDTH:g} inches or more, not {width}")
    with style():
        return _figure(comparisons, width)


def _record_figure(title: str, record: GilRecord) -> Figure:
    looks, lanes = _lane_looks([record]), _lane_count(record) * _LANE
    drawn, rows = _rows([_heading_height(looks), lanes], _TICKS + 0.35, _WIDTH)
    _draw_heading(rows[0], "Who held the GIL", looks)
    _draw_lanes(rows[1], title, record)
    rows[1].set_xlim(0, _length(record))
    return drawn


def _rows(heights: Sequence[float], around: float, width: float) -> tuple[Figure, Any]:
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    layout = ConstrainedLayoutEngine(w_pad=0.06, h_pad=0.03, hspace=0)
    drawn = Figure(figsize=(width, sum(heights) + around), layout=layout)
    return drawn, drawn.subplots(len(heights), height_ratios=heights)


def _figure(comparisons: Sequence[Comparison], width: float) -> Figure:
    recorded = [(c.task, c.gil) for c in comparisons if c.gil and c.gil.timeline]
    records = [record for _, record in recorded]
    end = max(r.wall.high * 1.12 for c in comparisons for r in c.executors.values())
    # The bars show one call on each worker; the lanes may show many.
    common = all(c.calls == 1 for c in comparisons)
    if common:
        end = max([end, *map(_length, records)])
        common = all(_length(record) * _TOO_LONG >= end for record in records)

    lanes = [_lane_count(record) * _LANE for record in records]
    bars = sum(_height(c) + _GAP for c in comparisons)
    looks = _lane_looks(records)
    heights = [_HEADING, bars, *([_heading_height(looks) * 1.2, *lanes] if lanes else [])]
    around = (1 if common else len(lanes)) * _TICKS + len(lanes) * 0.3 + 0.3
    drawn, rows = _rows(heights, around, width)
    _draw_heading(rows[0], _setting(comparisons), _bar_looks(comparisons))
    _draw_bars(rows[1], comparisons, end)
    if records:
        _draw_heading(rows[2], "One more round in threads, under a GilMonitor", looks)
    for axes, (task, record) in zip(rows[3:], recorded, strict=True):
        _draw_lanes(axes, task, record)
        axes.set_xlim(0, end if common else _length(record))
        if common and axes is not rows[-1]:
            axes.xaxis.set_visible(False)
            axes.spines["bottom"].set_visible(False)
    return drawn


def _legend_rows(looks: Mapping[str, Look]) -> int:
    return math.ceil(len(looks) / _MOST_IN_ROW)


def _heading_height(looks: Mapping[str, Look]) -> float:
    return _HEADING + _LINE * 1.3 * (_legend_rows(looks) - 1)


def _draw_heading(axes: Axes, text: str, looks: Mapping[str, Look]) -> None:
    from matplotlib.patches import Patch

    axes.set_axis_off()
    patches = [Patch(label=name, **look.style()) for name, look in looks.items()]
    legend = axes.legend(handles=patches, loc="lower left", ncols=_MOST_IN_ROW)
    above = 17 + 14 * (_legend_rows(looks) - 1)
    heading = axes.annotate(text, (0, 0), (0, above), textcoords="offset points", weight="bold")
    # A heading that is wider than the axes below must not make them narrower.
    legend.set_in_layout(False)
    heading.set_in_layout(False)


def _setting(comparisons: Sequence[Comparison]) -> str:
    # Comparisons that were read from files may come from different machines.
    found = {f"{c.workers} at once, {c.cpus} CPUs, Python {c.python}" for c in comparisons}
    return f"Wall time: {found.pop()}" if len(found) == 1 else "Wall time"


def _bar_looks(comparisons: Sequence[Comparison]) -> dict[str, Look]:
    return executor_looks(name for c in comparisons for name in c.executors)


def _label(comparison: Comparison) -> str:
    return textwrap.fill(comparison.task, 20, max_lines=3, placeholder=" …")


def _height(comparison: Comparison) -> float:
    lines = 1 + _label(comparison).count("\n")
    return max(len(comparison.executors) * _BAR, lines * _LINE)


def _draw_bars(axes: Axes, comparisons: Sequence[Comparison], end: float) -> None:
    looks = _bar_looks(comparisons)
    labels, y = {}, 0.0
    for comparison in comparisons:
        middle = y + (_height(comparison) + _GAP) / 2
        for index, name in enumerate(comparison.executors):
            at = middle + (index - (len(comparison.executors) - 1) / 2) * _BAR
            _draw_bar(axes, at, comparison, name, looks[name])
        if comparison.thread_process_ratio is not None:
            word = comparison.verdict.value
            text = word if comparison.verdict is Verdict.INCONCLUSIVE else f"use\n{word}"
            where = axes.get_yaxis_transform()
            axes.text(1.01, middle, text, transform=where, va="center", size=SMALL, weight="bold")
        labels[middle] = _label(comparison)
        y += _height(comparison) + _GAP
    _set_axes(axes, y, 0, labels)
    axes.set_xlim(0, end)
    axes.grid(axis="x", color="#dddddd", linewidth=0.6)


def _draw_bar(axes: Axes, y: float, comparison: Comparison, name: str, look: Look) -> None:
    from matplotlib.patheffects import withStroke

    wall = comparison[name].wall
    axes.barh(y, wall.median, _BAR * 0.88, **look.style())
    if wall.low < wall.high:
        rim = [withStroke(linewidth=3, foreground="white")]
        axes.plot([wall.low, wall.high], [y, y], color="black", linewidth=1.2, path_effects=rim)
    size, box = SMALL - 1, {"facecolor": "white", "linewidth": 0, "pad": 0.5}
    text = axes.annotate(seconds(wall.median), (wall.high, y), (4, 0), size=size, bbox=box)
    text.set(anncoords="offset points", verticalalignment="center_baseline")


def _set_axes(axes: Axes, bottom: float, top: float, labels: Mapping[float, str]) -> None:
    from matplotlib.ticker import EngFormatter, MaxNLocator

    axes.set_ylim(bottom, top)
    axes.set_yticks([*labels], [*labels.values()], parse_math=False)
    axes.xaxis.set_major_formatter(EngFormatter(unit="s"))
    axes.xaxis.set_major_locator(MaxNLocator(6))
    axes.set_axisbelow(True)


def _length(record: GilRecord) -> float:
    return duration(record) / 1e9


def _lane_count(record: GilRecord) -> int:
    return max(1, min(len(shown_threads(record)), _MOST_LANES))


def _lane_looks(records: Sequence[GilRecord]) -> dict[str, Look]:
    """Return the legend: only the states of threads that are shown."""
    seen = {
        state
        for record in records
        for index in shown_threads(record)
        for _, _, state in record.threads[index].intervals
    }
    return dict(look for state, look in STATES.items() if state in seen | {"holds"})


def _shortened(name: str) -> str:
    """Leave out the middle of a long name: the number of a worker is at its end."""
    if len(name) <= _LONGEST_NAME:
        return name
    half = _LONGEST_NAME // 2
    return f"{name[: half - 1]}…{name[-half:]}"


def _draw_lanes(axes: Axes, task: str, record: GilRecord) -> None:
    every, states, end = shown_threads(record), thread_states(record), duration(record)
    shown = every[:_MOST_LANES]
    for lane, index in enumerate(shown):
        for state, intervals in coarsened(states[index], end, _STEPS).items():
            ranges = [(start / 1e9, (stop - start) / 1e9) for start, stop in intervals]
            axes.broken_barh(ranges, (lane - 0.4, 0.8), **STATES[state][1].style())
    names = [_shortened(record.threads[index].name) for index in shown]
    _set_axes(axes, _lane_count(record) - 0.5, -0.5, dict(enumerate(names)))
    name = textwrap.shorten(task, 40, placeholder=" …")
    title = f"{name}: the GIL was held for {record.held:.0%} of {seconds(_length(record))}"
    if len(shown) < len(every):
        title += f" ({len(shown)} of {len(every)} threads)"
    axes.set_title(title, parse_math=False)
