"""What the monitor reads of a thread's frames from outside, against what CPython says of them.

A module made for these tests (frames_probe.c) reads the frames of its caller from a thread that is
not attached, while the caller waits.
"""

from __future__ import annotations

import functools
import itertools
import os
import shlex
import subprocess
import sys
import sysconfig
import textwrap
import threading
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

import pytest

from frame_situations import SITUATIONS, Situation
from helpers import gil_enabled

pytestmark = pytest.mark.skipif(
    "t" in sys.abiflags or not gil_enabled(), reason="a free-threaded build has no sites"
)

TESTS = Path(__file__).parent
CSRC = TESTS.parents[1] / "csrc" / "monitor"
UNITS = ["safe_copy", "location", "code_table", "code_object", "code_cache", "frame_walk", "frames"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where frames_probe can be imported from."""
    folder = tmp_path_factory.mktemp("frames_probe")
    compiler = shlex.split(sysconfig.get_config_var("CC"))
    options = ["-std=c11", "-O1", "-Wall", "-Wextra", "-Werror", "-Wno-missing-field-initializers"]
    link = ["-bundle", "-undefined", "dynamic_lookup"] if sys.platform == "darwin" else ["-shared"]
    paths = {sysconfig.get_path("include"), sysconfig.get_path("platinclude")}
    include = [f"-I{CSRC}", *itertools.chain.from_iterable(("-isystem", path) for path in paths)]
    sources = [TESTS / "frames_probe.c", *(CSRC / f"{unit}.c" for unit in UNITS)]
    output = folder / f"frames_probe{sysconfig.get_config_var('EXT_SUFFIX')}"
    command = [*compiler, *options, *link, "-fPIC", "-pthread", "-o", output, *include, *sources]
    subprocess.run([*map(str, command)], check=True, timeout=120)
    return folder


@pytest.fixture
def probe(folder: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(folder))
    return __import__("frames_probe")


@functools.cache
def positions(code: CodeType) -> list[tuple[int, int, int, int]]:
    """Those of all instructions, as C has them."""
    return [
        (
            -1 if line is None else line,
            -1 if end_line is None else end_line,
            -1 if column is None else column,
            -1 if end_column is None else end_column,
        )
        for line, end_line, column, end_column in code.co_positions()
    ]


def expected(code: CodeType, last: int) -> tuple[Any, ...]:
    position = (-1, -1, -1, -1)
    if code.co_linetable:
        position = positions(code)[last // 2]
    return (code.co_qualname, code.co_filename, code.co_firstlineno, last, position)


@pytest.mark.parametrize("situation", SITUATIONS.values(), ids=SITUATIONS.keys())
def test_frames_are_exact(probe: ModuleType, situation: Situation) -> None:
    probes = []

    def check() -> None:
        # Compared afterwards: some situations would catch what an assertion raises.
        probes.append(probe.probe())

    situation(check)
    assert probes
    for seen, truth, complete in probes:
        assert complete
        assert seen == [expected(*frame) for frame in truth]


def test_there_are_fifty_situations() -> None:
    assert len(SITUATIONS) >= 50


def test_innermost_frames_of_a_very_deep_stack(probe: ModuleType) -> None:
    def descend(depth: int) -> Any:
        return descend(depth - 1) if depth else probe.probe()

    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(5000)
    try:
        seen, truth, complete = descend(2000)
    finally:
        sys.setrecursionlimit(limit)
    assert not complete
    assert len(seen) == 1024
    assert seen == [expected(*frame) for frame in truth[:1024]]


def test_in_a_subinterpreter(folder: Path) -> None:
    # In a new process, because other modules of this process may not support that.
    program = """
        try:
            import _interpreters as interpreters
        except ImportError:
            import _xxsubinterpreters as interpreters
        text = '''
        import sys
        sys.path.insert(0, {folder!r})
        import frames_probe
        def inner():
            seen, truth, complete = frames_probe.probe()
            assert complete and len(seen) == 2
            for (name, file, line, last, at), (code, expected) in zip(seen, truth, strict=True):
                assert (name, last) == (code.co_qualname, expected)
        inner()
        print("right")
        '''
        import textwrap
        interpreter = interpreters.create()
        interpreters.run_string(interpreter, textwrap.dedent(text))
        interpreters.destroy(interpreter)
    """
    program = textwrap.dedent(program).replace("{folder!r}", repr(str(folder)))
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.stdout, done.returncode) == ("right\n", 0), done.stderr


def all_code(code: CodeType) -> list[CodeType]:
    inner = (const for const in code.co_consts if isinstance(const, CodeType))
    return [code, *itertools.chain.from_iterable(map(all_code, inner))]


def library_files() -> list[Path]:
    library = Path(sysconfig.get_path("stdlib"))
    return [path for path in library.rglob("*.py") if "site-packages" not in path.parts]


def test_positions_in_the_standard_library(probe: ModuleType) -> None:
    files = library_files()
    # Every eighth file, beginning with a different one in each run. If requested, all files: that
    # takes minutes.
    if not os.environ.get("GILDEMO_ALL_POSITIONS"):
        files = files[os.getpid() % 8 :: 8]
    checked = 0
    for path in files:
        try:
            top = compile(path.read_bytes(), str(path), "exec", dont_inherit=True)
        except (SyntaxError, ValueError):
            continue  # Some are there to be wrong.
        for code in all_code(top):
            table, first_line = code.co_linetable, code.co_firstlineno
            for index, position in enumerate(positions.__wrapped__(code)):
                assert probe.location(table, first_line, index) == position
                checked += 1
    assert checked > 50_000


def test_position_before_the_first_instruction(probe: ModuleType) -> None:
    code = test_position_before_the_first_instruction.__code__
    assert probe.location(code.co_linetable, 7, -1) == (7, 7, -1, -1)


def test_position_in_a_table_that_was_cut(probe: ModuleType) -> None:
    code = library_files.__code__
    for size in range(len(code.co_linetable)):
        for index in range(len(positions(code))):
            position = probe.location(code.co_linetable[:size], 1, index)
            assert len(position) == 4


def churn(stop: threading.Event) -> None:
    """Code objects that come and go, at addresses that are used again."""

    def numbers(depth: int) -> Any:
        if depth:
            yield from numbers(depth - 1)
        yield depth

    for k in itertools.count():
        if stop.is_set():
            return
        line, name = k % 97, k % 997
        text = "\n" * line + f"def churned_{name}_{line}(x):\n  for _ in range(20): x += 1\n"
        namespace: dict[str, Any] = {}
        exec(compile(text, f"churn_{k % 13}.py", "exec"), namespace)
        for _ in range(30):
            namespace[f"churned_{name}_{line}"](1)
        sum(numbers(30))


def test_code_that_comes_and_goes(probe: ModuleType) -> None:
    stop = threading.Event()
    timer = threading.Timer(3, stop.set)
    timer.start()
    probe.start()
    try:
        churn(stop)
    finally:
        timer.join()
        reads, torn, frames, codes = probe.stop()
    names = [code for code in codes if code[0].startswith("churned_")]
    assert reads > 1000
    assert torn < 0.2 * reads
    assert frames > reads
    assert len(names) > 100
    for name, file, first_line, *_ in names:
        assert first_line == int(name.rpartition("_")[2]) + 1
        assert file.startswith("churn_")
    # Code with the same content is one row.
    assert len(names) == len({code[:3] for code in names})
