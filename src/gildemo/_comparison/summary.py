"""Turns measurements into a Comparison, by arithmetic alone."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

from gildemo._comparison import verdict
from gildemo._comparison.explanation import explain
from gildemo._comparison.figures import Figures
from gildemo._comparison.measurement import Measurement
from gildemo._comparison.results import Comparison, ExecutorResult, Spread
from gildemo.monitor.record import GilRecord


@dataclass(frozen=True)
class Setting:
    """What was measured, how and where."""

    task: str
    workers: int
    calls: int  # that each worker made in a round
    cpus: int
    python: str
    gil_enabled: bool = True
    alone: float | None = None  # seconds that one call took by itself
    gil: GilRecord | None = None
    gil_unavailable: str | None = None  # why there is no `gil`
    unavailable: Mapping[str, str] = field(default_factory=dict)  # executors, and why
    warnings: tuple[str, ...] = ()


def summarize(measurements: Mapping[str, Sequence[Measurement]], setting: Setting) -> Comparison:
    """Compare the complete rounds of some executors. Raises ValueError if no round is complete."""
    rounds = min((len(measured) for measured in measurements.values()), default=0)
    if rounds == 0:
        raise ValueError("no round is complete: measure each executor at least once")
    complete = {name: measured[:rounds] for name, measured in measurements.items()}
    walls = {
        name: [m.wall / setting.calls for m in measured] for name, measured in complete.items()
    }
    call = median(walls["serial"]) / setting.workers if "serial" in walls else setting.alone
    results = {name: _result(complete[name], walls, name, setting) for name in complete}
    costs = {
        name: math.inf if result.unsendable else result.sending or 0.0
        for name, result in results.items()
    }
    # Each worker makes one call in a wall time, so a call can't take longer than that.
    at_most = min(result.wall.median for result in results.values())
    decision = verdict.decide(walls, setting.workers, call or at_most, costs)
    process = verdict.process_name(walls)
    figures = Figures(
        workers=setting.workers,
        calls=setting.calls,
        rounds=rounds,
        cpus=setting.cpus,
        call=call,
        executors=results,
        gil=setting.gil,
        gil_enabled=setting.gil_enabled,
        decision=decision,
    )
    return Comparison(
        task=setting.task,
        workers=setting.workers,
        calls=setting.calls,
        rounds=rounds,
        cpus=setting.cpus,
        python=setting.python,
        executors=results,
        call=call,
        thread_process_ratio=verdict.ratio(walls["threads"], walls[process])
        if "threads" in walls and process
        else None,
        verdict=decision.verdict,
        reason=explain(figures),
        gil_enabled=setting.gil_enabled,
        unavailable=dict(setting.unavailable),
        gil=setting.gil,
        gil_unavailable=setting.gil_unavailable,
        warnings=setting.warnings,
    )


def _result(
    measured: Sequence[Measurement],
    walls: Mapping[str, Sequence[float]],
    name: str,
    setting: Setting,
) -> ExecutorResult:
    wall = Spread.of(walls[name])
    sendings = [m.sending for m in measured if m.sending is not None]
    sending = median(sendings) if sendings else None
    speedup = verdict.ratio(walls["serial"], walls[name]).median if "serial" in walls else None
    return ExecutorResult(
        wall=wall,
        startup=Spread.of([m.startup for m in measured]),
        speedup=speedup,
        efficiency=None if speedup is None else speedup / min(setting.workers, setting.cpus),
        walls=tuple(walls[name]),
        throughput=setting.workers / wall.median,
        cpu=median(m.cpu for m in measured) / setting.calls,
        sending=sending,
        unsendable=next((m.unsendable for m in measured if m.unsendable), None),
        break_even=_break_even(sending, speedup),
    )


def _break_even(sending: float | None, speedup: float | None) -> float | None:
    """Return the length of the shortest call for which sending it is worth its cost.

    A call of length c keeps a worker busy for c + sending, so with this speedup it is faster than
    serial if (c + sending) / speedup < c. A call that is shorter than `sending` is never faster.
    """
    if sending is None or speedup is None or speedup <= 1:
        return None
    return sending * max(1.0, 1 / (speedup - 1))
