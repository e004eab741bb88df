"""gildemo compare and gildemo report, run as their users run them."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from gildemo import Comparison
from helpers import TESTS, gil_enabled
from terminal import OnTerminal, left_of_session

GILDEMO = (sys.executable, "-m", "gildemo")
ENVIRONMENT = {**os.environ, "COLUMNS": "80", "PYTHONPATH": str(TESTS)}
QUICK = ("--rounds", "1", "--min-time", "0", "--executors", "serial,threads,processes")


def gildemo(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*GILDEMO, *arguments],
        capture_output=True,
        text=True,
        timeout=100,
        cwd=cwd,
        env=ENVIRONMENT,
        check=False,
    )


def compared(*arguments: str) -> tuple[Comparison, str]:
    """The comparison, and what standard error says of it."""
    result = gildemo("compare", *QUICK, "--json", "-", *arguments)
    assert result.returncode == 0, result.stderr
    return Comparison.from_json(result.stdout), result.stderr


def test_statement_has_all_executors_and_a_reason(tmp_path: Path) -> None:
    result = gildemo(
        "compare", *QUICK, "-s", "import zlib", "-s", "d = bytes(10**6)", "zlib.compress(d)"
    )
    assert (result.returncode, result.stderr) == (0, "")
    assert max(map(len, result.stdout.splitlines())) <= 80
    assert "\x1b" not in result.stdout
    for text in ("zlib.compress(d)", "serial", "threads", "processes", "one call takes"):
        assert text in result.stdout
    assert "1 round of 1 call per worker" in " ".join(result.stdout.split())


def test_lines_of_a_statement_are_joined() -> None:
    c, _ = compared("-s", "x = 1", "for i in range(3):", "    x += i", "assert x == 4")
    assert c.task == "for i in range(3):..."


def test_function_has_its_arguments_from_its_module() -> None:
    c, _ = compared("tasks_for_tests:add", "--arg", "FIVE", "--arg", "2 + 2")
    assert c.task == "tasks_for_tests:add"


def test_modules_of_the_current_folder_can_be_imported(tmp_path: Path) -> None:
    (tmp_path / "of_this_folder.py").write_text("def f():\n    pass\n", encoding="utf-8")
    for target in (["of_this_folder:f"], ["-s", "import of_this_folder", "of_this_folder.f()"]):
        result = gildemo("compare", *QUICK, *target, cwd=tmp_path)
        assert result.returncode == 0, result.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("for",), 'File "<stmt>", line 1'),
        (("-s", "import", "pass"), 'File "<setup>", line 1'),
        (("yield 1",), "'yield' outside function"),
        (("-s", "return", "pass"), "'return' outside function"),
        (("break",), "'break' outside loop"),
        (("no_such_module:f",), "there is no module 'no_such_module'"),
        (("tasks_for_tests:fial",), "has no 'fial'; did you mean 'fail'?"),
        (("tasks_for_tests:FIVE",), "is not callable: it is of type int"),
        (("tasks_for_tests:add", "--arg", "six"), "--arg 'six' failed: NameError"),
        (("tasks_for_tests:add", "--arg", "exit(3)"), "--arg 'exit(3)' failed: SystemExit: 3"),
        (("tasks_for_tests:add", "-s", "x = 1"), "-s needs a statement"),
        (("pass", "--arg", "1"), "--arg needs a function"),
        (("pass", "--min-time", "-1"), "must be 0 or more seconds, not '-1'"),
        (("pass", "--max-time", "nan"), "must be 0 or more seconds, not 'nan'"),
        (("pass", "--timeout", "0"), "timeout must be more than 0 seconds"),
        (("pass", "--expect", "fibers"), "invalid choice: 'fibers'"),
        (("pass", "--executors", "fiber"), "unknown executor 'fiber'"),
        (("pass", "--json", "/no/such/folder/f"), "no folder /no/such/folder"),
        ((), "the following arguments are required"),
    ],
)
def test_bad_usage_is_told(arguments: tuple[str, ...], message: str) -> None:
    result = gildemo("compare", *arguments)
    assert result.returncode == 2
    assert message in result.stderr
    assert "Traceback" not in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (("tasks_for_tests:fail",), "Mishap: on purpose"),
        (("tasks_for_tests:exit_with", "--arg", "7"), "the task called sys.exit(7)"),
        (("tasks_for_tests:kill_itself",), "a worker ended before its task did"),
        (("tasks_for_tests:fork_and_return",), "the child process returned from the task"),
        (("tasks_for_tests:leave_a_thread",), "each call leaves a thread running"),
        (("-s", "import no_such_module", "pass"), "No module named 'no_such_module'"),
        (("1 / 0",), "ZeroDivisionError: division by zero"),
        (("raise GeneratorExit",), "GeneratorExit"),
        (("tasks_for_tests.fail()",), "(add -s 'import tasks_for_tests', or name a function"),
        (("raise KeyboardInterrupt",), "KeyboardInterrupt"),
        (
            ("--executors", "serial", "-s", "import os", "os._exit(0)"),
            "a worker",
        ),
    ],
)
def test_task_that_fails_is_told_and_leaves_nothing(target: tuple[str, ...], message: str) -> None:
    process = subprocess.Popen(
        [*GILDEMO, "compare", "--rounds", "2", "--min-time", "0", *target],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env=ENVIRONMENT,
        start_new_session=True,
    )
    _, stderr = process.communicate(timeout=100)
    assert process.returncode == 1
    assert message in stderr
    assert "worker.py" not in stderr
    assert left_of_session(process.pid) == []


def test_module_that_fails_shows_its_own_traceback(tmp_path: Path) -> None:
    (tmp_path / "of_this_folder.py").write_text("import no_such_module\n", encoding="utf-8")
    result = gildemo("compare", "of_this_folder:f", cwd=tmp_path)
    assert result.returncode == 1
    assert result.stderr.count("File ") == 1
    assert "No module named 'no_such_module'" in result.stderr


def test_rounds_before_a_failure_are_reported(tmp_path: Path) -> None:
    path, calls = tmp_path / "calls", 3 * 2 * 9 + 2
    result = gildemo(
        *("compare", *QUICK, "--rounds", "20", "--workers", "2"),
        *("tasks_for_tests:fail_from_call", "--arg", repr(str(path)), "--arg", str(calls)),
    )
    assert result.returncode == 1
    assert "; 9 rounds" in " ".join(result.stdout.split())
    assert "Mishap: call" in result.stderr


def test_timeout_ends_a_task_that_hangs() -> None:
    result = gildemo("compare", *QUICK, "--timeout", "0.2", "tasks_for_tests:hang")
    assert result.returncode == 1
    assert "it did not end within 0.2 s" in result.stderr
    assert "still runs" not in result.stderr


@pytest.mark.parametrize("executors", ["serial", "threads"])
def test_timeout_leaves_a_thread_that_hangs(executors: str) -> None:
    options = ("--executors", executors, "--timeout", "1")
    result = gildemo("compare", *QUICK, *options, "tasks_for_tests:hang_in_threads")
    assert result.returncode == 1
    assert "it did not end within 1 s" in result.stderr
    assert "a thread of the task still runs" in result.stderr


def test_what_a_task_prints_is_not_among_the_results() -> None:
    c, stderr = compared("tasks_for_tests:greet")
    assert c.rounds == 1
    assert "the task prints" in stderr
    assert "'a greeting'" in stderr


def test_what_a_module_prints_is_not_among_the_results(tmp_path: Path) -> None:
    text = "print('hello from the module')\ndef f():\n    pass\n"
    (tmp_path / "of_this_folder.py").write_text(text, encoding="utf-8")
    result = gildemo("compare", *QUICK, "--json", "-", "of_this_folder:f", cwd=tmp_path)
    assert Comparison.from_json(result.stdout).task == "of_this_folder:f"


def test_a_task_may_have_a_pool_of_processes() -> None:
    c, _ = compared("tasks_for_tests:use_a_pool", "--timeout", "60")
    assert c.rounds == 1


def test_no_process_is_forked_beside_threads_of_the_task() -> None:
    arguments = ("compare", *QUICK, "--workers", "1", "tasks_for_tests:keep_a_thread")
    executors = [f"serial,processes:{method}" for method in ("fork", "spawn")]
    # Both mostly wait for workers to end.
    with ThreadPoolExecutor() as pool:
        forked, spawned = pool.map(
            lambda names: gildemo(*arguments, "--executors", names), executors
        )
    assert forked.returncode == 1
    assert "use processes:spawn instead of processes" in forked.stderr
    assert spawned.returncode == 0
    assert "the task left a thread running (kept)" in spawned.stderr


@pytest.mark.parametrize("times", [1, 2])
def test_ctrl_c_prints_complete_rounds_and_leaves_nothing(times: int) -> None:
    with OnTerminal(
        "compare", "sum(range(10**6))", "--min-time", "0", "--rounds", "999"
    ) as command:
        command.read_until("round 3")
        for _ in range(times):
            os.killpg(command.process.pid, signal.SIGINT)
        status, output, shown = command.finish()
        assert status == 130
        assert "Traceback" not in shown + output
        assert "interrupted; these are the results so far" in shown
        rounds = re.search(r"; (\d+) rounds of", " ".join(output.split()))
        assert rounds is not None
        assert 2 <= int(rounds[1]) < 999
        assert left_of_session(command.process.pid) == []


def test_folder_changes_do_not_move_the_files(tmp_path: Path) -> None:
    result = gildemo(
        "compare", *QUICK, "--json", "result.json", "tasks_for_tests:change_folder", cwd=tmp_path
    )
    assert result.returncode == 0, result.stderr
    assert Comparison.from_json((tmp_path / "result.json").read_text(encoding="utf-8")).rounds == 1


def test_large_results_are_measured() -> None:
    large, _ = compared("tasks_for_tests:large_result")
    small, _ = compared("tasks_for_tests:nothing")
    assert (large["processes"].sending or 0) > 10 * (small["processes"].sending or 1)


def test_expectation_is_held_against_the_verdict() -> None:
    expected = ("compare", *QUICK, "--rounds", "6", "--min-time", "0.001", "pass")
    right = gildemo(*expected, "--expect", "neither")
    assert (right.returncode, right.stderr) == (0, "")
    wrong = gildemo(*expected, "--expect", "processes")
    assert wrong.returncode == 3
    assert "expected the verdict processes, but it is neither" in wrong.stderr
    assert "neither" in wrong.stdout


def test_trace_and_plot_are_written(tmp_path: Path) -> None:
    files = [tmp_path / "t.json", tmp_path / "p.png"]
    result = gildemo(
        "compare", *QUICK, "--trace", str(files[0]), "--plot", str(files[1]), "sum(range(10**5))"
    )
    assert result.returncode == 0, result.stderr
    events = json.loads(files[0].read_text(encoding="utf-8"))["traceEvents"]
    assert bool(events) == gil_enabled()
    assert ("the trace is empty" in result.stderr) == (not events)
    assert files[1].read_bytes().startswith(b"\x89PNG")


def test_an_empty_trace_is_told() -> None:
    executors = ("--executors", "serial,processes")
    result = gildemo("compare", *QUICK, *executors, "--trace", "-", "pass")
    assert json.loads(result.stdout)["traceEvents"] == []
    assert "the trace is empty: no threads were monitored" in result.stderr


def test_report_shows_runs_side_by_side(tmp_path: Path) -> None:
    for name in ("before", "after"):
        (tmp_path / f"{name}.json").write_text(
            gildemo("compare", *QUICK, "--json", "-", "sum(range(10**5))").stdout, encoding="utf-8"
        )
    result = gildemo("report", "before.json", "after.json", cwd=tmp_path)
    assert (result.returncode, result.stderr) == (0, "")
    assert max(map(len, result.stdout.splitlines())) <= 80
    heading = next(line for line in result.stdout.splitlines() if "before" in line)
    assert heading.index("before") < heading.index("after")
    row = next(line for line in result.stdout.splitlines() if "threads" in line)
    assert re.search(r"[mµ]s\s+[\d.]+ [mµ]s \([\d.]+\)", row)


def test_report_shows_brackets_as_they_are(tmp_path: Path) -> None:
    c, _ = compared("-s", "d = [1]", "d[0]")
    (tmp_path / "[red]run.json").write_text(c.to_json(), encoding="utf-8")
    result = gildemo("report", "[red]run.json", cwd=tmp_path)
    assert "[red]run" in result.stdout
    assert "d[0]" in result.stdout


def test_report_of_wrong_figures_is_refused(tmp_path: Path) -> None:
    data = compared("pass")[0].to_dict()
    data["executors"]["threads"]["wall"]["median"] = "long"
    (tmp_path / "run.json").write_text(json.dumps(data), encoding="utf-8")
    result = gildemo("report", "run.json", cwd=tmp_path)
    assert result.returncode == 2
    assert "must be a number, not 'long'" in result.stderr


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "can't read"),
        ("{", "this is not JSON (Expecting"),
        ('{"schema": 1, "gil": {}}', "`gildemo watch` wrote this file"),
        ('{"schema": 1, "gil": null}', "schema 1 needs a field executors, comparisons or gil"),
        ("[]", "expected a JSON object, not []"),
        ('{"comparisons": 5}', "schema must be from 1 to 2, not None"),
        ('{"schema": 1, "comparisons": 5}', "comparisons must be a list, not 5"),
        ('{"schema": 1, "comparisons": [5]}', "expected a JSON object, not 5"),
    ],
)
def test_report_of_something_else_is_refused(
    tmp_path: Path, text: str | None, message: str
) -> None:
    path = tmp_path / "file.json"
    if text is not None:
        path.write_text(text, encoding="utf-8")
    result = gildemo("report", str(path))
    assert result.returncode == 2
    assert str(path) in result.stderr
    assert message in result.stderr


def test_one_round_of_one_executor_ends() -> None:
    result = gildemo("compare", "--rounds", "1", "--min-time", "0", "--executors", "serial", "pass")
    assert result.returncode == 0
    assert "1 round of 1 call per worker" in " ".join(result.stdout.split())
