"""gildemo._core as a module: signatures, help, imports, interpreters, leaks."""

from __future__ import annotations

import ast
import gc
import importlib
import importlib.resources
import inspect
import os
import pickle
import pydoc
import shutil
import subprocess
import sys
import sysconfig
import tracemalloc
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from typing import Any

import pytest

import gildemo
from gildemo import _core
from helpers import lets_others_run, run_python, subinterpreter

SIGNATURES = {
    "spin": "(iterations=100000000, *, release_gil=True)",
    "waitpid": "(pid, options=0, *, release_gil=True)",
    "duty_cycle": "(held, released=0.0, cycles=1)",
}
every_function = pytest.mark.parametrize("name", SIGNATURES)


@every_function
def test_signature(name: str) -> None:
    assert str(inspect.signature(getattr(gildemo, name))) == SIGNATURES[name]


def test_stub_has_the_same_signatures() -> None:
    stub = importlib.resources.files("gildemo").joinpath("_core.pyi").read_text(encoding="utf-8")
    found = {}
    for node in ast.parse(stub).body:
        if isinstance(node, ast.FunctionDef) and node.name in SIGNATURES:
            for parameter in [*node.args.args, *node.args.kwonlyargs]:
                parameter.annotation = None
            found[node.name] = f"({ast.unparse(node.args).replace(' = ', '=')})"
    assert found == SIGNATURES


@every_function
def test_help(name: str) -> None:
    function = getattr(gildemo, name)
    text = pydoc.plain(pydoc.render_doc(function))
    assert f"{name}{SIGNATURES[name]}" in text
    assert str(inspect.getdoc(function)).splitlines()[0] in text
    assert "--\n" not in text


def test_help_on_the_module() -> None:
    text = pydoc.plain(pydoc.render_doc(_core))
    assert str(_core.__doc__) in text
    for name, signature in SIGNATURES.items():
        assert f"{name}{signature}" in text


@every_function
def test_functions_pickle_by_name(name: str) -> None:
    """That is how pools of processes send them."""
    function = getattr(gildemo, name)
    assert (function.__module__, function.__qualname__) == ("gildemo._core", name)
    assert pickle.loads(pickle.dumps(function)) is function


def test_import_loads_nothing_heavy() -> None:
    program = """
        import sys
        before = set(sys.modules)
        import gildemo
        heavy = {"asyncio", "concurrent", "matplotlib", "multiprocessing", "rich", "threading"}
        print(sorted(heavy & {name.partition(".")[0] for name in set(sys.modules) - before}))
    """
    assert run_python(program) == "[]\n"


@pytest.mark.skipif(
    not sysconfig.get_config_var("Py_GIL_DISABLED"), reason="this build always has a GIL"
)
def test_import_keeps_the_gil_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYTHON_GIL", raising=False)
    # CPython would also issue a RuntimeWarning, which is an error here.
    program = "import sys, gildemo; gildemo.spin(1); print(sys._is_gil_enabled())"
    assert run_python(program) == "False\n"


def test_import_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    # An import sets both; to set them to what they are has them restored.
    monkeypatch.setitem(sys.modules, "gildemo._core", _core)
    monkeypatch.setattr(gildemo, "_core", _core)
    del sys.modules["gildemo._core"]
    again = importlib.import_module("gildemo._core")
    assert again is not _core
    assert again.spin is not _core.spin
    assert again.spin(1000) == _core.spin(1000)
    assert again.duty_cycle(0.0, cycles=0) == (0.0, 0.0)
    del again
    gc.collect()
    assert _core.spin(1) == gildemo.spin(1)


def test_a_monitor_in_its_own_module_is_collected() -> None:
    program = """
        import gc, importlib, sys, weakref
        import gildemo._core
        del sys.modules["gildemo._core"]
        module = importlib.import_module("gildemo._core")
        module.monitor = module.Monitor(1e-3, 1e-3)
        collected = weakref.ref(module)
        del module, sys.modules["gildemo._core"], sys.modules["gildemo"]._core
        gc.collect()
        print(collected() is None)
    """
    assert run_python(program) == "True\n"


@pytest.mark.skipif(shutil.which("nm") is None, reason="there is no nm")
def test_exports_nothing_but_the_init_function() -> None:
    assert _core.__file__ is not None
    # The options of macOS differ, and its symbols begin with one more underscore.
    options = ["-gU"] if sys.platform == "darwin" else ["-D", "--defined-only"]
    command = ["nm", *options, _core.__file__]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert [line.split()[-1].lstrip("_") for line in output.splitlines()] == ["PyInit__core"]


def test_reload_keeps_the_module() -> None:
    assert importlib.reload(_core) is _core
    assert _core.spin(1) == gildemo.spin(1)


own_gil = pytest.mark.skipif(
    sys.version_info < (3, 12), reason="3.11 has one GIL for all interpreters"
)

USE = f"""
import gildemo, os
assert gildemo.spin(1000) == gildemo.spin(1000, release_gil=False) == {_core.spin(1000)}
held, released = gildemo.duty_cycle(0.001, 0.001)
assert held > 0.0009 and released > 0.0009
try:
    gildemo.waitpid({os.getpid()})
except ChildProcessError:
    pass
else:
    raise AssertionError("no ChildProcessError")
"""


@own_gil
def test_subinterpreter() -> None:
    with subinterpreter() as run:
        run(USE)
        run("import sys; del sys.modules['gildemo'], sys.modules['gildemo._core']")
        run(USE)
    # That interpreter's copy of the module is gone. This one is another.
    assert gildemo.spin(1000) == _core.spin(1000)


@own_gil
def test_subinterpreters_at_the_same_time() -> None:
    with ExitStack() as stack, ThreadPoolExecutor(3) as pool:
        runs = [stack.enter_context(subinterpreter()) for _ in range(3)]
        for future in [pool.submit(run, USE) for run in runs]:
            future.result()


@own_gil
def test_holding_the_gil_of_a_subinterpreter_stops_no_thread_here() -> None:
    with subinterpreter() as run:
        run("import gildemo")
        assert lets_others_run(lambda: run("gildemo.spin(2**25, release_gil=False)"))


def call_in_every_way(arg: Any) -> None:
    """Pass arg as each argument, through each branch of the parsing and each error."""
    calls: list[tuple[Callable[..., object], tuple[Any, ...], dict[str, Any]]] = [
        (_core.spin, (1,), {"release_gil": arg}),
        (_core.spin, (arg,), {}),
        (_core.spin, (), {"iterations": arg}),
        (_core.spin, (arg, arg), {}),
        (_core.spin, (arg,), {"iterations": arg}),
        (_core.spin, (1,), {"unknown": arg}),
        (_core.waitpid, (arg,), {}),
        (_core.waitpid, (os.getpid(),), {"options": 0, "release_gil": arg}),
        (_core.waitpid, (-1, arg), {}),
        (_core.waitpid, (), {"options": arg}),
        (_core.duty_cycle, (arg,), {}),
        (_core.duty_cycle, (0.0, arg), {}),
        (_core.duty_cycle, (0.0, 0.0, arg), {}),
        (_core.duty_cycle, (0.0, 1e-9, 2), {}),
        (_core.duty_cycle, (-1.0,), {"cycles": arg}),
    ]
    for function, args, kwargs in calls:
        with suppress(TypeError, ValueError, OverflowError, ChildProcessError):
            function(*args, **kwargs)


def test_one_allocation_fails() -> None:
    """The call raises MemoryError, or does what it does with enough memory."""
    pytest.importorskip("_testcapi")
    program = """
        import _testcapi, os
        from gildemo import _core, spin, waitpid, duty_cycle
        calls = [
            (spin, (2**64,)), (spin, (1.5,)), (spin, (1,)),
            (waitpid, (2**40,)), (waitpid, (os.getpid(),)),
            (duty_cycle, (-1,)), (duty_cycle, (0, 0, -1)), (duty_cycle, (0,)),
            (_core.Monitor, (-1, 1)), (_core.Monitor, (1, 1)),
        ]
        # Use up the floats that CPython keeps, so that it has to allocate one.
        floats = [float(i) for i in range(1000)]
        def outcome(function, args, i):
            _testcapi.set_nomemory(i, i + 1)
            try:
                try:
                    function(*args)
                finally:
                    _testcapi.remove_mem_hooks()
            except Exception as error:
                return str(error)
            return "returned"
        for function, args in calls:
            outcomes = {outcome(function, args, i) for i in range(1, 20)}
            print(len(outcomes - {""}))  # MemoryError has no text.
    """
    assert run_python(program) == "1\n" * 10


@pytest.mark.parametrize(
    "arg",
    [
        pytest.param(12345678901234567890123, id="too large"),
        pytest.param(10**5000, id="unprintable"),
        pytest.param(-(2**62), id="negative"),
        pytest.param(float("nan"), id="nan"),
        pytest.param(object(), id="object"),
    ],
)
def test_no_leaks(arg: object) -> None:
    def repeat(times: int) -> tuple[int, int]:
        for _ in range(times):
            call_in_every_way(arg)
        gc.collect()
        return sys.getrefcount(arg), tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        repeat(100)
        references, memory = repeat(100)
        more_references, more_memory = repeat(1000)
    finally:
        tracemalloc.stop()
    assert more_references == references
    # An object that leaks in each of a thousand rounds has at least 16 bytes.
    assert more_memory - memory < 1000 * 8


def test_no_leaks_by_import() -> None:
    # In a new process, because a free-threaded 3.13 keeps all modules once it has had a thread.
    program = """
        import gc, importlib, sys, weakref
        modules = []
        for _ in range(10):
            modules.append(weakref.ref(importlib.import_module("gildemo._core")))
            del sys.modules["gildemo._core"]
        gc.collect()
        print([module() is None for module in modules])
    """
    # The package still refers to the functions of the first module, and to the last module.
    assert run_python(program) == f"{[False] + [True] * 8 + [False]}\n"
