"""A verdict in words: what was measured, what it means, and what to do."""

from __future__ import annotations

from gildemo._comparison.causes import gil_sentence, limit
from gildemo._comparison.figures import Figures
from gildemo._comparison.results import ExecutorResult, Ratio, Verdict
from gildemo._comparison.verdict import MARGIN, Ground, is_conclusive, ratio
from gildemo._units import counted, rounded_up, seconds

# Sending a call is mentioned if it costs at least this fraction of the call.
_NOTICEABLE = 0.05


def explain(figures: Figures) -> str:
    """Return the explanation as sentences. It leaves out what was not measured."""
    sentences = (
        _SENTENCES[figures.decision.ground](figures),
        gil_sentence(figures),
        _on_subinterpreters(figures),
        _on_results(figures),
    )
    return " ".join(sentence for sentence in sentences if sentence)


def _not_measured(figures: Figures) -> str:
    missing = "processes" if "threads" in figures.executors else "threads"
    return f"There is no verdict without {missing}: measure threads and processes."


def _interval(found: Ratio, rounds: int) -> str:
    if rounds == 1:
        return "(in 1 round)"
    return f"({found.low:.2f} to {found.high:.2f} in {rounds} rounds)"


def _times(figures: Figures) -> str:
    found = figures.decision.thread_process_ratio
    assert found is not None
    return f"{found.median:.2f} times {_interval(found, figures.rounds)} as long"


def _with_sending(figures: Figures) -> str:
    """Return what to add if the verdict rests on figures that differ from those in the table."""
    costs = (result.sending or 0.0 for result in figures.executors.values())
    if figures.call is None or max(costs) < _NOTICEABLE * figures.call:
        return ""
    return "including the cost of sending each call, "


def _speedups(figures: Figures) -> str:
    speedups = figures.decision.speedups
    assert figures.process is not None
    return (
        f"{speedups['threads'].median:.2f} with threads and "
        f"{speedups[figures.process].median:.2f} with processes"
    )


def _speedup_sentence(figures: Figures) -> str:
    if not figures.decision.speedups:
        return ""
    return f" The speedup over running the calls one after another is {_speedups(figures)}."


def _inconclusive(figures: Figures) -> str:
    decision = figures.decision
    assert decision.thread_process_ratio is not None
    found = {
        f"{name} have a speedup of {speedup.median:.2f}": speedup
        for name, speedup in decision.speedups.items()
        if name in ("threads", figures.process)
    }
    phrases = [
        f"{text} {_interval(speedup, figures.rounds)}"
        for text, speedup in found.items()
        if not is_conclusive(speedup)
    ]
    if not phrases or not is_conclusive(decision.thread_process_ratio):
        phrases.append(f"threads took {_times(figures)} as processes")
    text = (
        f"The rounds differ too much to tell whether there is a difference of {MARGIN - 1:.0%} or "
        f"more: {_with_sending(figures)}{'; '.join(phrases)}."
    )
    if decision.more_rounds is None:
        return (
            f"{text} More rounds would not help: the difference is too close to {MARGIN - 1:.0%}, "
            "or other programs keep the CPUs busy. End those programs and try again."
        )
    more = counted(rounded_up(decision.more_rounds), "more round")
    return f"{text} About {more} would decide: allow more rounds or more time."


def _too_short(figures: Figures) -> str:
    assert figures.call is not None
    threads, processes = figures.executors["threads"], figures.processes
    costs = " and ".join(
        f"{seconds(result.sending)} with {name}"
        for name, result in (("threads", threads), ("processes", processes))
        if result.sending is not None
    )
    text = (
        f"One call takes {seconds(figures.call)}, and sending it to a worker costs {costs}: that "
        "is more than workers save if the calls are sent one at a time."
    )
    better: dict[Verdict, tuple[str, ExecutorResult]] = {
        Verdict.THREADS: ("threads", threads),
        Verdict.PROCESSES: ("processes", processes),
    }
    name, result = better.get(figures.decision.batched, ("", threads))
    if not name or result.break_even is None:
        return text
    calls = rounded_up(max(2.0, result.break_even / figures.call))
    return (
        f"{text} {name.capitalize()} would be faster if {calls:,} or more calls were sent at a "
        "time."
    )


def _unsendable(figures: Figures) -> str:
    speedup = figures.decision.speedups["threads"].median
    return (
        "Threads are no faster than running the calls one after another (speedup "
        f"{speedup:.2f}), and processes can't be used."
    )


def _no_gain(figures: Figures) -> str:
    text = (
        "Nothing is faster than running the calls one after another: the speedup is "
        f"{_speedups(figures)}."
    )
    if figures.workers == 1:
        return f"{text} There is only one worker: use two or more."
    if figures.cpus == 1:
        return f"{text} There is only one CPU."
    assert figures.process is not None
    return (
        f"{text} Processes do not share a GIL, so the GIL is not the reason. "
        f"{limit(figures, figures.process)}"
    )


def _processes_win(figures: Figures) -> str:
    return (
        f"Processes are faster: {_with_sending(figures)}threads took {_times(figures)}."
        f"{_speedup_sentence(figures)}"
    )


def _threads_do(figures: Figures) -> str:
    found = figures.decision.thread_process_ratio
    assert found is not None
    what = "faster than" if found.high < 1 / MARGIN else "as fast as"
    processes = figures.processes
    sending = ""
    if processes.sending is not None:
        sending = f" and to send each call to one ({seconds(processes.sending)})"
    return (
        f"Threads are {what} processes: {_with_sending(figures)}they took {_times(figures)}."
        f"{_speedup_sentence(figures)} Threads share their memory, and save the time to start "
        f"processes ({seconds(processes.startup.median)}){sending}."
    )


_SENTENCES = {
    Ground.NOT_MEASURED: _not_measured,
    Ground.INCONCLUSIVE: _inconclusive,
    Ground.TOO_SHORT: _too_short,
    Ground.UNSENDABLE: _unsendable,
    Ground.NO_GAIN: _no_gain,
    Ground.PROCESSES_WIN: _processes_win,
    Ground.THREADS_DO: _threads_do,
}


def _on_subinterpreters(figures: Figures) -> str:
    found = figures.executors.get("subinterpreters")
    if found is None:
        return ""
    speedup = figures.decision.speedups.get("subinterpreters")
    if figures.decision.verdict is Verdict.NEITHER and speedup is not None and speedup.low > MARGIN:
        return f"Subinterpreters have a speedup of {speedup.median:.2f}."
    if figures.decision.verdict is not Verdict.PROCESSES:
        return ""
    processes = figures.processes
    to_processes = ratio(found.walls, processes.walls)
    if to_processes.high > MARGIN:
        return ""
    text = (
        f"Subinterpreters are as fast as processes: they took {to_processes.median:.2f} times as "
        "long"
    )
    savings = []
    if found.startup.high < processes.startup.low:
        savings.append(_saving("start", found.startup.median, processes.startup.median))
    if found.sending and processes.sending and found.sending < processes.sending:
        savings.append(_saving("receive a call", found.sending, processes.sending))
    if savings:
        text += f", and {' and '.join(savings)}"
    return f"{text}."


def _saving(what: str, mine: float, theirs: float) -> str:
    return f"{what} in {seconds(mine)} instead of {seconds(theirs)}"


def _on_results(figures: Figures) -> str:
    if figures.process is None or figures.processes.unsendable is None:
        return ""
    return (
        f"A process can't send the result back ({figures.processes.unsendable}): return something "
        "that can be pickled."
    )
