"""The demonstration: which tasks it compares, and what their figures say."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from gildemo import executors, tasks
from gildemo._comparison._compare import Progress
from gildemo._comparison.experiment import Experiment
from gildemo._comparison.results import SCHEMA, Comparison, Verdict
from gildemo._comparison.verdict import MARGIN

FIBO = "fibo (pure Python)"
SPIN_HELD = "spin, GIL held"
SPIN_RELEASED = "spin, GIL released"
WAIT_HELD = "wait for a child, GIL held"
WAIT_RELEASED = "wait for a child, GIL released"
SUBPROCESS = "subprocess wait (standard library)"

# What one call is made to take, in seconds, by itself on an idle CPU: long against the start
# of a task, and short enough for the whole to end within half a minute.
_TASK_SECONDS = 0.2


# What the team published in 2021 for five at once, `fibo(32)` and `sleep 2`: the wall times under
# threads and under processes, in seconds.
PUBLISHED = {FIBO: (4.0595, 0.8843), SUBPROCESS: (2.0174, 2.0357)}

_ORIGINAL: tuple[tuple[str, Callable[..., object], tuple[object, ...]], ...] = (
    (FIBO, tasks.fibo, (32,)),
    (SUBPROCESS, tasks.wait_with_subprocess, (2,)),
    (WAIT_HELD, tasks.wait_for_child, (2, False)),
)


class Demonstration:
    """Some experiments, run one after another; what is measured can be had at any time."""

    def __init__(
        self, experiments: Sequence[Experiment], rounds: int, monitor: bool = False
    ) -> None:
        if rounds < 1:
            raise ValueError(f"rounds must be 1 or more, not {rounds}")
        self.experiments = experiments
        self.rounds = rounds
        self.monitor = monitor

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
        """The comparison of every experiment that has a complete round."""
        found = (experiment.comparison() for experiment in self.experiments)
        return [comparison for comparison in found if comparison is not None]

    def to_dict(self) -> dict[str, Any]:
        """Give JSON-able values: the comparisons so far."""
        comparisons = [comparison.to_dict() for comparison in self.comparisons]
        return {"schema": SCHEMA, "comparisons": comparisons}


def demonstration(
    workers: int | None = None,
    names: Iterable[str] = executors.NAMES,
    rounds: int = 3,
) -> Demonstration:
    """The six tasks, sized for this machine. Raises ValueError for a bad argument."""
    n, iterations = _fibo_size(), _spin_size()
    chosen: tuple[tuple[str, Callable[..., object], tuple[object, ...]], ...] = (
        (FIBO, tasks.fibo, (n,)),
        (SPIN_HELD, tasks.spin_held, (iterations,)),
        (SPIN_RELEASED, tasks.spin_released, (iterations,)),
        (WAIT_HELD, tasks.wait_for_child, (_TASK_SECONDS, False)),
        (WAIT_RELEASED, tasks.wait_for_child, (_TASK_SECONDS, True)),
        (SUBPROCESS, tasks.wait_with_subprocess, (_TASK_SECONDS,)),
    )
    names = tuple(names)
    return Demonstration(
        [
            Experiment(task, *args, name=name, workers=workers, executors=names)
            for name, task, args in chosen
        ],
        rounds,
        monitor="threads" in names,
    )


def original(workers: int | None = None, rounds: int = 1) -> Demonstration:
    """The team's experiment at its own size, and the wait that they could not try."""
    return Demonstration(
        [
            Experiment(
                task, *args, name=name, workers=workers or 5, executors=("threads", "processes")
            )
            for name, task, args in _ORIGINAL
        ],
        rounds,
    )


def _seconds(function: Callable[[], object]) -> float:
    """The shortest of three runs: what else the machine does can only make one longer."""
    times = []
    for _ in range(3):
        began = time.perf_counter()
        function()
        times.append(time.perf_counter() - began)
    return min(times)


def _spin_size() -> int:
    steps = 2_000_000
    return round(steps * _TASK_SECONDS / _seconds(lambda: tasks.spin_released(steps)))


def _fibo_size() -> int:
    n = 18
    seconds = _seconds(lambda: tasks.fibo(n))
    while seconds < _TASK_SECONDS * 0.8:
        # fibo(n + 1) makes as many calls as fibo(n) and fibo(n - 1): the golden ratio more.
        seconds *= 1.618
        n += 1
    return n


def conclusions(comparisons: Iterable[Comparison]) -> list[str]:
    """What the figures say, in a few sentences; where they contradict the theory, that."""
    found = {comparison.task: comparison for comparison in comparisons}
    sentences = [
        _on_pair("Computing in C", found.get(SPIN_HELD), found.get(SPIN_RELEASED)),
        _on_pair("Waiting for a child", found.get(WAIT_HELD), found.get(WAIT_RELEASED))
        or _on_counterfactual(found.get(WAIT_HELD)),
        _on_subprocess(found.get(SUBPROCESS)),
        _on_fibo(found.get(FIBO)),
    ]
    return [sentence for sentence in sentences if sentence]


def _ratio(comparison: Comparison | None) -> float | None:
    """Threads to processes, if this comparison has both."""
    if comparison is None or comparison.thread_process_ratio is None:
        return None
    return comparison.thread_process_ratio.median


def _times(ratio: float) -> str:
    return f"{ratio:.2f} times as long as processes"


# Said instead of a conclusion.
_UNCLEAR = (
    ", but the rounds differ too much to conclude from that: is the machine busy? Try again, or "
    "with --rounds 9."
)


def _is_unclear(comparison: Comparison | None) -> bool:
    """Whether it measured threads and processes, and could not tell which are better."""
    return comparison is not None and comparison.verdict is Verdict.INCONCLUSIVE


def _on_pair(what: str, held: Comparison | None, released: Comparison | None) -> str | None:
    with_gil, without = _ratio(held), _ratio(released)
    if held is None or with_gil is None or without is None:
        return None
    figures = (
        f"{what}, threads took {_times(with_gil)} with the GIL held and {without:.2f} times with "
        "it released"
    )
    if not held.gil_enabled:
        return f"{figures}; this Python runs without the GIL, so the two should not differ."
    if _is_unclear(held) or _is_unclear(released):
        return f"{figures}{_UNCLEAR}"
    if without <= MARGIN < with_gil:
        return f"{figures}: releasing the GIL is all that threads needed."
    if with_gil > MARGIN and without < with_gil / MARGIN:
        return f"{figures}: that helped, but something else still holds the threads up."
    return (
        f"{figures}: here it made no such difference as the theory says. Was the machine busy, or "
        "are there fewer CPUs than workers?"
    )


def _on_counterfactual(held: Comparison | None) -> str | None:
    if held is None or "threads" not in held.executors or "processes" not in held.executors:
        return None
    thread, process = held["threads"].wall.median, held["processes"].wall.median
    figures = (
        f"Had CPython kept the GIL in waitpid, {held.workers} waits in threads would have taken "
        f"{thread:.2f} s instead of {process:.2f} s"
    )
    if thread > process * (1 + held.workers) / 2:
        return f"{figures}, because they take place one after another."
    return f"{figures}; that they do not take place one after another contradicts the theory."


def _on_subprocess(comparison: Comparison | None) -> str | None:
    ratio = _ratio(comparison)
    if ratio is None:
        return None
    figures = f"With the standard library's subprocess, threads took {_times(ratio)}"
    if _is_unclear(comparison):
        return f"{figures}{_UNCLEAR}"
    if 1 / MARGIN <= ratio <= MARGIN:
        return f"{figures}: it releases the GIL, and a rewrite with processes buys nothing."
    if ratio < 1 / MARGIN:
        return f"{figures}: a rewrite with processes would have made it slower."
    return f"{figures}, though it releases the GIL: that contradicts the theory."


def _on_fibo(comparison: Comparison | None) -> str | None:
    ratio = _ratio(comparison)
    if comparison is None or ratio is None:
        return None
    figures = f"In pure Python, threads took {_times(ratio)}"
    if not comparison.gil_enabled:
        return f"{figures}; this Python runs without the GIL."
    if _is_unclear(comparison):
        return f"{figures}{_UNCLEAR}"
    if ratio <= MARGIN:
        return f"{figures}, though they share one GIL: were there CPUs for the processes?"
    return f"{figures}: this is the code for which they are worth their price{_saved(comparison)}."


def _saved(comparison: Comparison) -> str:
    results: Mapping[str, Any] = comparison.executors
    if "subinterpreters" not in results:
        return ""
    interpreters, process = results["subinterpreters"], results["processes"]
    return (
        f" (subinterpreters took {interpreters.wall.median / process.wall.median:.2f} times as "
        f"long, and {interpreters.startup.median:.2f} s to start against "
        f"{process.startup.median:.2f} s)"
    )
