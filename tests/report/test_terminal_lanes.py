"""The lanes that show in the terminal who held the GIL."""

from __future__ import annotations

from gildemo._report.terminal_lanes import lanes
from gildemo.monitor import GilRecord, ThreadRecord


def thread(name: str, held: float, *intervals: tuple[int, int, str]) -> ThreadRecord:
    return ThreadRecord(name, 1, held, waiting=0.0, intervals=intervals)


def record(*threads: ThreadRecord, timeline: list[tuple[int, int, int | None]]) -> GilRecord:
    return GilRecord(1.0, 100, 0.75, 0.01, 3, 0.25, threads, tuple(timeline), 0.0, 0.0)


def draw(subject: GilRecord, width: int) -> list[str]:
    return [line.plain for line in lanes("task", subject, width)]


def test_a_lane_shows_holding_waiting_and_neither() -> None:
    subject = record(
        thread("a", 0.5, (0, 400, "holds"), (600, 700, "holds"), (800, 1000, "holds")),
        thread("b", 0.25, (0, 400, "waits"), (400, 600, "holds"), (600, 1000, "computes")),
        timeline=[(0, 400, 0), (400, 600, 1), (600, 700, 0), (700, 800, None), (800, 1000, 0)],
    )
    heading, a, b = draw(subject, 14)
    assert heading == "task: GIL held 75%, longest hold 250 ms"
    assert a == "  a ████──█─██"
    assert b == "  b ····██────"


def test_a_thread_that_holds_it_now_and_then_is_told_from_one_that_keeps_it() -> None:
    timeline: list[tuple[int, int, int | None]] = []
    for begin in range(0, 1000, 10):
        timeline += [(begin, begin + 5, 0), (begin + 5, begin + 10, None)]
    holds = [(start, end, "holds") for start, end, holder in timeline if holder == 0]
    assert draw(record(thread("a", 0.5, *holds), timeline=timeline), 14)[1] == "  a ▒▒▒▒▒▒▒▒▒▒"


def test_a_thread_that_is_no_worker_is_shown_only_if_it_takes_part() -> None:
    segments: list[tuple[int, int, int | None]] = [(0, 1000, 0)]
    assert len(draw(record(thread("MainThread", 0.009), timeline=segments), 40)) == 1
    assert len(draw(record(thread("MainThread", 0.5), timeline=segments), 40)) == 2


def test_many_threads_are_counted_instead() -> None:
    threads = [thread(f"worker_{i:02}", 0.05) for i in range(20)]
    lines = draw(record(*threads, timeline=[(0, 1000, 0)]), 60)
    assert len(lines) == 10
    assert lines[-1] == "  … and 12 more threads"
    assert all(len(line) <= 60 for line in lines)
