"""Demonstration: several experiments, measured one after another."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from gildemo import _json, executors
from gildemo._comparison import Comparison, Progress
from gildemo._comparison.experiment import Experiment
from gildemo._demo import task_table

# How many tasks the team of 2021 ran at a time.
_WORKERS_OF_2021 = 5


class Demonstration:
    """Several experiments. The results so far can be read at any time."""

    def __init__(
        self, experiments: Sequence[Experiment], rounds: int, monitor: bool = False
    ) -> None:
        if rounds < 1:
            raise ValueError(f"rounds must be 1 or more, not {rounds}")
        self.experiments = experiments
        self.rounds = rounds
        self.monitor = monitor  # whether to run each task once more, under a GilMonitor

    def run(self, progress: Progress | None = None) -> None:
        """Measure everything. Raises MeasurementError; what was measured before is kept."""
        total = sum(len(experiment.kinds) for experiment in self.experiments) * self.rounds
        done = 0
        for experiment in self.experiments:
            while experiment.rounds < self.rounds:
                if progress is not None:
                    progress(done, total, experiment.name)
                experiment.step()
                done += 1
            if self.monitor:
                experiment.monitor()

    @property
    def comparisons(self) -> list[Comparison]:
        """The comparison of each experiment that has a complete round."""
        found = (experiment.comparison() for experiment in self.experiments)
        return [comparison for comparison in found if comparison is not None]

    def to_dict(self) -> dict[str, Any]:
        """Return the comparisons so far as values that the json module can write."""
        comparisons = [comparison.to_dict() for comparison in self.comparisons]
        return _json.wrap("demonstration", {"comparisons": comparisons})


def demonstration(
    workers: int | None = None,
    names: Iterable[str] = executors.NAMES,
    rounds: int = 3,
) -> Demonstration:
    """Return the demonstration, with tasks of a size that suits this machine.

    names: the names of the executors.

    Raises ValueError for a bad argument.
    """
    sizes = task_table.sizes()
    kinds = [executors.resolve(name) for name in names]
    return Demonstration(
        [
            Experiment(
                task.function,
                *task.arguments(sizes),
                name=task.name,
                workers=workers,
                executors=kinds,
            )
            for task in task_table.TASKS
        ],
        rounds,
        monitor="threads" in (kind.name for kind in kinds),
    )


def original(workers: int = _WORKERS_OF_2021, rounds: int = 1) -> Demonstration:
    """Return the experiment of 2021 at its original size, and a wait that holds the GIL.

    The team of 2021 could not try a wait that holds the GIL. Raises ValueError for a bad argument.
    """
    return Demonstration(
        [
            Experiment(
                task.function,
                *task.original,
                name=task.name,
                workers=workers,
                executors=("threads", "processes"),
            )
            for task in task_table.TASKS
            if task.original is not None
        ],
        rounds,
    )
