"""compare(), its result and the verdict."""

from __future__ import annotations

import dataclasses
import json
import threading
from typing import Any

import pytest

import tasks_for_tests
from gildemo import Comparison, MeasurementError, Statement, compare
from gildemo._comparison.experiment import Experiment
from gildemo.tasks import spin_held


def test_rounds_rotate_the_order_of_executors() -> None:
    experiment = Experiment(divmod, 7, 2, workers=1, executors=("serial", "threads", "processes"))
    steps = [experiment.step() for _ in range(9)]
    assert steps[0:3] == ["serial", "threads", "processes"]
    assert steps[3:6] == ["threads", "processes", "serial"]
    assert steps[6:9] == ["processes", "serial", "threads"]


def test_progress_is_told_of_every_step() -> None:
    told: list[tuple[int, int, str]] = []
    compare(
        divmod,
        7,
        2,
        workers=1,
        executors=("serial", "threads"),
        rounds=2,
        min_time=0,
        progress=lambda done, total, name: told.append((done, total, name)),
    )
    assert told == [(1, 4, "serial"), (2, 4, "threads"), (3, 4, "threads"), (4, 4, "serial")]


def test_what_is_measured_survives_a_later_failure() -> None:
    lock = threading.Lock()
    calls = 0

    def fail_in_the_second_round() -> None:
        nonlocal calls
        with lock:
            calls += 1
            if calls > 2 * 2:
                raise tasks_for_tests.Mishap

    experiment = Experiment(fail_in_the_second_round, workers=2, executors=("serial", "threads"))
    assert experiment.comparison() is None
    experiment.step()
    assert experiment.comparison() is None
    experiment.step()
    with pytest.raises(MeasurementError):
        experiment.step()
    comparison = experiment.comparison()
    assert comparison is not None
    assert comparison.rounds == 1


def test_result_is_consistent_and_round_trips() -> None:
    c = compare(
        spin_held,
        100_000,
        workers=2,
        executors=("serial", "threads", "processes"),
        rounds=3,
        min_time=0,
    )
    assert (c.task, c.workers, c.rounds) == ("spin_held", 2, 3)
    for result in c.executors.values():
        assert len(result.walls) == 3
        assert min(result.walls) == result.wall.low <= result.wall.median <= result.wall.high
        assert result.startup.low > 0
    assert c["serial"].speedup == 1.0
    assert Comparison.from_json(c.to_json()) == c
    data = json.loads(c.to_json())
    assert (data["kind"], data["schema"]) == ("comparison", 2)
    assert set(data["executors"]["threads"]["wall"]) == {"median", "low", "high"}
    assert c.verdict.value in str(c)
    with pytest.raises(dataclasses.FrozenInstanceError):
        c.task = "other"  # type: ignore[misc]
    with pytest.raises(KeyError, match=r"no result for 'dask' \(measured: serial, threads, pro"):
        c["dask"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{}", "schema must be from 1 to 2, not None: use a file that gildemo wrote"),
        ("[]", r"expected a JSON object, not \[\]"),
        ("3", "expected a JSON object, not 3"),
        ('{"schema": 2}', "kind must be one of comparison, demonstration, record, not None"),
        ('{"schema": 1}', "schema 1 needs a field executors, comparisons or gil"),
        ('{"schema": 1, "verdict": "x"}', r"the fields are \['schema', 'verdict'\]"),
    ],
)
def test_other_json_is_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Comparison.from_json(text)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"workers": 0}, "workers must be 1 or more, not 0"),
        ({"rounds": 0}, "rounds must be 1 or more, not 0"),
        ({"executors": ()}, "no executor to measure under: none was given"),
        ({"executors": ("threads", "threads")}, "executor 'threads' is named twice"),
        ({"executors": ("fiber",)}, "unknown executor 'fiber'"),
    ],
)
def test_bad_options_are_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        compare(divmod, 7, 2, **options)


def test_a_task_that_can_not_be_called_is_refused() -> None:
    with pytest.raises(TypeError, match=r"callable or a gildemo\.Statement, not int"):
        compare(42)  # type: ignore[arg-type]


def test_executors_are_a_list() -> None:
    with pytest.raises(TypeError, match="executors must be a list of names, not 'threads'"):
        compare(divmod, 7, 2, executors="threads")


@pytest.mark.parametrize("executor", ["serial", "threads", "processes"])
def test_statement_runs_its_set_up_unmeasured_and_in_one_scope(executor: str) -> None:
    statement = Statement(
        "for part in parts:\n    assert zlib.decompress(part) == data",
        setup="import zlib\ndata = bytes(1000)\nparts = [zlib.compress(data)]",
    )
    assert compare(statement, executors=[executor], rounds=1, min_time=0)[executor].wall.low > 0


@pytest.mark.parametrize("statement", ["", "pass", "# nothing"])
def test_statement_may_be_empty(statement: str) -> None:
    compare(Statement(statement), executors=["serial"], rounds=1, min_time=0)


def test_statement_must_be_python() -> None:
    with pytest.raises(SyntaxError) as info:
        Statement("for")
    assert info.value.filename == "<stmt>"
    with pytest.raises(SyntaxError) as info:
        Statement("pass", setup="import")
    assert info.value.filename == "<setup>"
