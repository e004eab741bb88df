"""A verdict in words: the figures that it rests on, and what the GIL has to do with them."""

from __future__ import annotations

import math

from gildemo._comparison.results import Comparison, ExecutorResult, Ratio, Verdict
from gildemo._comparison.verdict import MARGIN, Decision, Ground, is_clear, process_name, ratio
from gildemo._units import rounded_up, seconds

# A measured speed-up and the one that the GIL allows disagree, if they differ by this factor.
_DISAGREEMENT = 1.25

# What it costs to send a call is mentioned from this part of the call on.
_NOTICEABLE = 0.05

# A call that takes so much more CPU time when others run beside it competes with them.
_COMPETITION = 1.2


def reason(comparison: Comparison, decision: Decision) -> str:
    """Some sentences. What is not known is not mentioned."""
    sentences = (
        _SENTENCES[decision.ground](comparison, decision),
        _on_gil(comparison, decision),
        _on_interpreters(comparison, decision),
        _on_results(comparison),
    )
    return " ".join(sentence for sentence in sentences if sentence)


def _process(comparison: Comparison) -> ExecutorResult:
    name = process_name(comparison.executors)
    assert name is not None
    return comparison.executors[name]


def _not_measured(comparison: Comparison, decision: Decision) -> str:
    missing = "Processes" if "threads" in comparison.executors else "Threads"
    return f"{missing} were not measured."


def _interval(found: Ratio, rounds: int) -> str:
    if rounds == 1:
        return f"{found.median:.2f} times (in 1 round)"
    return f"{found.median:.2f} times ({found.low:.2f} to {found.high:.2f} in {rounds} rounds)"


def _threads_took(comparison: Comparison, decision: Decision) -> str:
    assert decision.threads_to_processes is not None
    took = _interval(decision.threads_to_processes, comparison.rounds)
    return f"{_with_sending(comparison)}threads took {took} as long"


def _with_sending(comparison: Comparison) -> str:
    """What has to be said where the figures of the table are not those of the verdict."""
    costs = (result.sending or 0.0 for result in comparison.executors.values())
    if comparison.call is None or max(costs) < _NOTICEABLE * comparison.call:
        return ""
    return "with what it costs to send each call, "


def _gains(comparison: Comparison, decision: Decision) -> str:
    if not decision.gains:
        return ""
    process = decision.gains[process_name(comparison.executors) or ""]
    return (
        f"threads are {decision.gains['threads'].median:.2f} times as fast as one after another, "
        f"and processes {process.median:.2f} times"
    )


def _unclear(comparison: Comparison, decision: Decision) -> str:
    process = process_name(comparison.executors) or ""
    gains = {"threads": "threads", "processes": process}
    found = {
        f"{name} are {{}} as fast as one after another": decision.gains[executor]
        for name, executor in gains.items()
        if executor in decision.gains
    }
    assert decision.threads_to_processes is not None
    found["threads take {} as long as processes"] = decision.threads_to_processes
    unclear = {text: ratio for text, ratio in found.items() if not is_clear(ratio)} or found
    figures = [text.format(_interval(r, comparison.rounds)) for text, r in unclear.items()]
    text = (
        f"The rounds don't tell on which side of {MARGIN - 1:.0%}, from where a difference counts, "
        f"this is: {_with_sending(comparison)}{'; '.join(figures)}."
    )
    if decision.more_rounds is None:
        return f"{text} It is too close for more rounds, or other programs keep the CPUs busy."
    s = "" if decision.more_rounds == 1 else "s"
    return f"{text} About {rounded_up(decision.more_rounds)} more round{s} would tell."


def _too_short(comparison: Comparison, decision: Decision) -> str:
    assert comparison.call is not None
    thread, process = comparison["threads"], _process(comparison)
    costs = [
        f"{seconds(result.sending)} to {name}"
        for name, result in (("threads", thread), ("processes", process))
        if result.sending is not None
    ]
    text = (
        f"One call takes {seconds(comparison.call)}, and to send it costs {' and '.join(costs)}: "
        "sent one at a time, it pays nowhere."
    )
    better, name = {
        Verdict.THREADS: (thread, "threads"),
        Verdict.PROCESSES: (process, "processes"),
    }.get(decision.batched, (None, ""))
    if better is None or better.break_even is None:
        return text
    calls = rounded_up(better.break_even / comparison.call)
    return f"{text} In batches of about {calls} calls or more, {name} would."


def _unsendable(comparison: Comparison, decision: Decision) -> str:
    gain = decision.gains["threads"].median
    return (
        f"Threads gain nothing ({gain:.2f} times as fast as one after another), and processes "
        "can't be used."
    )


def _no_gain(comparison: Comparison, decision: Decision) -> str:
    text = f"Nothing beats one after another: {_gains(comparison, decision)}."
    if comparison.workers == 1:
        return f"{text} There is only one worker, with nothing beside it."
    if comparison.cpus == 1:
        return f"{text} There is only one CPU for them."
    return f"{text} Not even processes scale: {_what_else(comparison, _process(comparison))}."


def _processes_win(comparison: Comparison, decision: Decision) -> str:
    gains = _gains(comparison, decision)
    return f"Processes win: {_threads_took(comparison, decision)}{'; ' if gains else ''}{gains}."


def _threads_do(comparison: Comparison, decision: Decision) -> str:
    found = decision.threads_to_processes
    assert found is not None
    beats = "do better than" if found.high < 1 / MARGIN else "do as well as"
    gains = _gains(comparison, decision)
    process = _process(comparison)
    sending = "" if process.sending is None else f" ({seconds(process.sending)} a call)"
    return (
        f"Threads {beats} processes: {_threads_took(comparison, decision)}"
        f"{'; ' if gains else ''}{gains}. Threads share their memory, and save the start of "
        f"processes ({seconds(process.startup.median)}) and pickling{sending}."
    )


_SENTENCES = {
    Ground.NOT_MEASURED: _not_measured,
    Ground.UNCLEAR: _unclear,
    Ground.TOO_SHORT: _too_short,
    Ground.UNSENDABLE: _unsendable,
    Ground.NO_GAIN: _no_gain,
    Ground.PROCESSES_WIN: _processes_win,
    Ground.THREADS_DO: _threads_do,
}


def held_share(comparison: Comparison) -> float | None:
    """The fraction of a call in which it holds the GIL, or None if that was not watched.

    What all threads held, divided by the time that all calls would take one by one.
    """
    record = comparison.gil
    if record is None or comparison.call is None:
        return None
    calls = comparison.workers * comparison.calls
    return min(1.0, record.held * record.duration / (calls * comparison.call))


def _on_gil(comparison: Comparison, decision: Decision) -> str:
    if not comparison.gil_enabled:
        return "This Python runs without the GIL."
    held = held_share(comparison)
    if held is None or decision.ground is Ground.TOO_SHORT:
        return ""
    allowed = min(_room(comparison), 1 / held if held else math.inf)
    text = (
        f"A call holds the GIL for {held:.0%} of its time, as a monitor saw, with which threads "
        f"could be {allowed:.2f} times as fast"
    )
    measured = comparison["threads"].speedup
    if measured is None:
        return f"{text}."
    text = f"{text} and are {measured:.2f} times"
    if decision.ground is Ground.THREADS_DO or decision.ground is Ground.PROCESSES_WIN:
        if measured * _DISAGREEMENT < allowed:
            return f"{text}: {_what_else(comparison, comparison['threads'])}."
        if measured > allowed * _DISAGREEMENT:
            return f"{text}: so the round that it watched was not like the others."
    return f"{text}."


def _cpus_used(comparison: Comparison) -> float:
    """How many CPUs one call keeps busy by itself, or 0 if that is not known."""
    alone = comparison.executors.get("serial")
    return 0.0 if alone is None or not comparison.call else alone.cpu / comparison.call


def _room(comparison: Comparison) -> float:
    """How many calls there are workers for, and, as far as they need one, CPUs."""
    used = _cpus_used(comparison)
    if used < 0.5:
        return comparison.workers
    # What is measured to be about one is one.
    each = used if used > _DISAGREEMENT else 1.0
    return min(comparison.workers, max(1.0, comparison.cpus / each))


def _what_else(comparison: Comparison, result: ExecutorResult) -> str:
    """What keeps calls from running side by side that is not the GIL."""
    alone, used = comparison.executors.get("serial"), _cpus_used(comparison)
    if used > _DISAGREEMENT:
        return (
            f"a call alone keeps {used:.1f} CPUs busy, as it starts threads of its own, and there "
            f"are {comparison.cpus}"
        )
    if alone is not None and used > 0.5:
        growth = result.cpu / alone.cpu
        if growth > _COMPETITION:
            return (
                f"a call takes {growth:.2f} times the CPU time when others run beside it, so they "
                "compete for memory bandwidth, a cache or the cores of one CPU"
            )
        if comparison.workers > comparison.cpus:
            return f"there are {comparison.cpus} CPUs for {comparison.workers} workers"
    return (
        "a call takes no more CPU time than alone, so they wait, for a lock, a disk, or CPUs that "
        "other programs use"
    )


def _on_interpreters(comparison: Comparison, decision: Decision) -> str:
    if "subinterpreters" not in comparison.executors:
        return ""
    gain = decision.gains.get("subinterpreters")
    if comparison.verdict is Verdict.NEITHER and gain is not None and gain.low > MARGIN:
        return f"Subinterpreters are {gain.median:.2f} times as fast as one after another."
    if comparison.verdict is not Verdict.PROCESSES:
        return ""
    interpreter, process = comparison["subinterpreters"], _process(comparison)
    found = ratio(interpreter.walls, process.walls)
    if found.high > MARGIN:
        return ""
    savings = []
    if interpreter.startup.high < process.startup.low:
        savings.append(
            f"start in {seconds(interpreter.startup.median)} instead of "
            f"{seconds(process.startup.median)}"
        )
    if interpreter.sending and process.sending and interpreter.sending < process.sending:
        savings.append(
            f"are sent a call in {seconds(interpreter.sending)} instead of "
            f"{seconds(process.sending)}"
        )
    return (
        f"Subinterpreters do as well as processes ({found.median:.2f} times as long)"
        f"{', and ' if savings else ''}{' and '.join(savings)}."
    )


def _on_results(comparison: Comparison) -> str:
    if process_name(comparison.executors) is None:
        return ""
    why = _process(comparison).unsendable
    return f"A process can't send the result back ({why})." if why else ""
