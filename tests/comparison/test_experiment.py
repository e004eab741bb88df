"""What an experiment measures, and what it does when a task misbehaves."""

from __future__ import annotations

import pickle
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import tasks_for_tests
from gildemo import MeasurementError, Statement, compare
from gildemo._comparison.experiment import Experiment
from gildemo._comparison.verdict import FEWEST_ROUNDS
from helpers import run_python

pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded")

IN_PROCESS = ("serial", "threads")


def test_calls_are_repeated_until_a_measurement_takes_long_enough() -> None:
    short = Experiment(Statement("pass"), executors=["serial"])
    short.calibrate(0.05)
    assert short.number > 1000
    long = Experiment(Statement("time.sleep(0.06)", setup="import time"), executors=["serial"])
    long.calibrate(0.05)
    assert long.number == 1


def test_every_executor_makes_as_many_calls(tmp_path: Path) -> None:
    path = tmp_path / "calls"
    experiment = Experiment(
        tasks_for_tests.record, str(path), workers=2, executors=("serial", "threads", "processes")
    )
    experiment.number = 7
    for _ in experiment.kinds:
        path.write_text("")
        experiment.step()
        assert len(path.read_text().splitlines()) == 2 * 7


def test_figures_are_per_call() -> None:
    statement = Statement("time.sleep(0.02)", setup="import time")
    c = compare(statement, workers=2, executors=("serial", "threads"), rounds=2, min_time=0.03)
    assert c.calls > 1
    # A sleep may last longer than asked for, never shorter.
    assert c.call is not None
    assert c.call >= 0.02
    assert c["serial"].wall.low >= 2 * 0.02
    assert 0.02 <= c["threads"].wall.low < c["serial"].wall.low
    assert c["threads"].throughput == pytest.approx(2 / c["threads"].wall.median)
    assert c["threads"].cpu < 0.02


def test_sending_grows_with_the_result() -> None:
    small, large = (
        compare(
            bytes,
            size,
            workers=1,
            executors=("threads", "processes"),
            rounds=1,
            monitor=False,
        )
        for size in (1, 20_000_000)
    )
    for c in (small, large):
        assert c["threads"].sending is not None
        assert c["processes"].sending is not None
        assert c["threads"].sending < c["processes"].sending
    assert (small["processes"].sending or 0) * 2 < (large["processes"].sending or 0)


def test_rounds_are_added_until_it_is_clear_or_the_time_is_over() -> None:
    nothing, names = tasks_for_tests.nothing, ("serial", "threads", "processes")
    # If calls of some nanoseconds are sent one at a time, clearly no executor is faster.
    clear = compare(nothing, executors=names, min_time=0.01, monitor=False)
    assert clear.rounds == FEWEST_ROUNDS
    late = compare(nothing, executors=names, min_time=0.01, max_time=0, monitor=False)
    assert late.rounds == 1


@pytest.mark.parametrize("name", ["min_time", "max_time"])
@pytest.mark.parametrize("value", [-1.0, float("nan"), float("inf")])
def test_times_must_be_reasonable(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=rf"{name} must be 0 or more seconds"):
        compare(divmod, 7, 2, rounds=1, executors=["serial"], **{name: value})  # type: ignore[arg-type]


def test_timeout_must_be_positive() -> None:
    for timeout in (0, -1, float("nan"), 1e10):
        with pytest.raises(ValueError, match="timeout must be more than 0 seconds, and"):
            compare(divmod, 7, 2, timeout=timeout)


@pytest.mark.parametrize("executor", ["serial", "threads", "processes"])
def test_failure_comes_with_the_tasks_own_traceback(executor: str) -> None:
    with pytest.raises(MeasurementError) as info:
        compare(tasks_for_tests.fail, executors=[executor], rounds=1, min_time=0)
    assert isinstance(info.value.__cause__, tasks_for_tests.Mishap)
    first, where, *_ = info.value.trace.splitlines()
    assert first == "Traceback (most recent call last):"
    assert "tasks_for_tests.py" in where
    assert info.value.trace.count("File ") == 1


def test_traceback_of_a_statement_shows_its_lines() -> None:
    with pytest.raises(MeasurementError) as info:
        compare(Statement("x\nx / 0", setup="x = 1"), executors=["processes"], rounds=1)
    assert 'File "<statement>", line 3' in info.value.trace
    assert "    x / 0" in info.value.trace


def test_exception_that_can_not_be_unpickled_does_not_break_the_pool() -> None:
    with pytest.raises(MeasurementError, match="OddError: this: that") as info:
        compare(tasks_for_tests.fail_oddly, executors=["processes"], rounds=1)
    assert "tasks_for_tests.py" in info.value.trace


@pytest.mark.parametrize(
    ("task", "cause"),
    [(tasks_for_tests.fail, tasks_for_tests.Mishap), (tasks_for_tests.fail_oddly, RuntimeError)],
)
def test_failure_can_be_pickled_with_its_cause(
    task: Callable[[], None], cause: type[Exception]
) -> None:
    with pytest.raises(MeasurementError) as info:
        compare(task, executors=["serial"], rounds=1, min_time=0)
    error = pickle.loads(pickle.dumps(info.value))
    assert isinstance(error, MeasurementError)
    assert str(error) == str(info.value)
    assert (error.executor, error.task, error.trace) == ("serial", task.__name__, info.value.trace)
    assert type(error.__cause__) is cause
    # Also when it is sent a second time.
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_lambda_is_sent_by_cloudpickle() -> None:
    offset = 5
    c = compare(lambda n: n + offset, 3, executors=("serial", "processes"), rounds=1, min_time=0)
    assert c["processes"].sending is not None


@pytest.mark.parametrize("executor", ["serial", "threads", "processes"])
def test_a_child_that_comes_back_from_the_task_is_ended(
    executor: str, children: Callable[[], set[int]]
) -> None:
    before = children()
    with pytest.raises(MeasurementError, match=r"child process returned.*os\._exit\(\)"):
        compare(tasks_for_tests.fork_and_return, executors=[executor], workers=2, rounds=1)
    assert children() == before


def test_a_task_may_fork_and_clean_up(children: Callable[[], set[int]]) -> None:
    before = children()
    c = compare(
        tasks_for_tests.fork_and_exit,
        executors=("serial", "threads", "processes"),
        rounds=1,
        min_time=0.01,
        monitor=False,
    )
    assert c.rounds == 1
    assert children() == before


LEAVES_THREADS = """
    import os, sys
    import gildemo
    sys.path.insert(0, {tests!r})
    import tasks_for_tests
    if __name__ == "__main__":
        try:
            c = gildemo.compare(
                tasks_for_tests.leave_a_thread, executors={executors}, rounds={rounds},
                min_time=0, monitor=False, workers=1)
            print(c.warnings)
        except gildemo.MeasurementError as error:
            print(error)
        sys.stdout.flush()
        os._exit(0)
"""


@pytest.mark.parametrize(
    ("executors", "rounds", "expected"),
    [
        (["serial"], 1, "the task left a thread running (left behind)"),
        (["serial"], 2, "each call leaves a thread running (left behind)"),
        (["processes"], 2, "()"),
    ],
)
def test_threads_that_go_on_are_told_and_hold_nothing_up(
    executors: list[str], rounds: int, expected: str
) -> None:
    tests = str(Path(__file__).parent.parent)
    program = LEAVES_THREADS.format(tests=tests, executors=executors, rounds=rounds)
    assert expected in run_python(program)


@pytest.mark.parametrize("executor", IN_PROCESS)
def test_folder_stays_the_same(executor: str) -> None:
    before = Path.cwd()
    compare(tasks_for_tests.change_folder, executors=[executor], rounds=1, min_time=0)
    assert Path.cwd() == before


def test_result_that_can_not_be_sent_is_told() -> None:
    c = compare(
        tasks_for_tests.generator,
        executors=("serial", "threads", "processes"),
        rounds=1,
        min_time=0,
        monitor=False,
    )
    assert "generator" in str(c["processes"].unsendable)
    assert "can't send the result back" in c.reason


def test_result_that_can_not_be_unpickled_is_told() -> None:
    c = compare(
        tasks_for_tests.OddError,
        *("this", "that"),
        executors=("serial", "processes"),
        rounds=1,
        min_time=0,
    )
    assert "missing 1 required positional argument" in str(c["processes"].unsendable)


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_a_function_of_a_console_is_sent_by_cloudpickle(method: str) -> None:
    output = run_python(f"""
        import gildemo
        def f(n): return n + 1
        names = ["serial", "processes:{method}"]
        c = gildemo.compare(f, 1, executors=names, rounds=1, min_time=0)
        print(c["processes:{method}"].sending > 0)
    """)
    assert output == "True\n"


def test_statement_takes_no_arguments() -> None:
    with pytest.raises(TypeError, match=r"a gildemo\.Statement takes no arguments"):
        compare(Statement("pass"), 1)


def test_no_result_is_kept() -> None:
    from gildemo.executors.worker import Results

    compare(tasks_for_tests.large_result, executors=["threads"], rounds=1, min_time=0)
    assert Results.last is None


@pytest.mark.parametrize("executor", IN_PROCESS)
def test_a_hanging_task_in_a_thread_is_given_up(executor: str) -> None:
    # In a process of its own, as the thread can't be ended.
    program = f"""
        import os, sys, time
        import gildemo
        try:
            gildemo.compare(time.sleep, 1000, executors=[{executor!r}], min_time=0, timeout=0.1)
        except gildemo.MeasurementError as error:
            print(error)
        sys.stdout.flush()
        os._exit(0)
    """
    assert "it did not end within 0.1 s" in run_python(program)


REFUSES_INTERPRETERS = """
from concurrent import interpreters
if interpreters.get_current() != interpreters.get_main():
    raise ImportError("not to be loaded in a subinterpreter")
"""


@pytest.mark.skipif(sys.version_info < (3, 14), reason="InterpreterPoolExecutor is new in 3.14")
def test_what_can_not_run_in_an_interpreter_is_compared_without() -> None:
    statement = Statement("pass", setup=REFUSES_INTERPRETERS)
    c = compare(statement, executors=("serial", "subinterpreters"), rounds=2, min_time=0)
    assert set(c.executors) == {"serial"}
    assert c.rounds == 2
    assert "not to be loaded" in c.unavailable["subinterpreters"]
    with pytest.raises(MeasurementError, match="not to be loaded"):
        compare(statement, executors=["subinterpreters"], rounds=1, min_time=0)
