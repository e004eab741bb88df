"""The commands `compare` and `report`: one's own code, and runs side by side."""

from __future__ import annotations

import argparse
import contextlib
import faulthandler
import importlib.util
import json
import os
import re
import signal
import sys
import tempfile
import traceback
from collections.abc import Iterator
from pathlib import Path

from gildemo import executors
from gildemo._cli import _old_commands as commands
from gildemo._cli import run_program as program
from gildemo._cli import task_argument as target
from gildemo._comparison import _compare as comparison
from gildemo._comparison._compare import Progress
from gildemo._comparison.experiment import Experiment, MeasurementError
from gildemo._comparison.measurement import UnpicklableTaskError
from gildemo._comparison.results import Comparison, Verdict
from gildemo._report import comparison_table as compared
from gildemo._report import lanes as timeline
from gildemo._report import output

EXIT_UNEXPECTED = 3

# A task that holds the GIL for ever leaves Python no chance to end it. Then a native thread of
# faulthandler does, so many seconds after the time-out.
_LAST_RESORT = 10.0


def compare(arguments: argparse.Namespace) -> int:
    """Compare executors on a statement or a function; return the exit status."""
    problem = commands.unwritable(arguments)
    if problem:
        return commands.usage_error(problem)
    output.set_apart()
    program.set_first_path(os.getcwd())  # noqa: PTH109 (sys.path wants a str)
    try:
        task, args, name = target.resolve(arguments.statement, arguments.setup, arguments.arg)
        experiment = Experiment(
            task,
            *args,
            name=name,
            workers=arguments.workers,
            executors=arguments.executors or executors.AVAILABLE,
            timeout=arguments.timeout,
            sending=True,
        )
    except SyntaxError as error:
        sys.stderr.write("".join(traceback.format_exception_only(error)))
        return commands.EXIT_USAGE
    except (target.TargetError, ValueError) as error:
        return commands.usage_error(str(error))
    except target.ImportFailedError as failed:
        sys.stderr.write(str(failed))
        return commands.EXIT_FAILED
    return _measure(experiment, arguments)


def _measure(experiment: Experiment, arguments: argparse.Namespace) -> int:
    """Measure and report; report what there is also when it ends early."""
    try:
        with _kept_streams(), commands.progress_bar(not arguments.no_progress) as bar:
            _run(experiment, arguments, bar)
    except KeyboardInterrupt as interruption:
        # From here on it only prints, which a second Ctrl-C should not spoil.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        _report(experiment, arguments)
        so_far = "this is what was measured" if experiment.rounds else "no round was complete"
        sys.stderr.write(f"gildemo: interrupted; {so_far} so far\n")
        raise interruption from None
    except MeasurementError as error:
        _report(experiment, arguments)
        sys.stderr.write(f"{_shortened(error.trace)}gildemo: {error}{_hint(error)}\n")
        return commands.EXIT_FAILED
    failed = _report(experiment, arguments)
    found = experiment.comparison()
    assert found is not None
    if arguments.expect not in (None, found.verdict.value):
        what = "no clear answer" if found.verdict is Verdict.INCONCLUSIVE else found.verdict.value
        sys.stderr.write(f"gildemo: expected {arguments.expect}, and found {what}\n")
        return EXIT_UNEXPECTED
    return commands.EXIT_FAILED if failed else 0


def _run(experiment: Experiment, arguments: argparse.Namespace, bar: Progress | None) -> None:
    def progress(done: int, total: int, name: str) -> None:
        if bar is not None:
            bar(done, total, f"round {experiment.rounds + 1}, {name}")

    experiment.around = lambda: _last_resort(arguments.timeout)
    try:
        experiment.calibrate(arguments.min_time, executors.resolve("processes"))
    except MeasurementError as error:
        if not isinstance(error.__cause__, UnpicklableTaskError):
            raise
        experiment.calibrate(arguments.min_time, executors.resolve("serial"))
    if not experiment.kinds[0].concurrent:
        # What it prints in other processes can't be told from what they print for others.
        with _printing_noticed(experiment):
            experiment.step()
    comparison.run(experiment, arguments.rounds, arguments.max_time, progress=progress)


@contextlib.contextmanager
def _last_resort(timeout: float | None) -> Iterator[None]:
    """End this process if a measurement does not end."""
    if timeout is not None:
        faulthandler.dump_traceback_later(timeout + _LAST_RESORT, exit=True)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()


@contextlib.contextmanager
def _kept_streams() -> Iterator[None]:
    """Undo it if the task, in this process, closes or replaces the standard streams."""
    stdout, stderr, descriptor = sys.stdout, sys.stderr, os.dup(2)
    try:
        yield
    finally:
        os.dup2(descriptor, 2)
        os.close(descriptor)
        sys.stdout, sys.stderr = stdout, stderr


@contextlib.contextmanager
def _printing_noticed(experiment: Experiment) -> Iterator[None]:
    stdout = sys.stdout
    with tempfile.TemporaryFile() as file:
        before = os.dup(1)
        os.dup2(file.fileno(), 1)
        try:
            yield
        finally:
            stdout.flush()
            os.dup2(before, 1)
            os.close(before)
        file.seek(0)
        printed = file.readline(60).decode(errors="replace").rstrip()
    if printed:
        experiment.warnings.append(
            f"the task prints, which takes time; what it prints ({printed!r}, ...) is not shown"
        )


def _hint(error: MeasurementError) -> str:
    """What to write instead, if a statement names a module that it did not import."""
    found = re.search(r"name '(\w+)' is not defined", str(error.__cause__))
    if found is None or importlib.util.find_spec(found[1]) is None:
        return ""
    return f" (add -s 'import {found[1]}', or name a function as {found[1]}:function)"


def _shortened(trace: str) -> str:
    lines = [line if len(line) < 1000 else f"{line[:1000]}..." for line in trace.splitlines()]
    return "".join(f"{line}\n" for line in lines)


def _report(experiment: Experiment, arguments: argparse.Namespace) -> bool:
    """Show what was measured; return whether some file could not be written."""
    found = experiment.comparison()
    if found is None:
        return False
    if "-" not in (arguments.json, arguments.trace):
        _print(found)
    for name, why in found.unavailable.items():
        sys.stderr.write(f"gildemo: without {name}: {why}\n")
    for warning in found.warnings:
        sys.stderr.write(f"gildemo: {warning}\n")
    failed = False
    if arguments.json:
        failed |= not output.write_json(arguments.json, found.to_dict())
    if arguments.trace:
        failed |= not commands.write_trace([found], arguments.trace)
    if arguments.plot:
        failed |= not commands.write_plot([found], arguments.plot)
    return failed


def _print(found: Comparison) -> None:
    console = output.console()
    console.print(found.task, style="bold")
    console.print(compared.setting(found))
    console.print()
    console.print(compared.table(found, console.width))
    console.print(compared.LEGEND, style="dim")
    console.print()
    if found.gil is not None:
        console.print(timeline.LEGEND)
        for line in timeline.lanes("one more round", found.gil, console.width):
            console.print(line)
        console.print()
    console.print(compared.answer(found))


def report(arguments: argparse.Namespace) -> int:
    """Print earlier runs side by side; return the exit status."""
    runs: dict[str, list[Comparison]] = {}
    for path in arguments.files:
        name = Path(path).stem
        try:
            runs[path if name in runs else name] = _read(Path(path))
        except OSError as error:
            return commands.usage_error(f"can't read {path}: {error.strerror}")
        except ValueError as error:
            return commands.usage_error(f"{path}: {error}")
    output.console().print(compared.side_by_side(runs))
    return 0


def _read(path: Path) -> list[Comparison]:
    """The comparisons in a file of `compare` or of the demonstration."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise ValueError(f"this is not JSON: {error}") from error
    if isinstance(data, dict) and "gil" in data and "executors" not in data:
        raise ValueError("this is of `gildemo watch`; report is for compare and the demonstration")
    found = data.get("comparisons", [data]) if isinstance(data, dict) else [data]
    return [Comparison.from_dict(part) for part in (found if isinstance(found, list) else [found])]
