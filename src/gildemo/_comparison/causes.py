"""What keeps calls from running in parallel: the GIL, and other causes that the figures show."""

from __future__ import annotations

from gildemo._comparison.figures import TOLERANCE, Figures
from gildemo._comparison.verdict import Ground
from gildemo._sources import hottest_site
from gildemo._units import counted

# A call that takes this many times as much CPU time beside other calls competes with them.
_COMPETITION = 1.2

# The sentence says where the GIL was held if it was held for more than this fraction of a call.
_NOTICEABLE_HELD = 0.1


def gil_sentence(figures: Figures) -> str:
    """Return a sentence on the GIL, or "" if it was not monitored."""
    if not figures.gil_enabled:
        return "This Python runs without the GIL."
    ground = figures.decision.ground
    if figures.speedup_with_gil is None or ground is Ground.TOO_SHORT:
        return ""
    allowed = figures.speedup_with_gil
    text = (
        f"A monitored call held the GIL for {figures.held:.0%} of its time{_where(figures)}, which "
        f"allows threads a speedup of {allowed:.2f}"
    )
    measured = figures.executors["threads"].speedup
    if measured is None:
        return f"{text}."
    text = f"{text}; the measured speedup is {measured:.2f}"
    if ground in (Ground.THREADS_DO, Ground.PROCESSES_WIN):
        if measured * TOLERANCE < allowed:
            return f"{text}. The GIL is not the reason. {limit(figures, 'threads')}"
        if measured > allowed * TOLERANCE:
            return f"{text}, so the monitored run was not like the others."
    return f"{text}."


def _where(figures: Figures) -> str:
    """Return where the GIL was held the most, if that matters and is known."""
    assert figures.gil is not None
    if not figures.held or figures.held < _NOTICEABLE_HELD:
        return ""
    site = hottest_site(figures.gil.profile)
    return f" (most of it in {site})" if site else ""


def limit(figures: Figures, name: str) -> str:
    """Return a sentence on what limits the speedup of an executor, apart from the GIL."""
    used, result = figures.cpus_of_a_call, figures.executors[name]
    cpus = f"{counted(figures.cpus, 'CPU')} for {counted(figures.workers, 'worker')}"
    if used > TOLERANCE:
        return (
            f"A call alone keeps {used:.1f} CPUs busy with threads of its own, and there "
            f"{'is' if figures.cpus == 1 else 'are'} {cpus}."
        )
    if used <= 0.5:
        return "The measurement does not show why."
    growth = result.cpu / figures.executors["serial"].cpu
    if growth > _COMPETITION:
        return (
            f"A call takes {growth:.2f} times as much CPU time beside other calls as alone: they "
            "slow each other down, for example at the memory bus or in a shared cache."
        )
    if figures.workers > figures.cpus:
        return f"There {'is' if figures.cpus == 1 else 'are'} only {cpus}."
    return (
        "A call takes no more CPU time beside other calls than alone, so it waits: perhaps for a "
        "lock, for a disk, or for a CPU that another program uses."
    )
