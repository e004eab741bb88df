"""Comparisons as a picture: wall times as bars, and what the threads did as lanes.

matplotlib is imported when it is needed. Each meaning has a lightness or a hatch of its own.
"""

from __future__ import annotations

import contextlib
import importlib.util
import itertools
import re
import textwrap
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from gildemo._comparison.results import Comparison, Verdict
from gildemo._report.perfetto import HOLDS, WAITS, coarse, states
from gildemo._units import seconds
from gildemo.monitor import GilRecord

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_NO_MATPLOTLIB = 'plots need matplotlib: pip install "gildemo[plot]"'
_ENDINGS = (".png", ".svg", ".pdf")

_WIDTH, _LEAST_WIDTH = 9.0, 7.0

# Inches: a line of text, a bar, a lane, the space between groups, a heading, an axis's labels.
_LINE, _BAR, _LANE, _GAP, _HEADING, _TICKS = 0.15, 0.17, 0.19, 0.14, 0.5, 0.22
_SMALL = 8

# Instead of the user's own style, with which the texts might not fit.
_SETTINGS = {
    **{"xtick.labelsize": _SMALL, "ytick.labelsize": _SMALL, "legend.fontsize": _SMALL},
    **{"xtick.major.size": 0, "ytick.major.size": 0, "axes.edgecolor": "#999999"},
    **{f"axes.spines.{side}": False for side in ("left", "top", "right")},
    **{"legend.frameon": False, "legend.borderpad": 0, "legend.borderaxespad": 0},
    **{"axes.titlesize": _SMALL, "axes.titlelocation": "left", "axes.titlepad": 3},
}

# A thread that did less, as a fraction of the time, and is no worker, is left out.
_HELD_ENOUGH, _WAITED_ENOUGH = 0.005, 0.05
_MOST_LANES = 16

# A lane with more parts than this is drawn in so many steps, of about a pixel.
_STEPS = 1000

# On an axis that is so many times as long as a recording, nothing could be seen of it.
_TOO_LONG = 8


class _Look(NamedTuple):
    face: str
    hatch: str = ""
    lines: str = "none"

    def style(self) -> dict[str, Any]:
        colors = {"facecolor": self.face, "edgecolor": self.lines}
        return {**colors, "hatch": self.hatch, "linewidth": 0}


_BARS = {
    "serial": _Look("#d3d7dc"),
    "threads": _Look("#1f5a8a"),
    "processes": _Look("#f2b24c", "////", "#8a5a00"),
    "subinterpreters": _Look("#86b8a0", "....", "#1e4a37"),
}
_MORE_BARS = (
    _Look("#a9789c", "xxxx", "#4b2340"),
    _Look("#eadfc4", "----", "#8d7a45"),
    _Look("#6d6d6d", r"\\\\", "#e0e0e0"),
)
_HOLDING = _Look("#1b2733")
_WAITING = _Look("#f4977a", "/////", "#8f2f14")
_WITHOUT = _Look("#dde6dc")


def unusable(path: Path) -> str | None:
    """Why `plot` could not draw to this path, or None; to be asked before measuring."""
    if path.suffix.lower() not in _ENDINGS:
        return _wrong_ending(path)
    return None if importlib.util.find_spec("matplotlib") else _NO_MATPLOTLIB


def _wrong_ending(path: Path) -> str:
    return f"can't plot to {str(path)!r}: its name must end in .png, .svg or .pdf"


def plot(comparisons: Sequence[Comparison], path: Path) -> None:
    """Draw comparisons into a PNG, SVG or PDF file, by the ending of its name.

    Raises ValueError for another ending or for no comparison, RuntimeError without matplotlib,
    and OSError for a file that can't be written.
    """
    _save(lambda: figure(comparisons), path)


def plot_record(name: str, record: GilRecord, path: Path) -> None:
    """Draw what the threads of one GilRecord did; name: of what ran. Raises as `plot` does."""
    _save(lambda: _record_figure(name, record), path)


def _save(draw: Callable[[], Figure], path: Path) -> None:
    if path.suffix.lower() not in _ENDINGS:
        raise ValueError(_wrong_ending(path))
    with _style():
        draw().savefig(path, dpi=150)


def _style() -> contextlib.AbstractContextManager[None]:
    try:
        from matplotlib.style import context
    except ImportError as error:
        raise RuntimeError(_NO_MATPLOTLIB) from error
    return context(["default", _SETTINGS])


def figure(comparisons: Sequence[Comparison], width: float = _WIDTH) -> Figure:
    """Draw comparisons as a matplotlib Figure: to show it in a notebook, or to add to it.

    Above, the wall times: bars for the medians, and lines from the lowest to the highest. Below,
    for each comparison with a GilRecord, what its threads did. width: inches, 7 or more; the
    height follows from what there is to show. Raises ValueError and RuntimeError as `plot` does.
    """
    if not comparisons:
        raise ValueError("there is no comparison to plot")
    if width < _LEAST_WIDTH:
        raise ValueError(f"width must be {_LEAST_WIDTH:g} inches or more, not {width}")
    with _style():
        return _figure(comparisons, width)


def _record_figure(name: str, record: GilRecord) -> Figure:
    lanes = max(1, min(len(_shown(record)), _MOST_LANES)) * _LANE
    drawn, rows = _rows([_HEADING, lanes], _TICKS + 0.35, _WIDTH)
    _draw_heading(rows[0], "Who held the GIL", _lane_looks([record]))
    _draw_lanes(rows[1], name, record)
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
    # What the bars show is one call on each worker, and what the lanes show may be many.
    common = all(c.calls == 1 for c in comparisons)
    if common:
        end = max([end, *map(_length, records)])
        common = all(_length(record) * _TOO_LONG >= end for record in records)

    lanes = [max(1, len(_shown(record))) * _LANE for record in records]
    bars = sum(_height(c) + _GAP for c in comparisons)
    heights = [_HEADING, bars, *([_HEADING * 1.2, *lanes] if lanes else [])]
    around = (1 if common else len(lanes)) * _TICKS + len(lanes) * 0.3 + 0.3
    drawn, rows = _rows(heights, around, width)
    _draw_heading(rows[0], _setting(comparisons), _bar_looks(comparisons))
    _draw_bars(rows[1], comparisons, end)
    if records:
        _draw_heading(rows[2], "One more run in threads, under a GilMonitor", _lane_looks(records))
    for axes, (task, record) in zip(rows[3:], recorded, strict=True):
        _draw_lanes(axes, task, record)
        axes.set_xlim(0, end if common else _length(record))
        if common and axes is not rows[-1]:
            axes.xaxis.set_visible(False)
            axes.spines["bottom"].set_visible(False)
    return drawn


def _draw_heading(axes: Axes, text: str, looks: Mapping[str, _Look]) -> None:
    from matplotlib.patches import Patch

    axes.set_axis_off()
    patches = [Patch(label=name, **look.style()) for name, look in looks.items()]
    legend = axes.legend(handles=patches, loc="lower left", ncols=len(looks))
    heading = axes.annotate(text, (0, 0), (0, 17), textcoords="offset points", weight="bold")
    # They may be wider than what is below them, which is no reason to make that narrower.
    legend.set_in_layout(False)
    heading.set_in_layout(False)


def _setting(comparisons: Sequence[Comparison]) -> str:
    # Those that were read back from files may be of different machines.
    found = {f"{c.workers} at once, {c.cpus} CPUs, Python {c.python}" for c in comparisons}
    return f"Wall time: {found.pop()}" if len(found) == 1 else "Wall time"


def _bar_looks(comparisons: Sequence[Comparison]) -> dict[str, _Look]:
    names = dict.fromkeys(name for c in comparisons for name in c.executors)
    more = itertools.cycle(_MORE_BARS)
    return {name: _BARS.get(name) or next(more) for name in names}


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
        for place, name in enumerate(comparison.executors):
            at = middle + (place - (len(comparison.executors) - 1) / 2) * _BAR
            _draw_bar(axes, at, comparison, name, looks[name])
        if comparison.thread_process_ratio is not None:
            unclear, where = comparison.verdict is Verdict.INCONCLUSIVE, axes.get_yaxis_transform()
            text = "unclear" if unclear else f"use\n{comparison.verdict.value}"
            axes.text(1.01, middle, text, transform=where, va="center", size=_SMALL, weight="bold")
        labels[middle] = _label(comparison)
        y += _height(comparison) + _GAP
    _set_axes(axes, y, 0, labels)
    axes.set_xlim(0, end)
    axes.grid(axis="x", color="#dddddd", linewidth=0.6)


def _draw_bar(axes: Axes, y: float, comparison: Comparison, name: str, look: _Look) -> None:
    from matplotlib.patheffects import withStroke

    wall = comparison[name].wall
    axes.barh(y, wall.median, _BAR * 0.88, **look.style())
    if wall.low < wall.high:
        rim = [withStroke(linewidth=3, foreground="white")]
        axes.plot([wall.low, wall.high], [y, y], color="black", linewidth=1.2, path_effects=rim)
    size, box = _SMALL - 1, {"facecolor": "white", "linewidth": 0, "pad": 0.5}
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
    return (record.timeline[-1][1] - record.timeline[0][0]) / 1e9


def _shown(record: GilRecord) -> list[int]:
    """The places of the threads that get a lane: workers first, by the numbers in their names."""
    found = []
    for place, thread in enumerate(record.threads):
        worker = thread.name.startswith("worker_")
        if worker or thread.held >= _HELD_ENOUGH or (thread.waiting or 0) >= _WAITED_ENOUGH:
            found.append((not worker, [int(n) for n in re.findall(r"\d+", thread.name)], place))
    return [place for *_, place in sorted(found)]


def _lane_looks(records: Sequence[GilRecord]) -> dict[str, _Look]:
    without = "runs without it, or sleeps"
    if any(thread.waiting is not None for record in records for thread in record.threads):
        return {HOLDS: _HOLDING, WAITS: _WAITING, without: _WITHOUT}
    # Where it can't be seen who waits, it must not look as if nobody did.
    return {HOLDS: _HOLDING, f"waits for it, {without}": _WITHOUT}


def _draw_lanes(axes: Axes, task: str, record: GilRecord) -> None:
    shown, did, end = _shown(record), states(record), round(_length(record) * 1e9)
    for lane, place in enumerate(shown[:_MOST_LANES]):
        holds, waits = coarse(did[place], end, _STEPS)
        for intervals, look in (([(0, end)], _WITHOUT), (waits, _WAITING), (holds, _HOLDING)):
            ranges = [(start / 1e9, (stop - start) / 1e9) for start, stop in intervals]
            axes.broken_barh(ranges, (lane - 0.4, 0.8), **look.style())
    names = [record.threads[place].name[:20] for place in shown[:_MOST_LANES]]
    _set_axes(axes, max(1, len(names)) - 0.5, -0.5, dict(enumerate(names)))
    name = textwrap.shorten(task, 40, placeholder=" …")
    title = f"{name}: the GIL was held for {record.held:.0%} of {seconds(_length(record))}"
    if len(names) < len(shown):
        title += f" ({len(names)} of {len(shown)} threads)"
    axes.set_title(title, parse_math=False)
