"""How many rounds to measure, and when to stop."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from gildemo._comparison.experiment import Experiment, not_negative
from gildemo._comparison.results import Verdict
from gildemo._comparison.verdict import FEWEST_ROUNDS

# Called with the steps done, the steps planned, and the name of the executor just measured.
Progress = Callable[[int, int, str], None]

# The default of how long to measure without a verdict, in seconds.
MAX_TIME = 30.0


def next_check(rounds: int) -> int:
    """Return after how many rounds to check next for a verdict: 8, 12, 18, 27 and so on.

    There are few checks, because each check can mistake noise for a verdict.
    """
    check = FEWEST_ROUNDS
    while check <= rounds:
        check = math.ceil(check * 1.5)
    return check


def run(
    experiment: Experiment,
    rounds: int | None = None,
    max_time: float = MAX_TIME,
    monitor: bool = True,
    progress: Progress | None = None,
) -> None:
    """Measure rounds until there is a verdict, then run the task under a GilMonitor.

    The arguments are those of `compare`. Raises MeasurementError.
    """
    end = time.monotonic() + not_negative("max_time", max_time)
    check = rounds or next_check(experiment.rounds)
    done = 0
    # The caller may have measured a round already.
    while rounds is None or experiment.rounds < rounds:
        began = time.monotonic()
        complete = experiment.rounds
        while experiment.rounds == complete:
            name = experiment.step()
            done += 1
            if progress is not None:
                progress(done, check * len(experiment.kinds), name)
        if rounds is not None:
            continue
        if experiment.rounds >= check:
            if _is_conclusive(experiment):
                break
            check = next_check(experiment.rounds)
        now = time.monotonic()
        if now + (now - began) > end:
            break  # The next round would end too late.
    if monitor and any(kind.name == "threads" for kind in experiment.kinds):
        experiment.monitor()


def _is_conclusive(experiment: Experiment) -> bool:
    comparison = experiment.comparison()
    assert comparison is not None
    # Without threads or processes there is no verdict to wait for.
    return comparison.thread_process_ratio is None or comparison.verdict is not Verdict.INCONCLUSIVE
