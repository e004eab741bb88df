"""compare(): one task under several kinds of executor, until it is clear which to use."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from gildemo import executors as kinds
from gildemo._comparison import verdict
from gildemo._comparison.experiment import Experiment, not_negative
from gildemo._comparison.results import Comparison, Verdict
from gildemo.executors import ExecutorKind
from gildemo.statement import Statement

Progress = Callable[[int, int, str], None]

# One measurement takes at least so long, in seconds, unless a call does: long against the
# milliseconds for which a scheduler may let a thread wait.
MIN_TIME = 0.1

# After how many rounds to look whether it is clear: at intervals that grow, as each look is one
# more chance to take noise for an answer.
LOOKS = frozenset(round(verdict.FEWEST_ROUNDS * 1.5**n) for n in range(20))

# When to give up hope that more rounds make the answer clear, in seconds.
MAX_TIME = 30.0


def compare(
    task: Callable[..., object] | Statement,
    *args: object,
    workers: int | None = None,
    executors: Iterable[str | ExecutorKind] = kinds.NAMES,
    rounds: int | None = None,
    min_time: float = MIN_TIME,
    max_time: float = MAX_TIME,
    monitor: bool = True,
    timeout: float | None = None,
    progress: Progress | None = None,
) -> Comparison:
    """Run `task(*args)` under several executors, `workers` at once, and compare the wall times.

    task: a callable that can be pickled (for processes and subinterpreters), or a Statement.
    workers: default one for each CPU that this process may use, at least 2. executors: names
    (serial, thread, process, process:START_METHOD, interpreter) or ExecutorKinds; those that
    this Python does not have are listed in the result's `unavailable`. rounds: how often each
    is measured; default: until the verdict is clear, or `max_time` seconds are over. min_time: a
    short call is repeated until one measurement takes that many seconds; 0: it is called once.
    monitor: whether to run the threads once more, unmeasured, under a GilMonitor, for the
    result's `gil`. timeout: seconds that one measurement may take; a thread that then still runs
    the task can't be ended, and goes on. progress: called with the steps done, the steps
    foreseen, and the name of the executor just measured.

    Raises MeasurementError if the task fails, TypeError or ValueError for a bad argument.
    """
    if rounds is not None and rounds < 1:
        raise ValueError(f"rounds must be 1 or more, not {rounds}")
    experiment = Experiment(
        task, *args, workers=workers, executors=executors, timeout=timeout, sending=True
    )
    if not_negative("min_time", min_time) > 0:
        experiment.calibrate(min_time)
    run(experiment, rounds, max_time, monitor, progress)
    comparison = experiment.comparison()
    assert comparison is not None
    return comparison


def run(
    experiment: Experiment,
    rounds: int | None = None,
    max_time: float = MAX_TIME,
    monitor: bool = True,
    progress: Progress | None = None,
) -> None:
    """Measure an experiment until it is clear, and then monitor it, as `compare` says."""
    end = time.monotonic() + not_negative("max_time", max_time)
    done = 0
    while True:
        began = time.monotonic()
        complete = experiment.rounds
        foreseen = rounds or min(look for look in LOOKS if look > complete)
        while experiment.rounds == complete:
            name = experiment.step()
            done += 1
            if progress is not None:
                progress(done, foreseen * len(experiment.kinds), name)
        now = time.monotonic()
        if experiment.rounds == rounds:
            break
        is_late = now + (now - began) > end
        if rounds is None and (is_late or (experiment.rounds in LOOKS and _is_clear(experiment))):
            break
    if monitor and any(kind.name == "threads" for kind in experiment.kinds):
        experiment.monitor()


def _is_clear(experiment: Experiment) -> bool:
    comparison = experiment.comparison()
    assert comparison is not None
    if comparison.thread_process_ratio is None:
        # There is nothing to be decided; so many rounds show the spread.
        return True
    return comparison.verdict is not Verdict.INCONCLUSIVE
