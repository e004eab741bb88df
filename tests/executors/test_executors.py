"""Every kind of executor goes through the same cases."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

import tasks_for_tests
from gildemo import MeasurementError, compare, executors
from gildemo.executors import ExecutorKind, resolve
from gildemo.executors.registry import KINDS

# It warns of the thread with which pytest's faulthandler_timeout watches each test.
pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded")

START_METHODS = ("fork", "spawn", "forkserver")
NAMES = [
    *(
        pytest.param(
            name, marks=[] if kind.unavailable is None else pytest.mark.skip(kind.unavailable)
        )
        for name, kind in KINDS.items()
    ),
    *(f"processes:{method}" for method in START_METHODS),
]
CONCURRENT = NAMES[1:]


def ended(pid: int) -> bool:
    """Whether a process ends: it is killed, but may take a moment, and belongs to nobody here."""
    try:
        process = psutil.Process(pid)
        if process.status() != psutil.STATUS_ZOMBIE:
            process.wait(30)
    except psutil.NoSuchProcess:
        pass
    except psutil.TimeoutExpired:
        return False
    return True


@pytest.mark.parametrize("name", NAMES)
def test_result_and_exception_come_back(name: str) -> None:
    with resolve(name).open(2) as executor:
        assert executor.submit(divmod, 7, 2).result(60) == (3, 1)
        with pytest.raises(ZeroDivisionError):
            executor.submit(divmod, 7, 0).result(60)
        assert executor.submit(divmod, 8, 2).result(60) == (4, 0)


@pytest.mark.parametrize("name", CONCURRENT)
def test_tasks_run_side_by_side(name: str, tmp_path: Path) -> None:
    comparison = compare(
        tasks_for_tests.meet,
        str(tmp_path),
        3,
        workers=3,
        executors=[name],
        rounds=1,
        min_time=0,
        monitor=False,
        timeout=60,
    )
    assert len(list(tmp_path.iterdir())) == 3
    assert comparison[name].wall.low > 0


@pytest.mark.parametrize("name", NAMES)
def test_each_worker_runs_the_task_once_a_round(name: str, tmp_path: Path) -> None:
    path = tmp_path / "calls"
    compare(
        tasks_for_tests.record,
        str(path),
        workers=3,
        executors=[name],
        rounds=2,
        min_time=0,
        monitor=False,
        timeout=60,
    )
    calls = path.read_text().splitlines()
    assert len(calls) == 6
    in_this_process = {int(call.split()[0]) == os.getpid() for call in calls}
    assert in_this_process == {not name.startswith("processes")}
    if name != "serial":
        assert len(set(calls[:3])) == len(set(calls[3:])) == 3


@pytest.mark.parametrize("name", NAMES)
def test_failure_names_executor_and_task(name: str) -> None:
    with pytest.raises(MeasurementError, match=rf"'fail'.*'{name}'.*Mishap: on purpose") as info:
        compare(tasks_for_tests.fail, executors=[name], rounds=1, min_time=0, timeout=60)
    assert info.value.executor == name
    assert info.value.task == "fail"


@pytest.mark.parametrize("name", NAMES)
def test_sys_exit_is_a_failure(name: str) -> None:
    with pytest.raises(MeasurementError, match=r"the task called sys\.exit\(7\)"):
        compare(tasks_for_tests.exit_with, 7, executors=[name], rounds=1, min_time=0, timeout=60)


@pytest.mark.parametrize("name", [f"processes:{method}" for method in START_METHODS])
def test_killed_worker_is_reported_and_no_other_is_left(
    name: str, children: Callable[[], set[int]]
) -> None:
    before = children()
    with pytest.raises(MeasurementError, match=f"{name}.*a worker ended before its task did"):
        compare(tasks_for_tests.kill_itself, executors=[name], rounds=1, min_time=0, timeout=60)
    assert children() == before


@pytest.mark.parametrize("name", [f"processes:{method}" for method in START_METHODS])
def test_timeout_ends_the_workers_and_what_they_started(name: str, tmp_path: Path) -> None:
    path, timeout = tmp_path / "pid", 0.25
    path.touch()
    # Longer each time, until a worker has started and has come so far.
    while not path.read_text():
        timeout *= 2
        with pytest.raises(MeasurementError, match=f"it did not end within {timeout:g} s"):
            compare(
                tasks_for_tests.hang_with_child,
                str(path),
                workers=1,
                executors=[name],
                rounds=1,
                min_time=0,
                timeout=timeout,
            )
    assert ended(int(path.read_text()))


def test_unpicklable_task_is_reported_and_does_not_hang(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cloudpickle", None)
    with pytest.raises(MeasurementError, match=r"lambda.*'processes'.*can't be pickled"):
        compare(lambda: None, executors=["processes"], rounds=1, min_time=0)


def test_a_kind_of_ones_own() -> None:
    def factory(workers: int) -> Executor:
        return ThreadPoolExecutor(workers)

    kind = ExecutorKind("mine", factory)
    assert (
        compare(divmod, 7, 2, executors=["serial", kind], rounds=1, min_time=0)["mine"].speedup
        is not None
    )


def test_unknown_names_list_the_known() -> None:
    with pytest.raises(ValueError, match=r"'fibers': use serial, .*processes:START_METHOD"):
        resolve("fibers")
    with pytest.raises(ValueError, match=r"'vfork'.*spawn"):
        resolve("processes:vfork")


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="there they are available")
def test_interpreters_say_why_they_are_not_there() -> None:
    kind = resolve("subinterpreters")
    assert kind.unavailable is not None
    assert "3.14" in kind.unavailable
    with pytest.raises(ValueError, match=r"no executor to measure under.*3\.14"):
        compare(divmod, 7, 2, executors=["subinterpreters"])


def test_usable_cpus_follows_affinity() -> None:
    if not hasattr(os, "sched_setaffinity"):
        pytest.skip("this platform has no affinity")
    allowed = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(allowed)})
        assert executors.usable_cpus() == 1
    finally:
        os.sched_setaffinity(0, allowed)
