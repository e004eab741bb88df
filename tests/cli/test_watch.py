"""gildemo watch: a program runs as python would run it, and then there is a report."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from gildemo import GilRecord
from helpers import gil_enabled

pytestmark = pytest.mark.skipif(not gil_enabled(), reason="this Python runs without the GIL")

PYTHON = (sys.executable,)
WATCH = (sys.executable, "-m", "gildemo", "watch")


def run(*command: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=100,
        env={**os.environ, "COLUMNS": "80"},
        check=False,
    )


def script(folder: Path, text: str, name: str = "script.py") -> str:
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(textwrap.dedent(text), encoding="utf-8")
    return name


PROGRAMS = {
    "arguments": "import sys; print(sys.argv, __name__, __file__, sys.path[0])",
    "main": "import sys; print(sys.modules['__main__'].__dict__ is globals())",
    "status": "import sys; print('out'); sys.exit(3)",
    "large status": "import sys; sys.exit(1027)",
    "message": "import sys; sys.exit('a message')",
    "no status": "import sys; sys.exit()",
    "exception": "def f():\n    raise ValueError('oops')\nf()",
    "syntax error": "for",
    "excepthook": "import sys\nsys.excepthook = lambda *a: print(a[0].__name__)\n1 / 0",
    "threads": "import threading, time\nthreading.Thread(target=lambda: "
    "(threading.main_thread().join(0.1), print('late'))).start()\nprint('early')",
    "idle pool": "from concurrent.futures import ThreadPoolExecutor\n"
    "pool = ThreadPoolExecutor(2)\nprint(pool.submit(pow, 2, 3).result())",
    "idle pool, status": "import sys\nfrom concurrent.futures import ThreadPoolExecutor\n"
    "pool = ThreadPoolExecutor(2)\nprint(pool.submit(pow, 2, 3).result())\nsys.exit(3)",
    "fork": "import os, sys, warnings\nwarnings.simplefilter('ignore')\npid = os.fork()\n"
    "if pid == 0: sys.exit(7)\nprint(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))",
    "at exit": "import atexit; atexit.register(print, 'bye')",
    "pickle": "import pickle\nclass C: pass\nprint(type(pickle.loads(pickle.dumps(C()))) is C)",
}


def test_no_sample_is_no_figure(tmp_path: Path) -> None:
    name = script(tmp_path, "print('hi')")
    watched = run(*WATCH, "--interval", "10", name, cwd=tmp_path)
    assert (watched.returncode, watched.stdout) == (0, "hi\n")
    assert "before the first sample" in watched.stderr
    assert "%" not in watched.stderr


def test_report_comes_though_handlers_raise(tmp_path: Path) -> None:
    text = """
        import atexit, signal
        def fail(number, frame):
            raise InterruptedError
        signal.signal(signal.SIGALRM, fail)
        # After that, Python restores what the signal does by default: it ends the process.
        atexit.register(signal.setitimer, signal.ITIMER_REAL, 0)
        signal.setitimer(signal.ITIMER_REAL, 0.05, 0.05)
        while True:
            pass
    """
    watched = run(*WATCH, script(tmp_path, text), cwd=tmp_path)
    assert watched.returncode == 1
    assert "InterruptedError" in watched.stderr
    assert "GIL held" in watched.stderr


def test_its_own_usage_is_told(tmp_path: Path) -> None:
    watched = run(*WATCH, "--bogus", "script.py", cwd=tmp_path)
    assert watched.returncode == 2
    assert "usage: gildemo watch" in watched.stderr
    assert "unrecognized arguments: --bogus" in watched.stderr


@pytest.mark.parametrize("text", PROGRAMS.values(), ids=PROGRAMS)
def test_runs_a_script_as_python_does(text: str, tmp_path: Path) -> None:
    name = script(tmp_path, text)
    expected = run(*PYTHON, name, "a", "-x", "--json", cwd=tmp_path)
    watched = run(*WATCH, name, "a", "-x", "--json", cwd=tmp_path)
    assert watched.stdout == expected.stdout
    assert watched.returncode == expected.returncode
    assert watched.stderr.startswith(expected.stderr)
    assert "GIL" in watched.stderr.removeprefix(expected.stderr)


def test_runs_a_module_and_a_package(tmp_path: Path) -> None:
    script(tmp_path, "import sys; print(sys.argv[1:], __name__, __package__)", "one.py")
    script(tmp_path, "", "several/__init__.py")
    script(tmp_path, "from . import other; print(other.__name__)", "several/__main__.py")
    script(tmp_path, "", "several/other.py")
    for name in ("one", "several"):
        expected = run(*PYTHON, "-m", name, "-m", "x", cwd=tmp_path)
        watched = run(*WATCH, "-m", name, "-m", "x", cwd=tmp_path)
        assert watched.stdout == expected.stdout
        assert watched.returncode == expected.returncode == 0


def test_reports_every_thread_by_name(tmp_path: Path) -> None:
    name = script(
        tmp_path,
        """
        import gildemo, threading

        holds = threading.Thread(target=gildemo.duty_cycle, args=(0.3,), name="holds")
        holds.start()
        holds.join()
        releases = threading.Thread(target=gildemo.spin, name="releases")
        releases.start()
        releases.join()
        """,
    )
    watched = run(*WATCH, "--json", "r.json", "--trace", "t.json", name, cwd=tmp_path)
    assert watched.stdout == ""
    assert max(map(len, watched.stderr.splitlines())) <= 80
    for word in ("held", "waiting", "longest hold", "CPU time", "holds", "releases", "MainThread"):
        assert word in watched.stderr
    record = json.loads((tmp_path / "r.json").read_text(encoding="utf-8"))
    assert (record["kind"], record["program"]) == ("record", name)
    assert GilRecord.from_dict(record).samples > 0
    held = {thread["name"]: thread["held"] for thread in record["threads"]}
    assert held["holds"] > 0.2 > held["releases"]
    assert json.loads((tmp_path / "t.json").read_text(encoding="utf-8"))["traceEvents"]


def test_plot(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    name = script(
        tmp_path,
        """
        import gildemo, threading
        def hold(name, held):
            return threading.Thread(target=gildemo.duty_cycle, args=(held, 0.05), name=name)
        # In 3.11 an ended thread's name is known only as long as someone refers to it.
        threads = [hold("$much$", 0.1), hold("little", 0.05)]
        for thread in threads:
            thread.start()
            thread.join()
        """,
    )
    watched = run(*WATCH, "--plot", "r.svg", name, cwd=tmp_path)
    assert (watched.returncode, watched.stdout) == (0, "")
    drawn = (tmp_path / "r.svg").read_text(encoding="utf-8")
    for text in ("Who held the GIL", "script.py: the GIL was held for", "$much$", "little"):
        assert text in drawn


def test_ctrl_c_in_the_program_still_gives_the_report(tmp_path: Path) -> None:
    name = script(
        tmp_path, "import os, signal\nos.kill(os.getpid(), signal.SIGINT)\nwhile True: pass"
    )
    watched = run(*WATCH, name, cwd=tmp_path)
    assert watched.returncode == 130
    assert "KeyboardInterrupt" in watched.stderr
    before, _, after = watched.stderr.partition("KeyboardInterrupt")
    assert "gildemo" not in before
    assert "GIL" in after


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("missing.py",), "can't run missing.py: [Errno 2]"),
        (("-m", "missing"), "No module named missing"),
        (("--interval", "0", "script.py"), "interval must be from 1e-5 to 10 seconds, not 0.0"),
        (("--interval", "x", "script.py"), "must be 0 or more seconds, not 'x'"),
        (("--json", "-", "--trace", "-", "script.py"), "--json and --trace can't both write to -"),
        (("--plot", "r.gif", "script.py"), "must end in .png, .svg or .pdf"),
        ((), "the following arguments are required"),
    ],
)
def test_bad_usage(arguments: tuple[str, ...], message: str, tmp_path: Path) -> None:
    script(tmp_path, "print('ran')")
    watched = run(*WATCH, *arguments, cwd=tmp_path)
    assert watched.returncode == 2
    assert message in watched.stderr
    assert watched.stdout == ""


@pytest.mark.parametrize(
    "end",
    ["sys.stderr.close()", "sys.stderr = None", "sys.stdout.close()", "sys.stdout = None"],
)
def test_a_program_without_streams_still_gets_its_files(tmp_path: Path, end: str) -> None:
    name = script(tmp_path, f"import sys\n{end}")
    watched = run(*WATCH, "--json", "r.json", name, cwd=tmp_path)
    assert watched.returncode == 0
    assert json.loads((tmp_path / "r.json").read_text(encoding="utf-8"))["kind"] == "record"
