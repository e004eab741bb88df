"""How plots look: colors, hatches and sizes. Each meaning has its own lightness or hatch.

No hatch is made of dots: in an SVG file that would take 250 KB.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterable
from typing import Any, NamedTuple

NO_MATPLOTLIB = 'plots need matplotlib: pip install "gildemo[plot]"'

# Points.
SMALL = 8

# Replaces the user's own style, with which the text might not fit.
_SETTINGS = {
    **{"xtick.labelsize": SMALL, "ytick.labelsize": SMALL, "legend.fontsize": SMALL},
    **{"xtick.major.size": 0, "ytick.major.size": 0, "axes.edgecolor": "#999999"},
    **{f"axes.spines.{side}": False for side in ("left", "top", "right")},
    **{"legend.frameon": False, "legend.borderpad": 0, "legend.borderaxespad": 0},
    **{"axes.titlesize": SMALL, "axes.titlelocation": "left", "axes.titlepad": 3},
}


class Look(NamedTuple):
    """The look of a bar or of a part of a lane."""

    face: str
    hatch: str = ""
    lines: str = "none"

    def style(self) -> dict[str, Any]:
        """Return this look as the arguments of a matplotlib patch."""
        colors = {"facecolor": self.face, "edgecolor": self.lines}
        return {**colors, "hatch": self.hatch, "linewidth": 0}


# For each state of a thread, its name in legends and its look. Busy states are dark.
STATES = {
    "holds": ("holds the GIL", Look("#1b2733")),
    "waits": ("waits for the GIL", Look("#f4977a", "/////", "#8f2f14")),
    "computes": ("computes", Look("#5aa469")),
    "locked": ("locked", Look("#c9a0dc", "xxxx", "#5e3370")),
    "in_system_call": ("in a system call", Look("#bcd7ea")),
    "idle": ("idle", Look("#e9ecef")),
    "not_observed": ("not observed", Look("#ffffff", "|||", "#cccccc")),
}

_EXECUTORS = {
    "serial": Look("#d3d7dc"),
    "threads": Look("#1f5a8a"),
    "processes": Look("#f2b24c", "////", "#8a5a00"),
    "subinterpreters": Look("#86b8a0", r"\\\\", "#1e4a37"),
}
_OTHER_EXECUTORS = (
    Look("#a9789c", "xxxx", "#4b2340"),
    Look("#eadfc4", "----", "#8d7a45"),
    Look("#6d6d6d", "++++", "#e0e0e0"),
)


def executor_looks(names: Iterable[str]) -> dict[str, Look]:
    """Return a look for each executor. The built-in executors always have the same look."""
    others = itertools.cycle(_OTHER_EXECUTORS)
    return {name: _EXECUTORS.get(name) or next(others) for name in dict.fromkeys(names)}


def style() -> contextlib.AbstractContextManager[None]:
    """Apply the style within a `with` statement. Raises RuntimeError without matplotlib."""
    try:
        from matplotlib.style import context
    except ImportError as error:
        raise RuntimeError(NO_MATPLOTLIB) from error
    return context(["default", _SETTINGS])
