"""Turns the wall times of interleaved rounds into a verdict."""

from __future__ import annotations

import functools
import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from gildemo._comparison.results import Ratio, Verdict
from gildemo.executors.registry import is_processes

Walls = Mapping[str, Sequence[float]]

# A difference of less than 10 % does not justify a rewrite, in either direction.
MARGIN = 1.1

# The confidence of an interval. Intervals are checked several times before there is a verdict, and
# each check can be wrong: eight checks at 99 % are wrong about as often as one check at 95 %.
_CONFIDENCE = 0.99

# With fewer rounds, even the interval from the lowest to the highest ratio has less confidence.
FEWEST_ROUNDS = 8

# If a verdict would take more rounds than this, more rounds are not suggested.
_MOST_ROUNDS = 1000


class Ground(Enum):
    """What a verdict rests on."""

    NOT_MEASURED = "threads or processes were not measured"
    INCONCLUSIVE = "an interval contains the margin"
    TOO_SHORT = "sending a call costs more than it saves"
    UNSENDABLE = "only processes would gain, and they can't send the result back"
    NO_GAIN = "nothing is faster than serial"
    PROCESSES_WIN = "processes are faster by more than the margin"
    THREADS_DO = "threads are as fast as processes, or faster"


@dataclass(frozen=True)
class Decision:
    """A verdict, and the ratios on which it rests."""

    verdict: Verdict  # for calls that are sent one at a time
    ground: Ground
    # The wall time of threads divided by that of processes, including the cost of sending.
    thread_process_ratio: Ratio | None
    # Over serial, including the cost of sending; empty if serial was not measured.
    speedups: Mapping[str, Ratio]
    batched: Verdict  # for calls that are sent many at a time
    # How many more rounds would probably give a verdict, if this one is inconclusive. None if
    # too many would be needed.
    more_rounds: int | None = None


def ratio(numerators: Sequence[float], denominators: Sequence[float]) -> Ratio:
    """Return the ratio of two executors' wall times, taken round by round.

    If the machine becomes slower or faster, both times of a round change alike. That cancels out
    here, but not in a ratio of medians.
    """
    ratios = sorted(_ratios(numerators, denominators))
    k, confidence = _sign_test(len(ratios))
    return Ratio(statistics.median(ratios), ratios[k - 1], ratios[-k], confidence)


@functools.lru_cache
def _sign_test(n: int) -> tuple[int, float]:
    """Return the k for which the k-th lowest and k-th highest of n values enclose the median.

    The true median lies outside only if fewer than k values fell on one side of it, as in n
    tosses of a coin. The result is the highest k with enough confidence, and that confidence. If no
    k has enough confidence, k is 1: the whole range.
    """
    # In how many of 2**n cases fewer than k values fall on a given side. Integers, because 2**n
    # is too large for a float from n = 1024 on.
    k = cases = term = 1
    most_cases = 2**n // round(2 / (1 - _CONFIDENCE))
    while k < (n + 1) // 2:
        term = term * (n - k + 1) // k
        if cases + term > most_cases:
            break
        k, cases = k + 1, cases + term
    wrong: float = 2 * cases / 2**n
    return k, max(0.0, 1.0 - wrong)


def _ratios(numerators: Sequence[float], denominators: Sequence[float]) -> list[float]:
    return [a / b for a, b in zip(numerators, denominators, strict=True)]


def process_name(names: Iterable[str]) -> str | None:
    """Return the first of these executors that runs tasks in processes."""
    return next(filter(is_processes, names), None)


def decide(
    walls: Walls,
    workers: int = 1,
    call: float = math.inf,
    sending: Mapping[str, float] | None = None,
) -> Decision:
    """Return the verdict on the wall times of `workers` calls at the same time.

    walls: the wall times of each round, by executor.
    call: the seconds that one call takes by itself.
    sending: the seconds that sending one call costs, by executor: 0 if missing, infinite if the
        call can't be sent.
    """
    costs = sending or {}
    sent = {n: _sent(times, costs.get(n, 0.0), workers, call) for n, times in walls.items()}
    verdict, ground = _judge(sent)
    batched, batched_ground = _judge(walls)
    process = process_name(walls)
    if ground is Ground.NO_GAIN and process is not None:
        thread_cost, process_cost = costs.get("threads", 0.0), costs.get(process, 0.0)
        if call < min(thread_cost, process_cost):
            ground = Ground.TOO_SHORT
        elif batched_ground is not Ground.NO_GAIN:
            ground = Ground.UNSENDABLE if math.isinf(process_cost) else Ground.TOO_SHORT
    compared = "threads" in walls and process is not None
    return Decision(
        verdict,
        ground,
        ratio(sent["threads"], sent[process]) if compared and process else None,
        {name: ratio(sent["serial"], sent[name]) for name in walls if "serial" in walls},
        batched,
        _more_rounds(sent) if ground is Ground.INCONCLUSIVE else None,
    )


def _sent(walls: Sequence[float], sending: float, workers: int, call: float) -> list[float]:
    """Return what the wall times would be if each call was sent by itself.

    Each call then keeps its worker busy for longer. One thread sends all calls, one after another,
    so a round takes at least the time to send `workers` calls.
    """
    return [max(wall * (1.0 + sending / call), workers * sending) for wall in walls]


def _judge(walls: Walls) -> tuple[Verdict, Ground]:
    process = process_name(walls)
    if process is None or "threads" not in walls:
        return Verdict.INCONCLUSIVE, Ground.NOT_MEASURED
    threads_to_processes = ratio(walls["threads"], walls[process])
    any_speedup = Ratio(math.inf, math.inf, math.inf, 1.0)
    thread_speedup, process_speedup = (
        ratio(walls["serial"], walls[name]) if "serial" in walls else any_speedup
        for name in ("threads", process)
    )
    if thread_speedup.high <= MARGIN and process_speedup.high <= MARGIN:
        return Verdict.NEITHER, Ground.NO_GAIN
    if threads_to_processes.low > MARGIN and process_speedup.low > MARGIN:
        return Verdict.PROCESSES, Ground.PROCESSES_WIN
    if threads_to_processes.high <= MARGIN and thread_speedup.low > MARGIN:
        return Verdict.THREADS, Ground.THREADS_DO
    return Verdict.INCONCLUSIVE, Ground.INCONCLUSIVE


def _more_rounds(walls: Walls) -> int | None:
    """Return how many more rounds it would take until no interval contains the margin.

    This assumes that the spread stays the same. Return None if it would take too many.
    """
    process = process_name(walls)
    assert process is not None
    pairs = [("threads", process)]
    if "serial" in walls:
        pairs += [("serial", "threads"), ("serial", process)]
    needed = [
        _rounds_needed(_ratios(walls[a], walls[b]))
        for a, b in pairs
        if not is_conclusive(ratio(walls[a], walls[b]))
    ]
    rounds = len(walls["threads"])
    most = max(needed, default=rounds + 1)
    return None if most > _MOST_ROUNDS else max(1, math.ceil(most) - rounds)


def is_conclusive(found: Ratio) -> bool:
    """Return whether the interval lies on one side of the margin."""
    return found.high <= MARGIN or found.low > MARGIN


def _rounds_needed(ratios: Sequence[float]) -> float:
    """Return with how many rounds the interval would just exclude the margin.

    The logarithms of such ratios are roughly normally distributed. For a normal distribution, the
    standard error of a median is 1.25 times that of a mean.
    """
    if not all(0 < r < math.inf for r in ratios):
        return math.inf
    logarithms = [math.log(r) for r in ratios]
    distance = abs(statistics.median(logarithms) - math.log(MARGIN))
    spread = statistics.stdev(logarithms) if len(logarithms) > 1 else 0.0
    if distance == 0.0:
        return math.inf
    return max(float(FEWEST_ROUNDS), (1.96 * 1.25 * spread / distance) ** 2)
