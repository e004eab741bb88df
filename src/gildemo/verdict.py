"""From the wall times of interleaved rounds to a verdict."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence

from gildemo.result import Ratio, Verdict

# Differences below 10 % are not worth a rewrite, whichever way they point.
MARGIN = 1.1
_CONFIDENCE = 0.95


def ratio(numerators: Sequence[float], denominators: Sequence[float]) -> Ratio:
    """The ratio of two executors' wall times, round by round.

    Drift of the machine hits both times of a round alike, so it cancels here, and would not in
    a ratio of medians. The interval is the sign test's: of n ratios, the true median lies
    outside the k-th lowest and k-th highest only if fewer than k fell on one side of it. The
    highest k with a confidence of 95 % is taken, or else k = 1, the whole range.
    """
    ratios = sorted(a / b for a, b in zip(numerators, denominators, strict=True))
    n = len(ratios)

    def confidence(k: int) -> float:
        return 1.0 - 2.0 * sum(math.comb(n, i) for i in range(k)) / 2.0**n

    k = max((k for k in range(2, (n + 1) // 2 + 1) if confidence(k) >= _CONFIDENCE), default=1)
    return Ratio(statistics.median(ratios), ratios[k - 1], ratios[n - k], max(0.0, confidence(k)))


def decide(walls: Mapping[str, Sequence[float]]) -> tuple[Verdict, str, Ratio | None]:
    """The verdict on wall times by executor, its reason, and the thread/process ratio."""
    thread = walls.get("thread")
    process = next((times for name, times in walls.items() if _is_process(name)), None)
    serial = walls.get("serial")
    if thread is None or process is None:
        missing = "threads" if thread is None else "processes"
        return Verdict.INCONCLUSIVE, f"{missing} were not measured", None

    threads_to_processes = ratio(thread, process)
    if serial is None:
        gains = ""
        thread_gain = process_gain = Ratio(math.inf, math.inf, math.inf, 1.0)
    else:
        thread_gain, process_gain = ratio(serial, thread), ratio(serial, process)
        gains = (
            f"against one after another, threads are {thread_gain.median:.2f} times as fast and "
            f"processes {process_gain.median:.2f} times; "
        )
    verdict, word = _compare(threads_to_processes, thread_gain, process_gain)
    r = threads_to_processes
    measured = (
        f"threads took {r.median:.2f} times as long as processes "
        f"({r.low:.2f} to {r.high:.2f} in {len(thread)} rounds)"
    )
    return verdict, f"{gains}{measured}: {word}", r


def _is_process(name: str) -> bool:
    return name.partition(":")[0] == "process"


def _compare(
    threads_to_processes: Ratio, thread_gain: Ratio, process_gain: Ratio
) -> tuple[Verdict, str]:
    if thread_gain.high <= MARGIN and process_gain.high <= MARGIN:
        return Verdict.NEITHER, "nothing beats one after another"
    if threads_to_processes.low > MARGIN and process_gain.low > MARGIN:
        return Verdict.PROCESSES, "processes win"
    if threads_to_processes.high <= MARGIN and thread_gain.low > MARGIN:
        return Verdict.THREADS, "threads do as well, without start-up, copies or pickling"
    return Verdict.INCONCLUSIVE, "the spread is wider than the difference; measure more rounds"
