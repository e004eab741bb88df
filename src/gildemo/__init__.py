"""Shows, measures and asserts which code releases the GIL."""

from gildemo._core import GilMonitorUnavailable, duty_cycle, spin, waitpid

# Type checkers treat this as true. Importing it from typing would take longer than all the rest.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from gildemo._comparison import Comparison, MeasurementError, Verdict, compare
    from gildemo.monitor import GilMonitor, GilRecord
    from gildemo.statement import Statement

__version__ = "0.1.0"

__all__ = [
    "Comparison",
    "GilMonitor",
    "GilMonitorUnavailable",
    "GilRecord",
    "MeasurementError",
    "Statement",
    "Verdict",
    "compare",
    "duty_cycle",
    "spin",
    "waitpid",
]

# The modules that define the other names. They are imported on first use (PEP 562), so that
# `import gildemo` stays cheap for a program that only needs spin().
_LAZY = {
    "Comparison": "gildemo._comparison",
    "GilMonitor": "gildemo.monitor",
    "GilRecord": "gildemo.monitor",
    "MeasurementError": "gildemo._comparison",
    "Statement": "gildemo.statement",
    "Verdict": "gildemo._comparison",
    "compare": "gildemo._comparison",
}


def __getattr__(name: str) -> "Any":
    if name not in _LAZY:
        raise AttributeError(f"module 'gildemo' has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(_LAZY[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
