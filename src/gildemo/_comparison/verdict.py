"""From the wall times of interleaved rounds to a verdict."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from gildemo._comparison.results import Ratio, Verdict

Walls = Mapping[str, Sequence[float]]

# Differences below 10 % are not worth a rewrite, whichever way they point.
MARGIN = 1.1

# Of an interval. It is looked at several times before the answer is clear, and each is one more
# chance to be wrong: eight looks at 99 % are wrong about as often as one at 95 %.
_CONFIDENCE = 0.99

# With fewer, not even all of them on one side would give that confidence.
FEWEST_ROUNDS = 8

# More rounds than this would tell nothing that anybody waits for.
_MOST_ROUNDS = 1000


class Ground(Enum):
    """What a verdict rests on."""

    NOT_MEASURED = "threads or processes were not measured"
    UNCLEAR = "the spread is wider than the difference"
    TOO_SHORT = "a call is shorter than what it costs to send it"
    UNSENDABLE = "only processes would gain, and they can't send the result back"
    NO_GAIN = "nothing beats one after another"
    PROCESSES_WIN = "processes win by more than the noise"
    THREADS_DO = "threads do as well as processes, or better"


@dataclass(frozen=True)
class Decision:
    """A verdict, and the ratios that it rests on.

    threads_to_processes: of their wall times, or None if one of them was not measured. gains: how
    many times as fast as one after another each executor is, if that was measured. Both are for
    calls that are sent one at a time. batched: the verdict if many calls were sent at once.
    more_rounds: how many more would probably tell, if that is unclear, or None if not even very
    many would.
    """

    verdict: Verdict
    ground: Ground
    threads_to_processes: Ratio | None
    gains: Mapping[str, Ratio]
    batched: Verdict
    more_rounds: int | None = None


def ratio(numerators: Sequence[float], denominators: Sequence[float]) -> Ratio:
    """The ratio of two executors' wall times, round by round.

    Drift of the machine hits both times of a round alike, so it cancels here, and would not in
    a ratio of medians. The interval is the sign test's: of n ratios, the true median lies
    outside the k-th lowest and k-th highest only if fewer than k fell on one side of it. The
    highest k with a confidence of 99 % is taken, or else k = 1, the whole range.
    """
    ratios = sorted(_ratios(numerators, denominators))
    n = len(ratios)
    # In how many of 2**n cases fewer than k fall on a given side, for k = 1 and on.
    k, cases = 1, 1
    while k < (n + 1) // 2 and _sure(n, more := cases + math.comb(n, k)) >= _CONFIDENCE:
        k, cases = k + 1, more
    confidence = max(0.0, _sure(n, cases))
    return Ratio(statistics.median(ratios), ratios[k - 1], ratios[n - k], confidence)


def _sure(n: int, cases: int) -> float:
    wrong: float = 2 * cases / 2**n
    return 1.0 - wrong


def _ratios(numerators: Sequence[float], denominators: Sequence[float]) -> list[float]:
    return [a / b for a, b in zip(numerators, denominators, strict=True)]


def process_name(names: Mapping[str, object]) -> str | None:
    """Which of these executors is that of the processes; the first, if there are more."""
    return next((name for name in names if name.partition(":")[0] == "processes"), None)


def decide(
    walls: Walls,
    workers: int = 1,
    call: float = math.inf,
    sending: Mapping[str, float] | None = None,
) -> Decision:
    """The verdict on the wall times, by executor, of `workers` calls at once.

    It is on calls that are sent one at a time. call: the seconds that one call takes by itself.
    sending: by executor, the seconds that it costs to send one, if that matters; infinite, if it
    can't be sent.
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
        _more_rounds(sent) if ground is Ground.UNCLEAR else None,
    )


def _sent(walls: Sequence[float], sending: float, workers: int, call: float) -> list[float]:
    """What the wall times would be, were each call sent by itself.

    A worker is then busy for longer with each. And one sender sends them one after another, which
    no number of workers can shorten: so a call that is shorter than that never pays.
    """
    return [max(wall * (1.0 + sending / call), workers * sending) for wall in walls]


def _judge(walls: Walls) -> tuple[Verdict, Ground]:
    process = process_name(walls)
    if process is None or "threads" not in walls:
        return Verdict.INCONCLUSIVE, Ground.NOT_MEASURED
    threads_to_processes = ratio(walls["threads"], walls[process])
    any_gain = Ratio(math.inf, math.inf, math.inf, 1.0)
    thread_gain, process_gain = (
        ratio(walls["serial"], walls[name]) if "serial" in walls else any_gain
        for name in ("threads", process)
    )
    if thread_gain.high <= MARGIN and process_gain.high <= MARGIN:
        return Verdict.NEITHER, Ground.NO_GAIN
    if threads_to_processes.low > MARGIN and process_gain.low > MARGIN:
        return Verdict.PROCESSES, Ground.PROCESSES_WIN
    if threads_to_processes.high <= MARGIN and thread_gain.low > MARGIN:
        return Verdict.THREADS, Ground.THREADS_DO
    return Verdict.INCONCLUSIVE, Ground.UNCLEAR


def _more_rounds(walls: Walls) -> int | None:
    """How many more rounds would bring the intervals clear of the margin, if they stay as wide."""
    process = process_name(walls)
    assert process is not None
    pairs = [("threads", process)]
    if "serial" in walls:
        pairs += [("serial", "threads"), ("serial", process)]
    needed = [
        _rounds_needed(_ratios(walls[a], walls[b]))
        for a, b in pairs
        if not is_clear(ratio(walls[a], walls[b]))
    ]
    rounds = len(walls["threads"])
    most = max(needed, default=rounds + 1)
    return None if most > _MOST_ROUNDS else max(1, math.ceil(most) - rounds)


def is_clear(found: Ratio) -> bool:
    """Whether the interval is on one side of the margin."""
    return found.high <= MARGIN or found.low > MARGIN


def _rounds_needed(ratios: Sequence[float]) -> float:
    """For how many rounds the interval of the median has half the width of its distance.

    The standard error of a median is 1.25 times that of a mean, for values that are spread
    normally, as the logarithms of such ratios about are.
    """
    if not all(0 < r < math.inf for r in ratios):
        return math.inf
    logarithms = [math.log(r) for r in ratios]
    distance = abs(statistics.median(logarithms) - math.log(MARGIN))
    spread = statistics.stdev(logarithms) if len(logarithms) > 1 else 0.0
    if distance == 0.0:
        return math.inf
    return max(float(FEWEST_ROUNDS), (1.96 * 1.25 * spread / distance) ** 2)
