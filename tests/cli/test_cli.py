"""The command, run as its users run it."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from gildemo import Comparison, __version__
from gildemo._demo.task_table import TASKS
from helpers import TESTS, gil_enabled, retried
from terminal import OnTerminal, left_of_session

# What the demonstration says on stderr where there is nothing for it to watch.
NO_TIMELINE = "gildemo: no timeline: can't watch the GIL: this Python runs without the GIL"
WITHOUT_TROUBLE = [] if gil_enabled() else [NO_TIMELINE]

QUICK = ("--rounds", "1", "--executors", "serial,threads,processes")


def gildemo(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "gildemo", *arguments],
        capture_output=True,
        text=True,
        timeout=100,
        env={**os.environ, "COLUMNS": "80"},
        check=False,
    )


@retried
def test_demonstration_prints_one_table_and_conclusions(tmp_path: Path) -> None:
    result = gildemo(*QUICK, "--json", str(tmp_path / "result.json"))
    assert (result.returncode, result.stderr.splitlines()) == (0, WITHOUT_TROUBLE)
    assert max(map(len, result.stdout.splitlines())) <= 80
    assert "\x1b" not in result.stdout
    for heading in ("task", "serial", "threads", "processes"):
        assert heading in result.stdout
    for task in ("fibo", "spin, GIL held", "spin, GIL released", "wait for a child", "subprocess"):
        assert task in result.stdout
    assert " ".join(result.stdout.split()).count("times as long as processes") == 4

    data = json.loads((tmp_path / "result.json").read_text(encoding="utf-8"))
    comparisons = [Comparison.from_dict(comparison) for comparison in data["comparisons"]]
    assert [c.task for c in comparisons] == [task.name for task in TASKS]
    # What the project claims: with the GIL held, threads wait one after another.
    waits = {c.task: c["threads"].wall.median for c in comparisons}
    held, released = (waits[f"wait for a child, GIL {state}"] for state in ("held", "released"))
    if gil_enabled():
        assert held > 1.2 * released


def test_json_to_standard_output_is_only_json_and_no_progress_is_shown_unless_wanted() -> None:
    options = ("--rounds", "1", "--executors", "processes", "--json", "-", "--no-progress")
    with OnTerminal("demo", *options) as command:
        status, output, shown = command.finish()
    assert (status, shown) == (0, "")
    assert len(json.loads(output)["comparisons"]) == len(TASKS)


def test_progress_is_shown_on_a_terminal() -> None:
    with OnTerminal(*QUICK) as command:
        command.read_until("━")


def test_version_and_help() -> None:
    assert gildemo("--version").stdout == f"gildemo {__version__}\n"
    for arguments in (("--help",), ("demo", "--help")):
        text = gildemo(*arguments).stdout
        assert "examples:" in text
        assert "exit status:" in text
        assert max(map(len, text.splitlines())) <= 80


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--workers", "0"), "must be a whole number of at least 1, not '0'"),
        (("--rounds", "x"), "must be a whole number of at least 1, not 'x'"),
        (("--executors", "threads,fiber"), "unknown executor 'fiber'"),
        (("--executors", ""), "unknown executor ''"),
        (("--json", "/no/such/folder/f"), "no folder /no/such/folder"),
        (("--json", "/"), "it is a folder"),
        (("demo", "--original", "--executors", "threads"), "leave out --executors"),
        (("demo", "--original", "--trace", "t.json"), "leave out --trace"),
        (("demonstrate",), "invalid choice: 'demonstrate'"),
    ],
)
def test_bad_usage_is_told_before_anything_is_measured(
    arguments: tuple[str, ...], message: str
) -> None:
    result = gildemo(*arguments)
    assert result.returncode == 2
    assert message in result.stderr
    assert "Traceback" not in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize(
    "arguments",
    [
        ("compare", *QUICK, "--min-time", "0", "pass"),
        ("report", str(TESTS / "schema1" / "demonstration.json")),
    ],
    ids=lambda arguments: arguments[0],
)
def test_a_reader_that_goes_away_is_no_traceback(arguments: tuple[str, ...]) -> None:
    command = f"{shlex.join([sys.executable, '-m', 'gildemo', *arguments])} | true"
    result = subprocess.run(
        command, shell=True, capture_output=True, text=True, timeout=100, check=False
    )
    assert result.stderr == ""


def test_a_reader_that_goes_away_loses_no_file(tmp_path: Path) -> None:
    file = tmp_path / "result.json"
    options = ("compare", *QUICK, "--min-time", "0", "--json", str(file), "pass")
    command = f"{shlex.join([sys.executable, '-m', 'gildemo', *options])} | true"
    subprocess.run(command, shell=True, capture_output=True, timeout=100, check=False)
    assert json.loads(file.read_text(encoding="utf-8"))["kind"] == "comparison"


def to_the_group(pid: int) -> None:
    """As a terminal does it."""
    os.killpg(pid, signal.SIGINT)


def to_the_process(pid: int) -> None:
    os.kill(pid, signal.SIGINT)


@pytest.mark.parametrize(
    ("moment", "complete", "executors", "interrupt"),
    [
        ("fibo", 0, "serial,threads,processes", to_the_group),
        ("spin, GIL held", 1, "serial", to_the_process),
        ("wait for a child, GIL held", 3, "threads", to_the_group),
        ("subprocess", 5, "processes", to_the_process),
    ],
)
def test_ctrl_c_prints_what_is_measured_and_leaves_nothing(
    moment: str, complete: int, executors: str, interrupt: Callable[[int], None]
) -> None:
    with OnTerminal("--rounds", "1", "--executors", executors) as command:
        command.read_until(moment)
        interrupt(command.process.pid)
        status, output, shown = command.finish()
        assert status == 130
        assert "Traceback" not in shown + output
        assert "interrupted" in shown
        table = output.partition("The GIL in threads")[0]
        rows = re.findall(r"^(fibo|spin|wait|subprocess)", table, re.MULTILINE)
        assert len(rows) == complete
        assert left_of_session(command.process.pid) == []


def test_sigterm_ends_it_as_well() -> None:
    with OnTerminal("--rounds", "1", "--executors", "processes") as command:
        command.read_until("wait for a child, GIL held")
        command.process.terminate()
        status, _, shown = command.finish()
        assert status == 128 + signal.SIGTERM
        assert "Traceback" not in shown
        assert left_of_session(command.process.pid) == []
