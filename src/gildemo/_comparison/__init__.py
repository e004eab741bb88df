"""compare(): measure a task under several executors, decide which to use, and explain it."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from gildemo import executors as kinds
from gildemo._comparison.errors import MeasurementError
from gildemo._comparison.experiment import Experiment, not_negative
from gildemo._comparison.results import Comparison, Verdict
from gildemo._comparison.rounds import MAX_TIME, Progress, run
from gildemo.executors import ExecutorKind
from gildemo.statement import Statement

__all__ = [
    "MAX_TIME",
    "MIN_TIME",
    "Comparison",
    "Experiment",
    "MeasurementError",
    "Progress",
    "Verdict",
    "compare",
    "run",
]

# The default of the shortest time that one measurement takes, in seconds. The scheduler can delay
# a thread for milliseconds, which is little in comparison.
MIN_TIME = 0.1


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
    """Run `task(*args)` under several executors, `workers` at a time, and compare the wall times.

    task: a callable that can be pickled (for processes and subinterpreters), or a Statement.
    workers: how many tasks run at a time. The default is the number of CPUs that this process may
        use, and at least 2.
    executors: names ("serial", "threads", "processes", "processes:START_METHOD",
        "subinterpreters") or ExecutorKinds. The result's `unavailable` lists those that this
        Python does not have.
    rounds: how often each executor is measured. By default, until there is a verdict.
    min_time: a short call is repeated until one measurement takes this many seconds. 0 means that
        it is not repeated.
    max_time: seconds after which to stop even without a verdict. Has no effect with `rounds`.
    monitor: whether to run the threads once more, without timing them, under a GilMonitor; its
        record is the result's `gil`.
    timeout: seconds that one measurement may take. A thread that still runs the task after that
        can't be ended, and continues to run.
    progress: called after each measurement with the number of measurements done, the number
        planned, and the name of the executor.

    Raises MeasurementError if the task fails, and TypeError or ValueError for a bad argument.
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
